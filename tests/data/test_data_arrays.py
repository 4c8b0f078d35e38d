"""Arrays of other programs, and arrays that are not clear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gancli.core.errors import DataError


def arrays(n: int = 24, first: int = 0) -> np.ndarray:
    return np.random.default_rng(first).integers(0, 256, (n, 8, 8, 3), np.uint8)


LABELED = np.arange(24) % 2


@pytest.mark.parametrize(
    ("files", "sizes"),
    [
        ({"x_train": arrays(), "y_train": LABELED, "x_test": arrays(9, 1), "y_test": LABELED[:9]}, (23, 1, 9)),
        (
            {
                **{f"{part}_images": arrays(n, n) for part, n in (("train", 24), ("val", 7), ("test", 9))},
                **{f"{part}_labels": LABELED[:n, None] for part, n in (("train", 24), ("val", 7), ("test", 9))},
            },
            (24, 7, 9),
        ),
        ({"data": arrays(), "targets": LABELED.astype(float)}, (21, 1, 2)),
        ({"arr_0": arrays(), "arr_1": np.eye(2)[LABELED]}, (21, 1, 2)),
        ({"X": np.asfortranarray(arrays()), "y": LABELED > 0}, (21, 1, 2)),
        ({"photos": arrays().astype(np.int64), "labels": np.array([b"a", b"b"] * 12)}, (21, 1, 2)),
    ],
    ids=["keras", "medmnist", "torchvision", "one-hot", "fortran", "int64"],
)
def test_arrays_of_other_programs(files: dict[str, np.ndarray], sizes: tuple[int, ...], read, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **files)
    found = read(tmp_path / "a.npz")
    assert tuple(len(part) for part in (found.train, found.validation, found.test)) == sizes
    assert found.train.images.shape[1:] == (3, 8, 8)
    assert (len(found.train.classes), found.warnings) == (2, [])
    (tmp_path / "npy").mkdir()
    for name, array in files.items():
        np.save(tmp_path / "npy" / f"{name}.npy", array)
    if "photos" not in files:
        assert read(tmp_path / "npy").train.fingerprint == found.train.fingerprint


def test_a_file_and_a_folder_of_npy(read, tmp_path: Path) -> None:
    images = arrays()
    np.save(tmp_path / "all.npy", images)
    want = read(tmp_path / "all.npy").train
    for i, image in enumerate(images):
        for place in ("flat", f"pets/{('cat', 'dog')[i % 2]}"):
            (tmp_path / place).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / place / f"{i:02d}.npy", image)
    assert read(tmp_path / "flat").train.fingerprint == want.fingerprint
    assert read(tmp_path / "pets").train.classes == ("cat", "dog")
    (tmp_path / "flat/labels.csv").write_text("\n".join(["id,label", *(f"{i:02d},{i % 2}" for i in range(24))]))
    assert read(tmp_path / "flat").train.classes == ("0", "1")
    np.save(tmp_path / "flat/00.npy", images[0, :4])
    with pytest.raises(DataError, match="different shapes or types"):
        read(tmp_path / "flat")


@pytest.mark.parametrize("shape", [(60, 64), (300, 12), (24, 8, 8, 4)])
def test_flat_vectors_and_transparent_images(shape: tuple[int, ...], read, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(len(images)) % 3)
    if shape[1] == 12:
        with pytest.raises(DataError, match=r"\[300, 12\]: one image, or rows"):
            read(tmp_path / "a.npz")
        return
    found = read(tmp_path / "a.npz").train.images
    assert found.shape[1:] == ((1, 8, 8) if len(shape) == 2 else (3, 8, 8))
    if len(shape) == 4:
        assert read(tmp_path / "a.npz", channels=4).train.images.shape[1:] == (4, 8, 8)


def test_arrays_that_are_passed_over_are_named(read, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=arrays(), digits=LABELED, notes=np.arange(3), seeds=np.arange(24))
    found = read(tmp_path / "a.npz")
    assert found.warnings == [
        "passed over: digits int64 [24], notes int64 [3]  ->  --set data.labels=digits makes it the labels"
    ]
    assert read(tmp_path / "a.npz", labels="digits").train.classes == ("0", "1")
    with pytest.raises(DataError, match=r"no array 'x'  ->  there are images uint8 \[24, 8, 8, 3\], digits"):
        read(tmp_path / "a.npz", labels="x")
