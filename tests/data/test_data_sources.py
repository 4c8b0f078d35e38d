"""The named data sets, in files made for the test; the real ones where they are."""

from __future__ import annotations

import gzip
import hashlib
import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gancli.core import registry
from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.data import cifar10, find, svhn
from gancli.data.idx import Idx, read_idx
from tests.data.conftest import idx, put, source

IDX = [name for name, part in registry.parts("data").items() if issubclass(part, Idx)]
FETCHED = [*IDX, "cifar10", "svhn", "stacked-mnist"]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", IDX)
def test_idx_sources(name: str, zipped: bool, how: Reading) -> None:
    images = put(name, how, zipped)
    split = source(name).read(how)
    expected = images.swapaxes(1, 2) if name == "emnist-digits" else images
    assert np.array_equal(split.train.images[:, 0], expected)
    assert split.train.images.flags.writeable
    assert split.train.images.flags.c_contiguous
    assert split.test.images.shape == (10, 1, 28, 28)
    assert split.train.labels is not None
    assert split.train.labels.dtype == np.int64
    assert split.train.labels.tolist() == [i % 10 for i in range(20)]
    assert len(split.train.classes) == 10


@pytest.mark.parametrize("zipped", [False, True])
def test_every_cut_of_an_idx_file(zipped: bool, tmp_path: Path) -> None:
    data = idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    data = gzip.compress(data) if zipped else data
    path = tmp_path / ("x.gz" if zipped else "x")
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(DataError, match="fetch it again"):
            read_idx(path, 3)
    path.write_bytes(data)
    assert read_idx(path, 3).shape == (3, 4, 5)


@pytest.mark.parametrize(
    "head",
    [
        struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 2**31),
        struct.pack(">4BI", 0, 0, 8, 1, 5),
        b"\x00\x00\x0d\x03" + bytes(12),
    ],
)
def test_idx_headers_that_lie(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(head + bytes(100))
    with pytest.raises(DataError):
        read_idx(tmp_path / "x", 3)


@pytest.mark.parametrize("damage", ["labels", "class"])
def test_labels_that_do_not_fit(damage: str, how: Reading) -> None:
    put("mnist", how)
    labels = np.zeros(19, np.uint8) if damage == "labels" else np.full(20, 10, np.uint8)
    (how.data_dir / "MNIST/raw/train-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(DataError, match="label"):
        source("mnist").read(how)


@pytest.mark.parametrize("name", FETCHED)
def test_missing_data_names_the_files_and_the_folder(name: str, how: Reading) -> None:
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        source(name).read(how)
    assert str(how.data_dir) in str(caught.value)
    assert caught.value.remedy
    assert "fetching is not allowed" in caught.value.cause
    assert time.monotonic() - start < 1
    assert not how.data_dir.exists()


def test_cifar10(how: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "RECORDS", 100)
    folder = how.data_dir / cifar10.FOLDER
    folder.mkdir(parents=True)
    records = np.zeros((100, 3073), np.uint8)
    records[:, 0] = np.arange(100) % 10
    records[:, 1:1025] = 200  # red
    for file in (*cifar10.TRAIN, cifar10.TEST):
        (folder / file).write_bytes(records.tobytes())
    split = source("cifar10").read(how)
    assert split.train.images.shape == (500, 3, 32, 32)
    assert split.train.images[7, :, 3, 4].tolist() == [200, 0, 0]
    assert split.test.classes[int(split.test.labels[3])] == "cat"
    (folder / cifar10.TEST).write_bytes(b"short")
    with pytest.raises(DataError, match="cut short"):
        source("cifar10").read(how)


def test_cifar10_pickles_are_not_read(how: Reading) -> None:
    (how.data_dir / "cifar-10-batches-py").mkdir(parents=True)
    with pytest.raises(DataError, match=r"pickles.*cifar-10-binary\.tar\.gz"):
        source("cifar10").read(how)


def test_svhn(how: Reading) -> None:
    from scipy.io import savemat

    how.data_dir.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 6), dtype=np.uint8)
    for file in svhn.FILES.values():
        savemat(how.data_dir / file, {"X": images, "y": np.array([[10], [1], [2], [9], [10], [5]], np.uint8)})
    split = source("svhn").read(how)
    assert split.train.labels.tolist() == [0, 1, 2, 9, 0, 5]
    assert np.array_equal(split.train.images[4], images[..., 4].transpose(2, 0, 1))
    for data in (b"", b"nonsense" * 40, (how.data_dir / "test_32x32.mat").read_bytes()[:-50]):
        (how.data_dir / "train_32x32.mat").write_bytes(data)
        with pytest.raises(DataError, match="cannot be read"):
            source("svhn").read(how)


def test_stacked_mnist(how: Reading) -> None:
    images = put("mnist", how)
    part = source("stacked-mnist", n=50, n_test=7)
    split = part.read(how)
    assert split.train.images.shape == (48, 3, 28, 28)
    assert split.validation.images.shape == (2, 3, 28, 28)
    assert split.test.images.shape == (7, 3, 28, 28)
    assert split.train.classes[358] == "358"
    whole = part.read(replace(how, validation=0)).train
    assert np.array_equal(whole.images, np.concatenate([split.train.images, split.validation.images]))
    for image, label in zip(whole.images, whole.labels, strict=True):
        digits = [int((images == channel).all(axis=(1, 2)).argmax()) % 10 for channel in image]
        assert label == 100 * digits[0] + 10 * digits[1] + digits[2]
    again, other = part.read(how), part.replace(seed=1).read(how)
    assert np.array_equal(split.train.images, again.train.images)
    assert not np.array_equal(split.train.images, other.train.images)


@pytest.mark.shared
def test_the_real_mnist(shared_how: Reading) -> None:
    split = source("mnist", attributes=True).read(shared_how)
    images = split.train.images
    assert images.shape == (60_000, 1, 28, 28)
    assert (split.train.labels[:5].tolist(), split.test.labels[:5].tolist()) == ([5, 0, 4, 1, 9], [7, 2, 1, 0, 4])
    assert hashlib.sha256(idx(images[:, 0])).hexdigest().startswith("ba891046")
    of_ones = split.train.attributes[split.train.labels == 1].mean(axis=0)
    of_zeros = split.train.attributes[split.train.labels == 0].mean(axis=0)
    assert of_ones[2] < of_zeros[2] - 1  # a one is narrower


@pytest.mark.shared
def test_the_real_photographs(shared_how: Reading) -> None:
    part = source("folder", path=str(shared_how.data_dir / "cifar10-photos"))
    split = part.read(shared_how)
    assert split.train.images.shape == (4275, 3, 32, 32)
    assert np.bincount(split.test.labels).tolist() == [50] * 10
    assert set(np.bincount(split.validation.labels)) == {22, 23}
    start = time.monotonic()
    part.read(shared_how)
    assert time.monotonic() - start < 3


def test_the_default_is_mnist_if_it_is_there(how: Reading) -> None:
    assert find.default(how)[0] == {"name": "digits"}
    assert str(how.data_dir) in find.default(how)[1]
    put("mnist", how)
    assert find.default(how)[0] == {"name": "mnist"}


def test_the_default_offline(how: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets as tables

    monkeypatch.setattr(tables.MNIST, "mirrors", ["http://127.0.0.1:1/"])
    start = time.monotonic()
    table, why = find.default(replace(how, download=True))
    assert table == {"name": "digits"}
    assert why == f"digits (1,797 real 8x8 digits; MNIST is not in {how.data_dir} and cannot be fetched)"
    assert time.monotonic() - start < 5
