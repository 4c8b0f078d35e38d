"""Data of strangers: some of the attacks of tests/soak/data_attacks.py. Nothing may act, hang, flood or change what is not the run's."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_attacks import DataArena
from data_malice import baits

pytestmark = pytest.mark.timeout(900)

EVERY = {bait.name: bait for bait in baits()}
SOME = (
    # arrays
    "shape true", "shape 2^28 images of 1x1", "shape an image of 60,000 x 60,000", "two of 8192 x 8192 as holes",
    "labels 60 million columns", "header unhashable", "type objects", "features: shape 2^70", "features: header unfinished",
    "features: 8 GB of holes",
    # tables
    "a million columns in a folder", "240 MB of rows in a zip", "240 MB of pairs in a zip", "100 million numbers in a zip",
    "a row of 40 million columns in a zip", "digits in labels.csv", "nested containers in a folder",
    "deeper in labels.json", "half a pair in labels.jsonl", "a class called escapes in labels.csv",
    # archives, folders, pictures
    "60,000 links in a zip", "300 MB of zeros as a.png in a zip", "a member called above", "20,000 overlapping members",
    "pipe as a.png", "pipe as labels.csv", "link to zeros as labels.json", "hole as a.png", "link as a.png",
    "folders that link to each other", "link to the kernel as the data set x.npy",
    "x.csv given itself", "hole as the data set x.txt", "16 PNG of 4,000 a side", "a PGM with a long header",
)  # fmt: skip


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> DataArena:
    return DataArena(tmp_path_factory.mktemp("data-arena"))


def test_there_are_many_attacks() -> None:
    assert len(EVERY) > 500


@pytest.mark.parametrize("name", SOME)
def test_an_attack(arena: DataArena, name: str) -> None:
    bait = EVERY[name]
    verbs = ("features",) if bait.features else ("data", "train")[SOME.index(name) % 2 :][:1]
    assert not list(arena.trial(bait, verbs))


def test_what_is_measured_is_found(arena: DataArena, tmp_path: Path) -> None:
    """The trial sees memory, time and changes: of a good data set against limits that are none."""
    bait = EVERY["a million columns in a folder"]
    most = dict(arena.most)
    arena.most = dict.fromkeys(most, -1000.0)
    try:
        assert any("MB are usual" in wrong for wrong in arena.trial(bait, ("data",)))
    finally:
        arena.most = most
