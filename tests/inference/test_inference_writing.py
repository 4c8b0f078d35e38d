"""Samples in files: what a walk is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.test_model import codes, made
from torch import Tensor

from gancli.core.errors import UsageError
from gancli.inference.generator import Model
from gancli.inference.writing import Order, write

ORDER = Order([3, 4, 5], None, None, None, {})


def nothing(_what: str, _done: int, _all: int) -> None:
    """No progress is shown."""


def walked(monkeypatch: pytest.MonkeyPatch, out: Path, model: Model, order: Order) -> dict[str, Any]:
    """What `Model.walk` is asked for."""
    seen: dict[str, Any] = {}

    def walk(_model: Model, stops: list[int], frames: int, labels: list[int] | None, *_: Any, **rest: Any) -> Tensor:
        seen.update(rest, stops=stops, frames=frames, labels=labels)
        return torch.zeros(2, 1, 8, 8)

    monkeypatch.setattr(Model, "walk", walk)
    write(model, order, out / "walk.gif", nothing)
    return seen


def test_a_walk_is_given_all_that_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order = replace(ORDER, seeds=list(range(12)), classes=[2, 1], attributes={"slant": 1.0}, truncation=0.5)
    seen = walked(monkeypatch, tmp_path, made("concat"), order)
    assert (seen["stops"], seen["labels"]) == (list(range(12)), [2, 1] * 6)
    assert (seen["attributes"], seen["truncation"], seen["frames"]) == ({"slant": 1.0}, 0.5, 84)


def test_a_walk_goes_by_every_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = walked(monkeypatch, tmp_path, made("concat"), replace(ORDER, seeds=[7, 8], classes=[3, 1, 2], frames=9))
    assert (seen["stops"], seen["labels"], seen["frames"]) == ([7, 8, 7], [3, 1, 2], 9)
    seen = walked(monkeypatch, tmp_path, made("concat"), ORDER)
    assert (seen["labels"], seen["frames"]) == (None, 60)


def test_a_walk_with_fewer_frames_than_seeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 frames"):
        write(made("none"), replace(ORDER, frames=2), tmp_path / "w.gif", nothing)


@pytest.mark.parametrize("form", ["a.png", "a.gif"])
def test_labels_are_checked_in_every_form(form: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="draws without labels"):
        write(made("none"), replace(ORDER, classes=[0]), tmp_path / form, nothing)
    with pytest.raises(UsageError, match="no class 99"):
        write(made("concat"), replace(ORDER, classes=[99]), tmp_path / form, nothing)


@pytest.mark.parametrize("columns", [None, 3, 10])
def test_an_image_comes_from_its_seed_alone(columns: int | None, tmp_path: Path) -> None:
    found = []
    for seeds in (list(range(20)), [9, 17, 3]):
        write(made("concat"), replace(ORDER, seeds=seeds, columns=columns), tmp_path / "s.npz", nothing)
        with np.load(tmp_path / "s.npz") as file:
            found.append(dict(file))
    many, few = found
    assert many["labels"].tolist() == [0] * 8 + [1] * 8 + [2] * 4
    assert np.array_equal(many["labels"][[9, 17, 3]], few["labels"])
    assert np.array_equal(many["images"][[9, 17, 3]], few["images"])


def test_a_seed_has_one_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        write(made("none"), replace(ORDER, seeds=[1, 2, 1]), tmp_path / "f", nothing)
    with pytest.raises(UsageError, match="named twice"):
        write(made("concat"), replace(ORDER, seeds=[1, 1], classes=[2]), tmp_path / "f", nothing)
    assert not (tmp_path / "f").exists()
    write(made("concat"), replace(ORDER, seeds=[1, 1], classes=[2, 3]), tmp_path / "f", nothing)
    assert sorted(str(p.relative_to(tmp_path / "f")) for p in tmp_path.glob("f/*/*")) == [
        "2/seed000001.png", "3/seed000001.png",
    ]  # fmt: skip


def test_a_folder_may_be_called_like_a_form(tmp_path: Path) -> None:
    for name in ("out.v2", "out.gif"):
        write(made("none"), replace(ORDER, folder=True), tmp_path / name, nothing)
        assert len(list((tmp_path / name).iterdir())) == 3


def test_folders_of_categories_are_not_called_after_the_data_s_classes(tmp_path: Path) -> None:
    write(made(codes(), facts={"classes": ["cat", "dog"]}), replace(ORDER, classes=[0, 1]), tmp_path / "f", nothing)
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == ["0", "1"]
