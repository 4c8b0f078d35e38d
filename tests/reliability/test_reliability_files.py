"""Rows 6 to 10, 14, 15, 18 to 20 of the fault table: disks that refuse, files that are not what was written, what is not finite."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import pickle
import random
import resource
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faults import Bench, Silent, differing, flip, fork, kept, small_disk, wait

from gancli.config import flat, nest, parse_set
from gancli.engine import fit as fitting
from gancli.errors import CheckpointError, DataError, DivergedError, GanError, ResourceError, UsageError
from gancli.loading import load
from gancli.run import checkpoint, folder, history
from gancli.sources import Arrays
from gancli.train import extend


@pytest.fixture
def run(bench: Bench) -> folder.Run:
    """20 steps, checkpoints of 10 and 20."""
    run = bench.new()
    bench.go(run, 20)
    return run


def newest(run: folder.Run) -> Path:
    return checkpoint.listed(run.checkpoints)[0]


# Row 9


def test_every_cut_of_a_file_is_found(run: folder.Run) -> None:
    point = newest(run)
    for path in [point / "nets.safetensors", point / "manifest.json", point / "state.json"]:
        whole = path.read_bytes()
        for end in range(0, len(whole), 1 if len(whole) < 1000 else 7):
            os.truncate(path, end)
            with pytest.raises(CheckpointError):
                checkpoint.verify(point)
            path.write_bytes(whole)
    assert checkpoint.verify(point).step == 20


def test_no_flipped_bit_is_accepted(run: folder.Run) -> None:
    """300 flips over all files, the manifest among them."""
    rng, point = random.Random(0), newest(run)
    files = sorted(point.iterdir())
    for trial in range(300):
        back = flip(files[trial % len(files)], rng)
        with pytest.raises(CheckpointError):
            checkpoint.verify(point)
        back()
    assert checkpoint.verify(point).step == 20


@pytest.mark.parametrize("fault", ["tail", "missing", "extra", "flip", "no manifest", "empty folder"])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    bench: Bench, undisturbed: dict[str, bytes], run: folder.Run, fault: str
) -> None:
    point = newest(run)
    path = point / "optimiser.safetensors"
    if fault == "tail":
        content = path.read_bytes()
        path.write_bytes(content[:-64] + bytes(64))
    elif fault == "missing":
        path.unlink()
    elif fault == "extra":
        (point / "more.bin").write_bytes(b"x")
    elif fault == "flip":
        flip(path, random.Random(3))
    elif fault == "no manifest":
        (point / "manifest.json").unlink()
    else:
        shutil.rmtree(point)
        point.mkdir()
    voice = bench.go(run)
    assert any(text.startswith("skipped checkpoint 000020:") for text in voice.said), voice.said
    assert "resumed from step 10 (160 images)" in voice.said
    assert not differing(kept(run), undisturbed)


# Row 10


def test_every_checkpoint_bad(bench: Bench, run: folder.Run) -> None:
    for point in checkpoint.listed(run.checkpoints):
        os.truncate(point / "nets.safetensors", 100)
    with pytest.raises(CheckpointError) as refused:
        bench.go(run)
    assert "000010/nets.safetensors has 100 bytes" in str(refused.value)
    assert "000020/nets.safetensors has 100 bytes" in str(refused.value)
    assert refused.value.code == 4


# Rows 6 to 8


def test_a_limit_on_a_files_size(bench: Bench, run: folder.Run, capfd: pytest.CaptureFixture[str]) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    before = {p: p.read_bytes() for p in run.checkpoints.rglob("*") if p.is_file()}
    assert wait(bench.child(run, 30, limited)) == 5
    assert "MB needed" in capfd.readouterr().err
    assert {p: p.read_bytes() for p in run.checkpoints.rglob("*") if p.is_file()} == before


def test_a_full_disk(bench: Bench, undisturbed: dict[str, bytes], capfd: pytest.CaptureFixture[str]) -> None:
    """A tmpfs that is filled up before the second save; with room again the run goes on to the same bits."""
    with small_disk(bench.place / "small", "2m") as mounted:
        if not mounted:
            pytest.skip("may not mount a tmpfs here")
        run = folder.Run(bench.place / "small" / "run")
        shutil.copytree(_trained(bench, 10).path, run.path)
        (run.samples / "000010.png").unlink()
        stuffing = run.path.parent / "stuffing"
        _fill(stuffing, leave=8000)
        assert wait(bench.child(run, 30)) == 5
        said = capfd.readouterr().err
        assert "no room for" in said
        assert "needed" in said
        assert checkpoint.newest(run.checkpoints, print).step == 10
        stuffing.unlink()
        bench.go(run)
        assert not differing(kept(run), undisturbed)


def _fill(path: Path, leave: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(handle, bytes(4096))
    os.ftruncate(handle, max(0, os.fstat(handle).st_size - leave))
    os.close(handle)


def _trained(bench: Bench, steps: int) -> folder.Run:
    run = bench.new()
    bench.go(run, steps)
    return run


def test_logs_and_samples_on_a_full_disk_do_not_stop_the_training(
    bench: Bench, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full stands for the disk: each says so once, and the weights are what they would have been."""
    run = bench.new()
    run.journal.symlink_to("/dev/full")
    real = Path.mkdir

    def mkdir(self: Path, *rest: Any, **more: Any) -> None:
        if self.name == "samples":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, *rest, **more)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    voice = bench.go(run, resumed=False)
    assert sum("metrics.jsonl" in text for text in voice.said) == 1
    assert sum("samples" in text for text in voice.said) == 1
    run.journal.unlink()
    found = kept(run)
    tensors = [k for k in undisturbed if k.endswith(".safetensors")]
    assert not differing({k: found[k] for k in tensors}, {k: undisturbed[k] for k in tensors})


