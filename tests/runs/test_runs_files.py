"""The run folder's parts: journal, history, lock, checkpoints, tensors."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import threading
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gancli.core import files
from gancli.core.config import merge, parse_set, resolve
from gancli.core.errors import CheckpointError, GanError, InUseError, ResourceError, UsageError
from gancli.core.files import read_capped, write_atomic
from gancli.runs import checkpoint, folder, history, journal, lock, tensors
from gancli.runs.files import disk
from gancli.runs.signals import InterruptedWork, Signals

SOME = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(1, dtype=torch.int64)}


def encoded(some: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    return b"".join(tensors.encode(some, metadata))


def test_a_torn_line_is_dropped_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = journal.Journal(path, pytest.fail)
    for step in (1, 2, 3):
        log.write({"step": step, "loss": float("nan") if step == 2 else 0.5})
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        journal.rewind(path, 2)
        lines = journal.read(path)
        assert [line["step"] for line in lines] == [1, 2][: len(lines)]
        assert path.read_bytes() == whole[: len(path.read_bytes())]
        assert path.read_bytes()[-1:] in (b"", b"\n")


def test_an_open_windows_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 50}\n{"step": 60}\n')
    journal.rewind(path, 60)
    assert len(journal.read(path)) == 2
    journal.rewind(path, 60, still_open=True)
    assert journal.read(path) == [{"step": 50}]


def test_the_journal_warns_once(tmp_path: Path) -> None:
    said: list[str] = []
    log = journal.Journal(Path("/dev/full"), said.append)
    log.write({"step": 1})
    log.write({"step": 2})
    assert len(said) == 1


def test_history_that_is_damaged_is_named(tmp_path: Path) -> None:
    history.append(tmp_path, {"changes": {"stop": {"max_steps": 3}}})
    history.append(tmp_path, {"step": 4, "diverged": "x"})
    assert len(history.read(tmp_path)) == 2
    (tmp_path / history.NAME).write_bytes(b'{"changes": 3}\n')
    with pytest.raises(CheckpointError, match="line 1 is damaged"):
        history.read(tmp_path)


def test_encode_is_decode(tmp_path: Path) -> None:
    content = encoded(SOME)
    assert content == encoded(dict(reversed(SOME.items())))
    found = tensors.decode(content, "x")
    assert all(torch.equal(found[k], v) for k, v in SOME.items())


@pytest.mark.parametrize("metadata", [None, {"é": '"\n\u2028\x7f'}])
def test_encoded_are_the_bytes_of_the_library(metadata: dict[str, str] | None) -> None:
    shapes: list[tuple[int, ...]] = [(), (0, 3), (2, 3), (5,)]
    some = {f"{dtype}{shape}": torch.ones(shape, dtype=dtype) for shape in shapes for dtype in tensors.NAMES}
    some |= {'ü"\\/\t': torch.arange(12.0).view(3, 4).t(), "slice": torch.arange(9)[2:5]}
    library = safetensors.torch.save({k: v.contiguous() for k, v in some.items()}, metadata)
    assert encoded(some, metadata) == library


def test_a_header_whose_size_looks_like_a_pickles_first_bytes() -> None:
    """640 bytes are 80 02, 19,280 bytes are "PK": a whole file must not be taken for a pickle."""
    for size in (640, 19_280):
        for pad in range(size):
            content = encoded(SOME, {"pad": "x" * pad})
            if int.from_bytes(content[:8], "little") == size:
                assert tensors.decode(content, "x").keys() == SOME.keys()
                break
        else:
            pytest.fail(f"no header of {size}")


def test_keep_counts_whole_ones_only_and_spares_the_best(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5):
        checkpoint.commit(tmp_path, step, {"x": lambda: [b"content"]}, {})
    (tmp_path / "000005" / "x").write_bytes(b"c0ntent")
    checkpoint.prune(tmp_path, 2, [1])
    assert [p.name for p in checkpoint.listed(tmp_path)] == ["000005", "000004", "000003", "000001"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    checkpoint.commit(tmp_path, 7, {"x": lambda: [b"content"]}, {})
    for name in ("notes.txt", "²", "12a", "-3"):
        (tmp_path / name).mkdir()
    checkpoint.prune(tmp_path, 1)
    assert [p.name for p in checkpoint.listed(tmp_path)] == ["000007"]
    assert len(list(tmp_path.iterdir())) == 5


def test_order_is_by_step_whatever_the_clock_says(tmp_path: Path) -> None:
    for step in (9, 100_000, 1_000_000):
        os.utime(checkpoint.commit(tmp_path, step, {}, {}), (2e9 - step, 2e9 - step))
    assert checkpoint.newest(tmp_path, print).step == 1_000_000


def test_replace_leaves_nothing_behind(tmp_path: Path) -> None:
    @disk("it", tmp_path)
    def write() -> None:
        write_atomic(tmp_path / "x", b"content")

    (tmp_path / "x").mkdir()
    with pytest.raises(ResourceError, match="cannot write it"):
        write()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_caps(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(100))
    assert len(read_capped(tmp_path / "x", 100)) == 100
    with pytest.raises(CheckpointError, match="larger than"):
        read_capped(tmp_path / "x", 99)
    with pytest.raises(CheckpointError):
        read_capped(Path("/dev/zero"), 99)


def test_names_count_on(tmp_path: Path) -> None:
    assert folder.create(tmp_path, "a", None).name == "a-0001"
    assert folder.create(tmp_path, "b", None).name == "b-0002"
    with pytest.raises(UsageError):
        folder.create(tmp_path, "a", "../up")


def test_a_signal_breaks_off_what_can_be_done_again() -> None:
    def long(signals: Signals) -> None:
        with signals.breaking():
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError

    with Signals() as signals:
        for _ in range(2):
            with pytest.raises(InterruptedWork):
                long(signals)
        assert signals.caught == signal.SIGTERM


def test_training_in_a_thread_catches_no_signals() -> None:
    def work() -> None:
        with Signals() as signals:
            assert not signals.caught

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


fuzz = settings(max_examples=150, deadline=2000, suppress_health_check=list(HealthCheck))


@fuzz
@given(st.data())
def test_fuzzed_safetensors_are_whole_or_refused(data: st.DataObject) -> None:
    content = bytearray(encoded(SOME))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(CheckpointError):
        tensors.decode(bytes(content), "x")


@fuzz
@given(st.binary(max_size=300))
def test_fuzzed_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        tensors.decode(content, "x")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@fuzz
@given(st.dictionaries(st.sampled_from(["format", "step", "files", "sha256", "config"]) | st.text(max_size=5), values))
def test_fuzzed_manifests_are_refused(tmp_path_factory: pytest.TempPathFactory, manifest: object) -> None:
    point = tmp_path_factory.mktemp("fuzz") / "000001"
    point.mkdir()
    (point / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError):
        checkpoint.verify(point)


keys = st.sampled_from(
    ["data", "source", "task", "model", "name", "optimizer", "stop", "epochs", "seed", "machine", "lr"]
)


@fuzz
@given(st.recursive(values, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=10))
def test_fuzzed_configs_are_refused_or_whole(value: object) -> None:
    layer = value if isinstance(value, dict) else {"task": value}
    with contextlib.suppress(GanError):
        resolve(merge([{"data": {"source": "digits"}}, layer]))


@fuzz
@given(st.text(max_size=40))
def test_fuzzed_settings_are_refused_or_whole(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse_set(text)


def test_what_a_killed_writer_left_is_swept_away_later(tmp_path: Path) -> None:
    mine, other = tmp_path / f".gan-{'0' * 16}.part", tmp_path / ".gan-notes.part"
    for path in (mine, other):
        path.write_bytes(b"half")
    files.Folder(tmp_path).sweep()
    assert mine.exists()  # its writer may still be at work
    for path in (mine, other):
        os.utime(path, (0, 0))
    files.Folder(tmp_path).sweep()
    assert [p.name for p in tmp_path.iterdir()] == [other.name]


def test_the_lock_is_tried_again_as_someone_may_only_have_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = os.open(tmp_path / lock.NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("gancli.runs.lock.time.sleep", lambda _seconds: os.close(looking))
    with lock.locked(tmp_path):
        assert lock.holder(tmp_path) == str(os.getpid())
        monkeypatch.undo()
        with pytest.raises(InUseError, match=str(os.getpid())), lock.locked(tmp_path):
            pass


@pytest.mark.parametrize("ours", ["config.json", "model.safetensors"])
def test_a_run_goes_before_a_folder_of_its_name(ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here, there = Path("a"), tmp_path / "runs" / "a"
    here.mkdir()
    there.mkdir(parents=True)
    assert folder.find(tmp_path / "runs", "a").path == here
    (there / ours).touch()
    assert folder.find(tmp_path / "runs", "a").path == there
    (here / ours).touch()
    assert folder.find(tmp_path / "runs", "a").path == here


@pytest.mark.parametrize(
    ("number", "then", "remedy"),
    [
        (errno.ENOSPC, "gan resume", "free some disk, then: gan resume"),
        (errno.ENOSPC, "", "free some disk"),
        (errno.EFBIG, "", "ulimit -f unlimited"),
        (errno.EACCES, "", "check its owner and its rights"),
    ],
)
def test_what_to_do_about_a_disk(number: int, then: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError) as refused, disk("it", tmp_path, then=then):
        raise OSError(number, "no")
    assert refused.value.remedy == remedy


def test_a_folder_that_is_missing_is_to_be_made(tmp_path: Path) -> None:
    missing = tmp_path / "no such"
    with pytest.raises(ResourceError) as refused, disk("it", missing / "x.png"):
        write_atomic(missing / "x.png", b"")
    assert refused.value.remedy == f"mkdir -p '{missing}'"
