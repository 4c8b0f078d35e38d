"""Samples chunk by chunk: regrouped, kept in files beyond a size, read again without staying in memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from gancli.core.errors import ResourceError
from gancli.core.images import ImageSamples, PairSamples
from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.data.cache import release as release_array
from gancli.inference import spool
from gancli.inference.spool import batches, empty, joined, pieces, release, spooled

RNG = np.random.default_rng(0)


def some(n: int = 70) -> list[Samples]:
    """One set of each kind."""
    images = RNG.integers(0, 256, (n, 3, 5, 4), np.uint8)
    labels, attributes = RNG.integers(0, 9, n), RNG.normal(size=(n, 2)).astype(np.float32)
    lines = tuple("x" * int(i) + "\u00e9" for i in RNG.integers(0, 30, n))
    return [
        ImageSamples(images, labels, attributes),
        ImageSamples(images),
        PairSamples(255 - images, inputs=images, masks=images[:, :1]),
        TextSamples(lines, labels),
    ]


def same(a: Samples, b: Samples) -> bool:
    x, y = a.pack(), b.pack()
    return type(a) is type(b) and x.keys() == y.keys() and all(np.array_equal(x[k], y[k]) for k in x)


@pytest.mark.parametrize("size", [1, 7, 32, 64, 70, 100])
def test_chunks_of_any_size_are_regrouped(size: int) -> None:
    for whole in some():
        found = list(batches(pieces(whole, size), 32))
        assert [len(batch) for batch in found] == [32, 32, 6]
        assert same(joined(found), whole)


def test_pieces_follow_an_index() -> None:
    index = RNG.permutation(70)[:20]
    for whole in some():
        assert same(joined(list(pieces(whole, 7, index))), whole.take(index))


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_what_was_streamed_is_kept(limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, or in files without a name."""
    monkeypatch.setattr(spool, "LIMIT", limit)
    for whole in some():
        kept = spooled(pieces(whole, 16), len(whole), tmp_path)
        assert same(kept, whole)
        assert same(kept.take(np.array([69, 0])), whole.take(np.array([69, 0])))
        if isinstance(kept, ImageSamples):
            assert isinstance(kept.images, np.memmap) == (limit == 0)
    assert not list(tmp_path.iterdir())


def resident() -> int:
    """Bytes of files that this process has in memory."""
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("RssFile")).split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 MB that are written, read through and read at random, a few are in memory at a time."""
    monkeypatch.setattr(spool, "LIMIT", 0)
    chunk = ImageSamples(np.full((20, 3, 100, 100), 7, np.uint8))
    before = resident()
    kept = spooled((chunk for _ in range(100)), 2000, tmp_path)
    assert resident() - before < 20 << 20
    most = 0
    for piece in pieces(kept, 50):
        assert (piece.images == 7).all()
        most = max(most, resident() - before)
    assert most < 20 << 20
    assert (kept.images == 7).all()
    assert resident() - before > 50 << 20
    release(kept)
    assert resident() - before < 20 << 20


def test_a_full_disk_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"9.8 GB of samples cannot be kept in .*: No space left") as caught:
        empty((50_000, 3, 256, 256), np.uint8, tmp_path)
    assert "GAN_CACHE_DIR" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_an_array_in_memory_is_left_alone() -> None:
    array = np.arange(5)
    release_array(array)
    assert array.tolist() == [0, 1, 2, 3, 4]
