"""Balanced batches: every class equally often, pure in seed and position; sizes of classes in the first lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.core.data import Orders, Window
from gancli.core.errors import UsageError
from gancli.core.window import Orders as Same
from gancli.data import remarks
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from tests.conftest import TINY, Gan

SIZES = (40, 7, 3)


def data() -> ImageDataset:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), SIZES))
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None].repeat(2, 2).repeat(2, 3)
    return ImageDataset(images, labels, classes=("many", "some", "few"))


def numbers(loader: Loader, position: int, n: int, first: int = 0, rows: int | None = None) -> list[int]:
    real = loader.batch(position, n, first, rows)["real"][:, 0, 0, 0]
    return torch.round((real + 1) * 127.5).int().tolist()


def test_every_batch_holds_all_classes_equally_often() -> None:
    loader = Loader(data().balanced(), 3, torch.device("cpu"), torch.float32)
    for position in (0, 32, 33, 1000):
        counts = np.bincount(loader.batch(position, 32)["label"].numpy(), minlength=3)
        assert counts.max() - counts.min() <= 1
        assert np.bincount(loader.batch(position, 2)["label"].numpy(), minlength=3).max() == 1 or position % 3 == 2


def test_a_class_is_shuffled_and_every_image_of_it_is_drawn_once_before_the_next_pass() -> None:
    made = data()
    loader = Loader(made.balanced(), 3, torch.device("cpu"), torch.float32)
    drawn, labels = np.array(numbers(loader, 0, 3 * 42)), loader.batch(0, 3 * 42)["label"].numpy()
    for k, size in enumerate(SIZES):
        own = drawn[labels == k]
        for start in range(0, 42 // size * size, size):
            assert sorted(own[start : start + size]) == sorted(np.flatnonzero(made.labels == k))
    few = [tuple(drawn[labels == 2][i : i + 3]) for i in range(0, 42, 3)]
    assert len(set(few)) > 1


def test_the_stream_is_pure_in_seed_and_position() -> None:
    made = data().balanced()
    whole = numbers(Loader(made, 3, torch.device("cpu"), torch.float32), 0, 120)
    late = Loader(made, 3, torch.device("cpu"), torch.float32)
    assert numbers(late, 64, 32) == whole[64:96]
    assert numbers(late, 0, 32) == whole[:32]
    assert numbers(late, 32, 32, 8, 5) == whole[40:45]
    assert numbers(Loader(made, 4, torch.device("cpu"), torch.float32), 0, 120) != whole
    assert numbers(Loader(data(), 3, torch.device("cpu"), torch.float32), 0, 50) != whole[:50]
    assert made.fingerprint == data().fingerprint
    assert Orders is Same
    window = Window(Orders(3), 0, 120, 0, 120)
    assert window.balanced([torch.tensor([5]), torch.tensor([6])]).unique().tolist() == [5, 6]


def test_evaluation_is_not_balanced_and_data_without_classes_cannot_be() -> None:
    assert not data().balanced().for_evaluation().balance
    with pytest.raises(UsageError, match="no classes to balance"):
        ImageDataset(np.zeros((4, 1, 2, 2), np.uint8)).balanced()


def test_sizes_of_classes() -> None:
    assert remarks.classes(data()) == "classes many 40, some 7, few 3"
    assert "fewer than 10 images in some 7, few 3" in remarks.rare(data())[0]
    even = ImageDataset(np.zeros((60, 1, 2, 2), np.uint8), np.arange(60) % 30, classes=tuple(map(str, range(30))))
    assert remarks.classes(even) == "30 classes of 2 to 2 images"
    assert not remarks.classes(ImageDataset(np.zeros((4, 1, 2, 2), np.uint8)))


def test_the_preset_balances_and_says_how_many_there_are(gan: Gan, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (120, 1, 8, 8), dtype=np.uint8)
    labels = np.repeat([0, 1], [112, 8])
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    said = gan(
        "train", "--data", tmp_path / "d.npz", "--preset", "augment", "--max-steps", "2", "--batch-size", "8",
        "--set", "task.model.g_width=4", "--set", "task.model.d_width=4", "--name", "a",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "classes 0 9" in said.err
    assert "fewer than 10 images in 1 " in said.err
    assert '"balance": true' in (tmp_path / "runs_dir" / "a" / "config.json").read_text()
    np.savez(tmp_path / "e.npz", images=images)
    said = gan(
        "train",
        "--data",
        tmp_path / "e.npz",
        "--preset",
        "augment",
        "--max-steps",
        "2",
        "--batch-size",
        "8",
        "--dry-run",
    )
    assert said.code == 0, said.err
    said = gan("train", "--data", tmp_path / "e.npz", "--set", "data.balance=true", "--max-steps", "2", *TINY)
    assert said.code == 2
    assert "no classes to balance" in said.err