def test_a_user_without_rights_is_refused_at_once(bench: Bench, run: folder.Run) -> None:
    """In under 3 s, before anything is trained; a missing folder is made where that is allowed."""
    if os.geteuid():
        pytest.skip("needs root, to become nobody")
    closed = Path(tempfile.mkdtemp())
    closed.chmod(0o755)
    theirs = folder.Run(shutil.copytree(run.path, closed / "run"))

    def as_nobody(work: Callable[[], Any]) -> int:
        def become() -> None:
            os.setgid(65534)
            os.setuid(65534)
            work()

        return wait(fork(become))

    since = time.monotonic()
    assert as_nobody(lambda: folder.check_place(closed / "runs")) == 5
    assert as_nobody(lambda: folder.create(closed / "runs", "x", None)) == 5
    assert as_nobody(lambda: bench.go(theirs, 30)) == 5
    assert as_nobody(lambda: folder.check_place(bench.place / "runs")) == 5
    assert time.monotonic() - since < 3
    assert newest(theirs).name == "000020"
    shutil.rmtree(closed)


def test_no_run_under_a_file(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError):
        folder.check_place(tmp_path / "file" / "runs")


def test_no_room_is_said_before_the_first_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    run = bench.new()
    with pytest.raises(ResourceError, match=r"no room for a checkpoint.* MB needed"):
        bench.go(run, resumed=False)
    assert not run.journal.exists()


# Rows 14 and 15


def test_what_is_learned_cannot_be_changed(run: folder.Run) -> None:
    """Every key of the configuration that a resume may not change; the difference is printed."""
    refused = 0
    for key, value in flat(run.config().dump()).items():
        other = _other(value)
        if key.startswith(("stop.", "machine.", "rhythm.")) or key.endswith("name") or other is None:
            continue
        with pytest.raises(UsageError) as error:
            extend(run, [nest(key, other)])
        refused += 1
        assert key.split(".")[-1] in str(error.value)
    for part in ["task.model=dcgan", "task.loss=hinge", "optimiser=sgd", "data.source=mnist"]:
        with pytest.raises(UsageError, match="cannot change"):
            extend(run, [parse_set(part)])
    assert refused > 15


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if isinstance(value, int) else value * 0.7 + 0.15
    return [v + 1 for v in value] if isinstance(value, list) and value and isinstance(value[0], int) else None


def test_a_config_changed_by_hand(bench: Bench, run: folder.Run) -> None:
    run.write_json("config.json", {**run.json("config.json"), "seed": 5})
    plan = bench.plan
    bench.plan = _again(bench, run)
    try:
        with pytest.raises(UsageError, match=r"seed is 5, but .* was trained with 0"):
            bench.go(run)
    finally:
        bench.plan = plan


def _again(bench: Bench, run: folder.Run) -> Any:
    from gancli.plan import again

    return again(run.config(), bench.how)


