"""Which values of a file are black and white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gancli.core.errors import DataError
from tests.conftest import TINY, Gan
from tests.data.conftest import save


def deep(most: int, n: int = 12) -> list[np.ndarray]:
    return [(np.random.default_rng(i).random((8, 8)) * (most + 1)).astype(np.uint16) for i in range(n)]


@pytest.mark.parametrize(("most", "own"), [(4095, "0,4095"), (1000, "0,1023"), (8191, "0,8191")])
def test_few_bits_in_sixteen_are_warned_of_and_a_range_helps(most: int, own: str, read, tmp_path: Path) -> None:
    root = save(tmp_path / "deep", deep(most))
    dark = read(root)
    assert dark.train.images.max() <= 32
    assert "nearly black" in dark.warnings[0]
    low, high = (float(v) for v in own.split(","))
    assert len(dark.warnings) == 1
    assert f"--set data.range=0,{high:.0f}, or" in dark.warnings[0]
    bright = read(root, range=(low, high))
    assert not bright.warnings
    assert bright.train.images.max() > 240
    assert read(root, range="auto").train.images.max() == 255


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(-1000, 3000, "those below 0 become black"), (0, 100_000, "those above 65535 become white"), (0, 200, "")],
)
def test_signed_and_wide_numbers(low: int, high: int, says: str, read, tmp_path: Path) -> None:
    root = save(
        tmp_path / "ct", [np.linspace(low, high - i, 64).reshape(8, 8).astype(np.int32) for i in range(12)], "tif"
    )
    found = read(root)
    assert says in "\n".join(found.warnings)
    assert bool(found.warnings) == bool(says)
    full = read(root, range=(float(low), float(high)))
    assert (int(full.train.images.min()), int(full.train.images.max())) == (0, 255)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0, 1, "floats 0 to 1"), (-1, 1, "floats -1 to 1"), (0, 255, "floats 0 to 255"), (-2, 3, None)],
)
def test_float_pictures(low: float, high: float, says: str | None, read, tmp_path: Path) -> None:
    arrays = [np.linspace(low, high, 64, dtype=np.float32).reshape(8, 8) * (1 - i / 100) for i in range(12)]
    root = save(tmp_path / "floats", [a.astype(np.float32) for a in arrays], "tif")
    if says is None:
        with pytest.raises(
            DataError, match=r"values from -2 to 3, which is no usual range  ->  --set data\.range=-2,3"
        ):
            read(root)
        assert read(root, range=(-2.0, 3.0)).train.images.min() == 0
    else:
        found = read(root)
        assert says in found.said
        assert (int(found.train.images.min()) < 4, int(found.train.images.max()) > 240) == (True, True)


@pytest.mark.parametrize("outside", [(-1e-6, 1.0), (0.0, 1.000001), (-0.01, 1.02)])
def test_a_hair_outside_of_a_range_is_rounding(outside: tuple[float, float], read, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((24, 8, 8, 3)).astype(np.float32)
    images[0, 0, 0, :2] = outside
    np.savez(tmp_path / "a.npz", images=images)
    assert "floats 0 to 1" in read(tmp_path / "a.npz").said
    assert read(tmp_path / "a.npz").train.images.min() == 0
    np.savez(tmp_path / "a.npz", images=images * 2 - 1)
    assert "floats -1 to 1" in read(tmp_path / "a.npz").said


def test_a_few_negative_values_are_said(read, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((24, 8, 8)).astype(np.float32)
    images[0, 0, 0] = -0.5
    np.savez(tmp_path / "a.npz", images=images)
    assert "those below 0 become black  ->  --set data.range=-0.5," in read(tmp_path / "a.npz").warnings[0]


def test_black_and_equal_pictures_are_said(read, tmp_path: Path) -> None:
    masks = save(tmp_path / "masks", [np.random.default_rng(i).integers(0, 5, (8, 8), np.uint8) for i in range(9)])
    assert "nearly black: the brightest value is 4 of 255  ->  --set data.range=0,4" in read(masks).said
    assert read(masks, range=(0.0, 4.0)).train.images.max() == 255
    one = save(tmp_path / "one", [np.full((8, 8), 99, np.uint8)] * 9)
    assert "images are alike" in read(one).said


def test_the_range_is_an_option_of_every_verb_that_reads(gan: Gan, tmp_path: Path) -> None:
    root = save(tmp_path / "deep", deep(4095))
    said = gan("train", "--data", root, "--max-steps", "1", *TINY)
    assert said.code == 0, said.err
    assert "warning: values from" in "\n".join(said.err.splitlines()[:3])
    said = gan("train", "--data", root, "--max-steps", "1", "--set", "data.range=0,4095", "--name", "r", *TINY)
    assert (said.code, "nearly black" in said.err) == (0, False), said.err
    assert gan("resume", "r", "--max-steps", "2").code == 0
    for wrong in ("4095,0", "dark", "0,x"):
        assert gan("train", "--data", root, "--max-steps", "1", "--set", f"data.range={wrong}", *TINY).code == 2
    said = gan("train", "--data", "digits", "--max-steps", "1", "--set", "data.range=0,9", *TINY)
    assert (said.code, "data.range does not apply to digits" in said.err) == (2, True)
