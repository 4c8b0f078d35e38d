"""Checks of this computer and its libraries, and of a run: every checkpoint, the lock, the disk.

Each finding is a line with a verdict: ok, note (worth knowing) or wrong (something will fail, and what to do).
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gancli.core.errors import CheckpointError, GanError
from gancli.core.files import Folder
from gancli.core.host import cores
from gancli.runs import checkpoint, folder, history, journal, lock
from gancli.runs.files import quoted
from gancli.training import precision

SMALL = 500e6  # bytes free that a run should have
OLDEST = (2, 8)


@dataclass(frozen=True)
class Finding:
    what: str
    verdict: str  # ok, note, wrong
    said: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def of_system(runs: Path) -> Iterator[Finding]:
    """Versions, processor, accelerator, disk."""
    yield Finding("python", "ok", platform.python_version())
    yield from _torch()
    yield from _torchvision()
    yield from _processor()
    yield from _accelerator()
    try:
        folder.check_place(runs)
        yield _free("runs folder", next(p for p in (runs, *runs.absolute().parents) if p.is_dir()))
    except GanError as error:
        yield Finding("runs folder", "wrong", error.cause, error.remedy)


def _torch() -> Iterator[Finding]:
    version = str(torch.__version__)
    old = tuple(int(n) for n in version.split("+", 1)[0].split(".")[:2] if n.isdigit()) < OLDEST
    yield Finding("torch", "wrong" if old else "ok", version, "pip install --upgrade torch torchvision" if old else "")


def _torchvision() -> Iterator[Finding]:
    """An incompatible torchvision fails at its first own operator."""
    try:
        import torchvision

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        said = " ".join(str(error).split())[:120]
        yield Finding("torchvision", "wrong", said, "pip install --upgrade torch torchvision")
    else:
        yield Finding("torchvision", "ok", str(torchvision.__version__))


def _processor() -> Iterator[Finding]:
    able = torch.cpu.get_capabilities()
    mine = cores()
    threads = torch.get_num_threads()
    bf16 = "bfloat16 in hardware" if precision.multiplies_bf16(torch.device("cpu")) else "no bfloat16: fp32 is chosen"
    text = f"{able.get('architecture', platform.machine())}, {mine} cores, {threads} threads, {bf16}"
    crowded = threads > mine
    yield Finding(
        "processor",
        "note" if crowded else "ok",
        text,
        f"more threads than cores: gan train --threads {mine}" if crowded else "",
    )


def _accelerator() -> Iterator[Finding]:
    if not torch.cuda.is_available():
        yield Finding("gpu", "ok", "none: training is on the CPU")
        return
    for i in range(torch.cuda.device_count()):
        bf16 = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no bfloat16"
        free, total = torch.cuda.mem_get_info(i)
        text = f"{torch.cuda.get_device_name(i)}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free, {bf16}"
        yield Finding(f"gpu {i}", "ok", text)


def _free(what: str, place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    small = free < SMALL
    return Finding(
        what, "note" if small else "ok", f"{free / 1e9:.1f} GB free in {place}", "free some disk" if small else ""
    )


def of_run(run: folder.Run) -> Iterator[Finding]:
    """Its configuration, history, lock, disk, journal and every checkpoint, each read to the last byte."""
    try:
        run.config()
        yield Finding("config.json", "ok", f"{len(history.read(run.path))} changes since the start")
    except GanError as error:
        yield Finding("config.json", "wrong", error.cause, error.remedy or "restore it from a backup")
    yield from _lock(run)
    yield from _journal(run)
    yield from _checkpoints(run)
    yield from _left(run)


def _lock(run: folder.Run) -> Iterator[Finding]:
    holder = lock.holder(run.path)
    yield Finding("lock", "note" if holder else "ok", f"held by process {holder}: it is training" if holder else "free")
    if not os.access(run.path, os.W_OK | os.X_OK):
        yield Finding("folder", "wrong", f"{run.path} cannot be written", "check its owner and permissions")
    else:
        yield _free("folder", run.path)


def _journal(run: folder.Run) -> Iterator[Finding]:
    if Folder(run.path).stat(run.journal.name) is None:
        yield Finding("metrics.jsonl", "note", "not there yet")
        return
    try:
        count, whole = journal.whole(run.journal)
    except CheckpointError as error:
        yield Finding("metrics.jsonl", "wrong", error.cause, "remove it")
    else:
        said = f"{count} lines" if whole else "a line is torn; gan resume repairs it"
        yield Finding("metrics.jsonl", "ok" if whole else "note", said)


def _checkpoints(run: folder.Run) -> Iterator[Finding]:
    whole = 0
    try:
        listed = checkpoint.listed(run.checkpoints)
    except CheckpointError as error:
        yield Finding("checkpoints", "wrong", error.cause, error.remedy)
        return
    for path in listed:
        try:
            point = checkpoint.verify(path)
        except (CheckpointError, OSError) as error:
            said = error.cause if isinstance(error, CheckpointError) else str(error.strerror)
            yield Finding(f"checkpoint {path.name}", "wrong", said, "gan resume skips it for an older one")
            continue
        whole += 1
        yield Finding(f"checkpoint {path.name}", "ok", _about(point))
    if listed and not whole:
        yield Finding("checkpoints", "wrong", "none is whole", f"gan train --config {quoted(run.path / 'config.json')}")
    elif not listed:
        yield Finding("checkpoints", "note", "none yet", f"gan resume {run.word}")


def _about(point: checkpoint.Checkpoint) -> str:
    size = sum(entry["size"] for entry in point.manifest["files"].values())
    versions: Any = point.manifest.get("versions")
    by = f", by torch {versions.get('torch')}" if isinstance(versions, dict) else ""
    return f"whole: {len(point.manifest['files'])} files, {size / 1e6:.3g} MB{by}"


def _left(run: folder.Run) -> Iterator[Finding]:
    left = [name for name in (Folder(run.path) / "checkpoints").names() if name.startswith(".tmp-")]
    if left and not lock.holder(run.path):
        yield Finding("left over", "note", f"{', '.join(left)}: a save that was broken off", "the next save removes it")