def test_changed_data(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.data import find

    real = find.read

    def other(*args: Any) -> Any:
        split = real(*args)
        images = split.train.images.copy()
        images[0, 0, 0, 0] ^= 1
        return type(split)(Arrays(images, split.train.labels, None, split.train.classes), split.test)

    monkeypatch.setattr(find, "read", other)
    with pytest.raises(DataError, match="--allow-data-change") as refused:
        bench.go(run, 25)
    assert refused.value.code == 3
    assert "going on with it, as allowed" in " ".join(bench.go(run, 25, allow_data_change=True).said)
    assert history.read(run.path)[-1].keys() == {"step", "data"}
    bench.go(run, 28)


def test_touching_a_file_is_no_change(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for i in range(40):
        noise = np.random.default_rng(i).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(noise).save(tmp_path / "pictures" / f"{i}.png")
    source = {"source": {"name": "folder", "path": str(tmp_path / "pictures")}, "repeat": 1}
    bench = Bench(tmp_path / "bench", 6, {"data": source})
    run = bench.new()
    bench.go(run, 3)
    os.utime(tmp_path / "pictures" / "3.png", (1, 1))
    bench.go(run, 6)
    (tmp_path / "pictures" / "3.png").write_bytes((tmp_path / "pictures" / "4.png").read_bytes())
    with pytest.raises(DataError):
        bench.go(run, 9)


# Row 18


class Payload:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("form", ["pickle", "torch", "torch legacy"])
def test_a_pickle_offered_as_a_model(run: folder.Run, tmp_path: Path, form: str) -> None:
    target, content = tmp_path / "touched", io.BytesIO()
    if form == "pickle":
        content.write(pickle.dumps(Payload(target)))
    else:
        torch.save(Payload(target), content, _use_new_zipfile_serialization=form == "torch")
    (tmp_path / "model").mkdir()
    shutil.copy(run.model / "config.json", tmp_path / "model" / "config.json")
    (tmp_path / "model" / "model.safetensors").write_bytes(content.getvalue())
    (tmp_path / "model.pt").write_bytes(content.getvalue())
    for path in (tmp_path / "model", tmp_path / "model.pt"):
        with pytest.raises(CheckpointError, match="pickle") as refused:
            load(path)
        assert refused.value.code == 4
    assert not target.exists()


def _header(table: Any, data: bytes = b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


HOSTILE = {
    "huge shape": _header({"G.x": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
    "high rank": _header({"G.x": {"dtype": "F32", "shape": [1] * 100_000, "data_offsets": [0, 4]}}, bytes(4)),
    "deep": _header(b"{" + b'"a":[' * 200_000),
    "long header": struct.pack("<Q", 2**63) + b"{}",
    "negative": _header({"G.x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}),
    "floats": _header({"G.x": {"dtype": "F32", "shape": [1.0], "data_offsets": [0.0, 4.0]}}, bytes(4)),
    "many": _header({f"G.{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(30_000)}),
    "overlap": _header({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in ("G.a", "G.b")}, bytes(8)),
    "empty": b"",
    "text": b"no tensors here, but enough of it",
    "list": _header([]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_safetensors(run: folder.Run, tmp_path: Path, name: str) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(HOSTILE[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    since = time.monotonic()
    with pytest.raises(CheckpointError):
        load(tmp_path / "model")
    assert time.monotonic() - since < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


HOSTILE_CONFIGS: dict[str, dict[str, Any]] = {
    "enormous nets": {"task.model.g_widths": [10**9, 10**9]},
    "a million layers": {"task.model.g_widths": [1] * 300_000},
    "negative": {"task.model.z": -1},
    "unknown part": {"task.model.name": "evil"},
    "unknown task": {"task.name": "os.system"},
    "no shape": {"shape": None},
    "shape of text": {"shape.height": "8"},
    "huge shape": {"shape.height": 10**9},
    "huge classes": {"shape.classes": 10**12, "task.condition": "class"},
    "infinite time": {"tick.step": float("inf")},
    "other format": {"format": 99},
    "facts of text": {"facts": "text"},
}


@pytest.mark.parametrize("name", HOSTILE_CONFIGS)
def test_hostile_configs(run: folder.Run, tmp_path: Path, name: str) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    table = json.loads(path.read_text())
    for key, value in HOSTILE_CONFIGS[name].items():
        *above, last = key.split(".")
        inner = table
        for part in above:
            inner = inner[part]
        inner[last] = value
    path.write_text(json.dumps(table))
    before, since = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(CheckpointError):
        load(tmp_path / "model")
    assert time.monotonic() - since < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_pipes_and_devices_are_no_files(run: folder.Run, tmp_path: Path) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CheckpointError):
        load(tmp_path / "model")
    assert stat.S_ISFIFO(path.stat().st_mode)


# Rows 19 and 20


@pytest.mark.parametrize("net", ["G", "D"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stops_before_the_update(
    bench: Bench, run: folder.Run, net: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, states = fitting.step, []

    def poisoned(task: Any, state: Any, store: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 25:
            states.append(state)
            p = next(state.nets[net].module.parameters())
            p.data.view(-1)[0] = value
            state.nets[net].refresh()
        return real(task, state, store, cfg, *more)

    monkeypatch.setattr(fitting, "step", poisoned)
    with pytest.raises(DivergedError, match=r"step 25.*last checkpoint is kept") as error:
        bench.go(run, 30)
    assert error.value.code == 6
    assert newest(run).name == "000020"
    assert checkpoint.newest(run.checkpoints, print).step == 20


def test_nothing_that_is_not_finite_is_saved(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fitting.step

    def poisoned(task: Any, state: Any, store: Any, cfg: Any, *more: Any) -> Any:
        logs = real(task, state, store, cfg, *more)
        if state.step == 30:
            state.averages["G"].flat[0] = float("nan")
        return logs

    monkeypatch.setattr(fitting, "step", poisoned)
    with pytest.raises(DivergedError, match=r"average: G.* is not finite; not saved"):
        bench.go(run, 30)
    assert newest(run).name == "000020"


def test_rollback_goes_on_at_half_the_rate_and_a_resume_repeats_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fitting.step

    def fails_at_the_full_rate(task: Any, state: Any, store: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 17 and state.nets["G"].rule.lr == cfg.optimiser.lr:
            raise DivergedError("the loss of G is nan at step 17; nothing was updated")
        return real(task, state, store, cfg, *more)

    monkeypatch.setattr(fitting, "step", fails_at_the_full_rate)
    whole, parts, stopping = bench.new(), bench.new(), bench.new()
    voice = bench.go(whole, resumed=False, on_divergence="rollback")
    assert any("going back to step 10, at half the learning rate" in text for text in voice.said)
    assert history.read(whole.path)[-1]["step"] == 10
    bench.go(parts, 20, resumed=False, on_divergence="rollback")
    bench.go(parts, 30)
    assert not differing(kept(parts), kept(whole))
    with pytest.raises(DivergedError):
        bench.go(stopping, resumed=False)


def test_a_run_that_always_diverges_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise DivergedError("the loss of D is nan")

    monkeypatch.setattr(fitting, "step", fails)
    with pytest.raises(DivergedError, match="after going back 5 times"):
        bench.go(bench.new(), resumed=False, on_divergence="rollback")


def test_out_of_memory_says_what_would_fit(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.engine import memory

    def greedy(_task: Any, _state: Any, _store: Any, cfg: Any, *_more: Any) -> Any:
        if (cfg.machine.micro_batch or cfg.batch_size) > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")
        return {}

    monkeypatch.setattr(fitting, "step", greedy)
    monkeypatch.setattr(memory, "step", greedy)
    with pytest.raises(ResourceError, match=r"gan resume .* --set machine.micro_batch=4"):
        bench.go(run, 30)


def test_out_of_memory_for_real(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """RLIMIT_AS a little above what the process has: a batch of a million does not fit."""
    greedy = Bench(bench.place / "greedy", 3, {"batch_size": 14_000, "task": {"model": {"g_widths": [4000]}}})
    run = greedy.new()

    def limited() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + (250 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    assert wait(greedy.child(run, before=limited, resumed=False)) == 5
    assert "out of memory with batches of 14000" in capfd.readouterr().err


# Rows 21 and 23


def test_a_bug_is_one_line_and_a_traceback_in_the_log(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise IndexError("nobody thought of this")

    monkeypatch.setattr(fitting, "step", broken)
    run = bench.new()
    with pytest.raises(IndexError) as error:
        bench.go(run, resumed=False)
    assert "Traceback" in run.log.read_text()
    assert str(run.log) in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RuntimeError("operator torchvision::nms does not exist"), 5, "torch and torchvision do not fit together"),
        (MemoryError(), 5, "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "x.png"), 5, "x.png: No space left"),
        (BrokenPipeError(), 0, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_one_line_and_an_exit_code(
    gan: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    import gancli.cli

    def app(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(gancli.cli, "app", app)
    monkeypatch.setattr(gancli.cli, "hush", lambda: None)
    answer = gan("train")
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_closed_pipe_and_no_standard_streams(run: folder.Run) -> None:
    """`gan list | head -0`, and standard output and error that are closed."""
    gan = f"{sys.executable} -m gancli"
    piped = subprocess.run(
        ["bash", "-c", f"{gan} list --json | head -c 1; echo ${{PIPESTATUS[0]}}; {gan} list >&- 2>&-; echo $?"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert piped.stdout.split()[-2:] == ["{0", "0"], piped
    assert not piped.stderr


def test_a_terminal_that_goes_away_does_not_end_a_training() -> None:
    from gancli.cli.outlets import Enduring

    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise BrokenPipeError

    stream = Enduring(Gone())
    assert stream.write("text") == 4
    stream.flush()
    assert not stream.isatty()


def test_silent_voice_keeps_notes() -> None:
    voice = Silent()
    voice.warn("x")
    assert voice.said == ["warning: x"]
    assert issubclass(CheckpointError, GanError)
