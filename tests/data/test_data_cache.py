"""What is kept of decoded pictures: made once, made again when it is damaged, never in the way."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.core.data import Reading
from gancli.core.errors import ResourceError
from gancli.data import cache, pictures
from gancli.data.folder import Folder
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from tests.data.conftest import Make, Write, same


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    real = pictures._decode

    def spy(*args):
        calls.append(1)
        return real(*args)

    monkeypatch.setattr(pictures, "_decode", spy)
    return calls


def test_decoded_once_touching_changes_nothing_and_other_bytes_do(
    classes: dict[str, bytes], picture: Make, write: Write, how: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch)
    root = write("pets", classes)
    source = Folder(path=str(root))
    first = source.read(how)
    assert same(first, source.read(how))
    for path in root.rglob("*.png"):
        os.utime(path, ns=(1, time.time_ns()))
    again = source.read(how)
    assert len(calls) == 1
    assert same(first, again)
    assert first.train.fingerprint == again.train.fingerprint
    (root / "cat/0.png").write_bytes(picture(seed=99))
    other = source.read(how)
    assert len(calls) == 2
    prints = {part.fingerprint for part in (first.train, first.test, other.train, other.test)}
    assert len(prints) == 3


@pytest.mark.parametrize("damage", ["truncate", "flip", "json", "empty", "gone"])
@pytest.mark.parametrize("mapped", [False, True])
def test_a_damaged_cache_is_made_again(
    damage: str, mapped: bool, classes: dict[str, bytes], write: Write, how: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mapped:
        monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
        if damage == "flip":
            pytest.skip("a large array's bytes are not read again")
    source = Folder(path=str(write("pets", classes)))
    first = source.read(how)
    assert isinstance(first.train.images, np.memmap) == mapped
    if mapped:
        assert first.train.images.base is not None  # a view
        assert first.train.images.flags.writeable  # torch.from_numpy does not warn
        assert cache.source_digest(first.train.images) != cache.source_digest(first.test.images)
    expected = first.train.images.copy()
    del first
    (path,) = (how.cache_dir / "arrays").glob("*.npy")
    data = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(data[:-10])
    elif damage == "flip":
        data[-5] ^= 1
        path.write_bytes(data)
    elif damage == "json":
        path.with_suffix(".json").write_text("{")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    assert np.array_equal(source.read(how).train.images, expected)
    assert not list(how.cache_dir.rglob("*.part"))


def test_damaged_records_are_made_again(classes: dict[str, bytes], write: Write, how: Reading) -> None:
    source = Folder(path=str(write("pets", classes)))
    first = source.read(how)
    for text in ("[]", "{}", '{"sizes": 3}'):
        for path in (how.cache_dir / "records").glob("*.json"):
            path.write_text(text)
        assert same(first, source.read(how))


def test_a_cache_that_cannot_be_written(
    classes: dict[str, bytes], write: Write, how: Reading, notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    how = replace(how, cache_dir=tmp_path / "file" / "cache")
    source = Folder(path=str(write("pets", classes)))
    split = source.read(how)
    assert (len(split.train), len(split.validation), len(split.test)) == (17, 1, 2)
    assert "not kept" in notes.text
    monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    with pytest.raises(ResourceError, match="GAN_CACHE_DIR"):
        source.read(how)


def test_a_full_disk_is_found_before_it_is_written_to(
    classes: dict[str, bytes], write: Write, how: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _path: type("U", (), {"free": 100})())
    with pytest.raises(ResourceError, match="GB free"):
        Folder(path=str(write("pets", classes))).read(how)


# Large arrays


def mapped_bytes() -> int:
    """Of this process's memory, what are pages of files."""
    return int(Path("/proc/self/statm").read_text().split()[2]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def large(how: Reading, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """128 MB, made in the cache."""
    monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    before = mapped_bytes()

    def fill(out: np.ndarray) -> None:
        for start, part in cache.blocks(out):
            part[:] = start % 251

    made = cache.array(how, "large", (128, 1, 1024, 1024), fill)
    assert mapped_bytes() - before < 32e6  # neither filling it nor its digest holds it in memory
    return made


def test_a_large_array_is_worked_through_in_little_memory(large: np.ndarray) -> None:
    before = mapped_bytes()
    assert cache.digest(large) == cache.content(large).partition("+")[0]
    assert mapped_bytes() - before < 32e6
    assert large[:, 0, 5, 5].tolist() == [i - i % 4 for i in range(128)]
    assert int(large.sum(dtype=np.int64)) > 0
    assert mapped_bytes() - before > 100e6
    cache.release(large[5:9])
    assert mapped_bytes() - before < 32e6
    assert large[127, 0, -1, -1] == 124


def test_the_fingerprint_of_a_large_array_reads_none_of_it(large: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "digest", lambda _array: pytest.fail("it is read"))
    parts = [ImageDataset(large[a:b]) for a, b in ((0, 128), (0, 64), (64, 128))]
    assert len({part.fingerprint for part in parts}) == 3


def test_release_keeps_what_is_in_memory() -> None:
    some = np.arange(10, dtype=np.uint8)
    cache.release(some[2:])
    assert some.tolist() == list(range(10))


def test_an_array_may_be_larger_than_the_memory(tmp_path: Path) -> None:
    size = 2 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (size,)})
        file.truncate(file.tell() + size)  # a sparse file takes no room
    with (tmp_path / "x.npy").open("rb") as file:
        found = cache._mapped(file, tmp_path / "x.npy")
    assert (found.shape, found[-1], found.flags.writeable) == ((size,), 0, True)


def test_a_pass_over_a_large_set_does_not_fill_the_memory(large: np.ndarray) -> None:
    loader = Loader(ImageDataset(large), 0, torch.device("cpu"), torch.float32)
    before = mapped_bytes()
    seen = [float(loader.batch(p, 8)["real"].sum()) for p in range(0, 128, 8)]
    assert mapped_bytes() - before < 32e6
    assert len(set(seen)) > 8
