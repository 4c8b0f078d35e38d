"""Which pictures are held out as test set and as validation set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gancli.core.data import Reading, Split
from gancli.data import cache, find, holdout
from gancli.data.digits import Digits
from gancli.data.folder import Folder
from gancli.data.images import ImageDataset
from tests.data.conftest import Make, Write, put, source


class Numbered(Digits):
    """n images, image i of the bytes of the number i; in classes of unequal sizes, in the order of the classes."""

    n: int = 100
    classes: int = 0
    own: int = 0  # images of a validation set of its own

    def read(self, how: Reading) -> Split[ImageDataset]:
        pixels = np.arange(self.n, dtype=np.uint32).view(np.uint8).reshape(-1, 1, 2, 2).copy()
        labels = np.sort(np.arange(self.n) ** 2 % self.classes) if self.classes else None
        every = ImageDataset(pixels, labels, classes=tuple(map(str, range(self.classes))))
        test = every.take(slice(0, 0))
        return Split(every, test, every.take(slice(0, self.own))) if self.own else Split(every, test)


def numbers(data: ImageDataset) -> list[int]:
    return np.ascontiguousarray(data.images).reshape(-1, 4).view(np.uint32)[:, 0].tolist()


@pytest.mark.parametrize(
    ("n", "share", "expected"), [(10, 0.1, 1), (3, 0.01, 1), (1, 0.5, 0), (10, 0, 0), (10**6, 0.5, 10_000)]
)
def test_how_many_are_held_out(n: int, share: float, expected: int) -> None:
    assert holdout.held_out(n, share) == expected


@pytest.mark.parametrize(
    ("n", "share", "expected"),
    [
        (1, 0.05, 0), (2, 0.05, 1), (3, 0.05, 1), (10, 0.05, 1), (1999, 0.05, 100), (1999, 0.01, 20), (2000, 0.05, 100),
        (2000, 0.001, 100), (2000, 0, 0), (60_000, 0.05, 3000), (10**6, 0.05, 10_000), (3, 0.999, 2),
    ],
)  # fmt: skip
def test_how_many_are_held_out_for_validation(n: int, share: float, expected: int) -> None:
    assert holdout.validation_size(n, share) == expected


def test_the_order_is_fixed_and_stratified() -> None:
    labels = np.repeat(np.arange(3), [70, 20, 10])
    order = holdout.order(100, labels)
    assert sorted(order.tolist()) == list(range(100))
    assert np.bincount(labels[order[-10:]], minlength=3).tolist() == [7, 2, 1]
    assert holdout.order(8).tolist() == [2, 4, 6, 5, 1, 7, 0, 3]


def test_a_smaller_share_is_part_of_a_larger_one(classes: dict[str, bytes], write: Write, how: Reading) -> None:
    source = Folder(path=str(write("pets", classes)))
    a, b = (source.read(replace(how, holdout=share)).test.images for share in (0.1, 0.3))
    assert np.array_equal(b[-len(a) :], a)
    a, b = (source.read(replace(how, validation=share)).validation.images for share in (0.1, 0.3))
    assert np.array_equal(b[-len(a) :], a)
    assert len(list((how.cache_dir / "arrays").glob("*.npy"))) == 1


@pytest.mark.parametrize("n", [2, 3, 10, 100, 2500])
@pytest.mark.parametrize("classes", [0, 3])
def test_training_and_validation_set_are_disjoint_complete_and_in_order(n: int, classes: int, how: Reading) -> None:
    split = find.read(Numbered(n=n, classes=classes), how)
    train, validation = numbers(split.train), numbers(split.validation)
    assert len(validation) == holdout.validation_size(n, 0.05) > 0
    assert sorted(train + validation) == list(range(n))
    assert (train, validation) == (sorted(train), sorted(validation))


def test_classes_are_in_proportion_even_where_the_data_is_sorted_by_them(how: Reading) -> None:
    split = find.read(Numbered(n=2500, classes=3), how)
    all_of = np.bincount(np.arange(2500) ** 2 % 3, minlength=3) / 2500
    held = np.bincount(split.validation.labels, minlength=3)
    assert np.abs(held - all_of * len(split.validation)).max() <= 1


def test_one_image_is_trained_on(how: Reading) -> None:
    split = find.read(Numbered(n=1), how)
    assert (len(split.train), len(split.validation)) == (1, 0)


def test_a_share_of_0_holds_nothing_out_and_says_nothing(how: Reading, notes) -> None:
    split = find.read(Numbered(n=2500), replace(how, validation=0))
    assert (len(split.train), len(split.validation)) == (2500, 0)
    assert notes.text == ""


def test_what_is_held_out_is_said(how: Reading, notes) -> None:
    find.read(Numbered(n=2500), how)
    assert notes.lines == ["held out as the validation set: 125 of 2,500"]


def test_a_validation_set_of_the_sources_own_is_kept(how: Reading, notes) -> None:
    split = find.read(Numbered(n=2500, own=7), how)
    assert (len(split.train), numbers(split.validation)) == (2500, list(range(7)))
    assert notes.text == ""


def test_what_is_too_large_for_memory_is_copied_into_the_cache(how: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = find.read(Numbered(n=2500, classes=3), how)
    assert not (how.cache_dir / "arrays").exists()
    monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    for _ in range(2):
        split = find.read(Numbered(n=2500, classes=3), how)
        assert isinstance(split.train.images, np.memmap)
        assert numbers(split.train) == numbers(expected.train)
        assert numbers(split.validation) == numbers(expected.validation)
    assert len(list((how.cache_dir / "arrays").glob("*.npy"))) == 1  # the validation set has 500 bytes


# The sources


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("shares", [(0.1, 0.05), (0.9, 0.5), (0.0, 0.5), (0.5, 0.0), (0.97, 0.05)])
def test_parts_of_a_folder_are_disjoint_and_complete(
    n: int, shares: tuple[float, float], picture: Make, write: Write, how: Reading
) -> None:
    root = write("data", {f"{i}.png": picture("L", (4, 4), seed=i) for i in range(n)})
    split = find.read(Folder(path=str(root)), replace(how, holdout=shares[0], validation=shares[1]))
    parts = [[x.tobytes() for x in part.images] for part in (split.train, split.validation, split.test)]
    assert len({x for part in parts for x in part}) == sum(map(len, parts)) == n
    assert len(parts[0]) >= 1
    assert len(parts[2]) == holdout.held_out(n, shares[0])
    assert len(parts[1]) == holdout.validation_size(n - len(parts[2]), shares[1])


@pytest.mark.parametrize("mapped", [False, True])
def test_parts_of_a_folder_are_views(
    mapped: bool, classes: dict[str, bytes], write: Write, how: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mapped:
        monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    split = find.read(Folder(path=str(write("pets", classes))), replace(how, validation=0.2))
    parts = (split.train, split.validation, split.test)
    assert [len(part) for part in parts] == [14, 4, 2]
    assert np.bincount(split.validation.labels).tolist() == [2, 2]
    whole = cache._root(split.train.images)
    assert whole.shape[0] == 20
    assert isinstance(whole, np.memmap) == mapped
    assert all(cache._root(part.images) is whole for part in parts)
    assert len({part.fingerprint for part in parts}) == 3


@pytest.mark.parametrize(
    ("mapped", "train", "test"),
    [
        (False, "fa13b4b64c32542b7c58d188e996e9e16d25001e", "a1b9993c4a41dafcfe192d40c8d64293f8caa70e"),
        (True, "9d9b265d48b26ae9868c7a230c8c3f594826af87", "8bedccdd254c80768b392947c725b04b8fbec8cc"),
    ],
)
def test_without_a_validation_set_a_folder_is_what_it_was_before_there_were_any(
    mapped: bool, train: str, test: str, classes: dict[str, bytes], write: Write, how: Reading, monkeypatch
) -> None:
    """Runs of format 1 are resumed: the fingerprints are those that they recorded."""
    if mapped:
        monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    split = find.read(Folder(path=str(write("pets", classes))), replace(how, validation=0))
    assert (split.train.fingerprint, split.test.fingerprint) == (train, test)


def test_digits_keep_their_training_set(how: Reading, notes) -> None:
    split, before = find.read(Digits(), how), find.read(Digits(), replace(how, validation=0))
    assert [len(part) for part in (split.train, split.validation, split.test)] == [1438, 90, 269]
    assert [len(part) for part in (before.train, before.validation, before.test)] == [1438, 0, 359]
    assert split.train.fingerprint == before.train.fingerprint == "3fed10b46b9120dda7847cf70230aea0d9ed8643"
    assert before.test.fingerprint == "47cf17de5bae2e26aa4edd6d639c6fdc54e6aa6a"
    assert np.array_equal(split.validation.images, before.test.images[::4])
    assert notes.lines == ["held out as the validation set: 90 of 1,797"]


def test_mnist_keeps_its_test_set(how: Reading) -> None:
    put("mnist", how, n=40)
    split, before = (find.read(source("mnist"), replace(how, validation=share)) for share in (0.05, 0.0))
    assert [len(part) for part in (split.train, split.validation, split.test)] == [38, 2, 10]
    assert split.test.fingerprint == before.test.fingerprint
    assert len(before.train) == 40
    whole = {x.tobytes() for x in before.train.images}
    assert {x.tobytes() for part in (split.train, split.validation) for x in part.images} == whole
    assert split.train.images.base is None  # the file's array is not kept beside it
