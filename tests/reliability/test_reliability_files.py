"""Rows 6 to 10, 14 and 15 of the fault table: disks that refuse, files and data that are not what was written."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import Bench, differing, flip, fork, kept, small_disk, wait

from gancli.core.config import flat, nest, parse_set
from gancli.core.errors import CheckpointError, DataError, ResourceError, UsageError
from gancli.core.files import Folder
from gancli.data.images import ImageDataset
from gancli.runs import checkpoint, folder, history
from gancli.training.checkpointing import BY_A_RESUME
from gancli.training.start import extend


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
    path = point / "optimizer.safetensors"
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
    heard = bench.go(run)
    assert any(text.startswith("skipped checkpoint 000020:") for text in heard.said), heard.said
    assert "resumed from step 10 (160 images)" in heard.said
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
    """A tmpfs that is filled up before the second save; with room again the run goes on, bitwise identical."""
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
    """Each says so once, and the weights are what they would have been."""
    run = bench.new()
    for method, refused in (("append", "metrics.jsonl"), ("make", "samples")):
        real = getattr(Folder, method)

        def full(self: Folder, *rest: Any, real: Any = real, refused: str = refused, **more: Any) -> None:
            if refused in (self.path.name, *rest):
                raise OSError(errno.ENOSPC, "No space left on device")
            real(self, *rest, **more)

        monkeypatch.setattr(Folder, method, full)
    heard = bench.go(run, resumed=False)
    assert sum("metrics.jsonl" in text for text in heard.said) == 1
    assert sum("samples" in text for text in heard.said) == 1
    assert not run.journal.exists()
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
        if key.startswith(BY_A_RESUME) or key.endswith("name") or other is None:
            continue
        with pytest.raises(UsageError) as error:
            extend(run, [nest(key, other)])
        refused += 1
        assert key.split(".")[-1] in str(error.value)
    for part in ["task.model=dcgan", "task.loss=hinge", "optimizer=sgd", "data.source=mnist"]:
        with pytest.raises(UsageError, match="cannot change"):
            extend(run, [parse_set(part)])
    assert refused > 10


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if isinstance(value, int) else value * 0.7 + 0.15
    return [v + 1 for v in value] if isinstance(value, list) and value and isinstance(value[0], int) else None


def test_a_config_changed_by_hand(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found before anything is made of it: its nets could be enormous."""
    run.write_json("config.json", {**run.json("config.json"), "seed": 5})
    plan = bench.plan
    monkeypatch.setattr("gancli.training.prepare.Plan.state", lambda _plan: pytest.fail("nets were made"))
    bench.plan = _again(bench, run)
    try:
        with pytest.raises(UsageError, match=r"seed is 5, but .* was trained with 0"):
            bench.go(run)
    finally:
        bench.plan = plan


def _again(bench: Bench, run: folder.Run) -> Any:
    from gancli.training.prepare import again

    return again(run.config(), bench.how)


def test_changed_data(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.data import find

    real = find.read

    def other(*args: Any) -> Any:
        split = real(*args)
        images = split.train.images.copy()
        images[0, 0, 0, 0] ^= 1
        return type(split)(ImageDataset(images, split.train.labels, None, split.train.classes), split.test)

    monkeypatch.setattr(find, "read", other)
    with pytest.raises(DataError, match="--allow-data-change") as refused:
        bench.go(run, 25)
    assert refused.value.code == 3
    assert not history.read(run.path)
    assert "going on with it, as allowed" in " ".join(bench.go(run, 25, allow_data_change=True).said)
    assert [line.keys() for line in history.read(run.path)] == [{"step", "data"}, {"changes"}]
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
