"""What is in the cache: listed, verified, removed; what another user made is not used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.core.data import Reading
from gancli.data import cache
from gancli.data.entries import bound, clear, entries
from gancli.evaluation.weights import keep, kept
from tests.conftest import Gan


@pytest.fixture
def how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    """A cache with an array, a record and features, used in this order."""
    monkeypatch.setenv("GAN_CACHE_DIR", str(tmp_path / "cache"))
    how = Reading(tmp_path / "data", tmp_path / "cache", download=False)
    _array(how)
    cache.remember(how, "b" * 40, {"a": 1})
    keep(how.cache_dir / "features" / "0123456789-0123.safetensors", {"features": torch.ones(3, 4)})
    for name in ("npy", "json"):
        os.utime(how.cache_dir / "arrays" / f"{'a' * 40}.{name}", (1e9, 1e9))
    return how


def _array(how: Reading, value: int = 7) -> np.ndarray:
    def fill(out: np.ndarray) -> None:
        out[:] = value

    return cache.array(how, "a" * 40, (4, 1, 8, 8), fill)


def _file(how: Reading, suffix: str) -> Path:
    return next(how.cache_dir.rglob(f"*{suffix}"))


def test_all_entries_are_listed_and_well(how: Reading) -> None:
    there = entries(how.cache_dir)
    assert {entry.kind for entry in there} == {"arrays", "records", "features"}
    assert [entry.problem() for entry in there] == ["", "", ""]
    assert sum(entry.size for entry in there) == sum(p.stat().st_size for p in how.cache_dir.rglob("*") if p.is_file())


@pytest.mark.parametrize("suffix", [".npy", f"{'b' * 40}.json", ".safetensors"])
def test_a_damaged_entry_is_found(how: Reading, suffix: str) -> None:
    path = _file(how, suffix)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [bool(entry.problem()) for entry in entries(how.cache_dir)].count(True) == 1


@pytest.mark.parametrize("planted", ["owner", "mode", "link"])
def test_what_another_user_made_is_made_again(how: Reading, planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of a planted array fits; it is not used all the same."""
    path, weights = _file(how, ".npy"), _file(how, ".safetensors")
    assert _array(how, 9).max() == 7
    assert kept(weights) is not None
    if planted == "owner":
        monkeypatch.setattr("gancli.core.descriptors.os.geteuid", lambda: 12345)
    for file in (path, weights):
        if planted == "mode":
            file.chmod(0o666)
        elif planted == "link":
            other = file.rename(how.cache_dir / file.name)
            file.symlink_to(other)
    assert _array(how, 9).max() == 9
    assert kept(weights) is None
    if planted != "link":
        assert any("another user" in entry.problem() for entry in entries(how.cache_dir))


def test_the_least_recently_used_goes_first(how: Reading) -> None:
    there = entries(how.cache_dir)
    assert [e.kind for e in bound(how.cache_dir, sum(e.size for e in there) - 1)] == ["arrays"]
    assert len(entries(how.cache_dir)) == 2


def test_clearing_spares_what_is_no_entry(how: Reading) -> None:
    others = [how.cache_dir / "notes.txt", how.cache_dir / "arrays" / "mine.npy", how.cache_dir / "data" / "set.npz"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (how.cache_dir / "arrays" / f"{'c' * 40}.npy").symlink_to(others[0])
    (how.cache_dir / "arrays" / f".gan-{'0' * 16}.part").touch()
    assert len(clear(how.cache_dir)) == 3
    assert all(path.exists() for path in others)
    assert {p.name for p in (how.cache_dir / "arrays").iterdir()} == {"mine.npy", f"{'c' * 40}.npy"}


def test_the_verb(how: Reading, gan: Gan) -> None:
    assert "3 entries" in gan("cache").err
    assert len(gan("cache", "list", "--json").json()["entries"]) == 3
    assert gan("cache", "verify").code == 0
    _file(how, ".safetensors").write_bytes(b"damaged")
    said = gan("cache", "verify")
    assert (said.code, "features/0123456789-0123: it is damaged" in said.err) == (4, True)
    assert "3 entries removed" in gan("cache", "clear").err
    assert gan("cache", "clear", "--max-size", "much").code == 2
    assert gan("cache", "verify", "--max-size", "5GB").code == 2
    assert "0 entries removed" in gan("cache", "clear", "--max-size", "5GB").err
