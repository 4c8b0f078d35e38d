"""Samples in files: what a walk is given, folders that are there whole or not at all, arrays, pictures as they arrive."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.core.errors import DataError, ResourceError, UsageError
from gancli.core.images import ImageSamples
from gancli.inference import writing
from gancli.inference.generator import CHUNK, Model
from gancli.inference.writing import SampleOptions, write
from tests.inference.test_inference_generator import codes, made

OPTIONS = SampleOptions([3, 4, 5])


def nothing(_what: str, _done: int, _all: int) -> None:
    """No progress is shown."""


def walked(monkeypatch: pytest.MonkeyPatch, out: Path, model: Model, options: SampleOptions) -> dict[str, Any]:
    """What `Model.walk` is asked for."""
    seen: dict[str, Any] = {}

    def walk(_model: Model, stops: list[int], frames: int, labels: list[int] | None, *_: Any, **rest: Any) -> Tensor:
        seen.update(rest, stops=stops, frames=frames, labels=labels)
        return torch.zeros(2, 1, 8, 8)

    monkeypatch.setattr(Model, "walk", walk)
    write(model, options, out / "walk.gif", nothing)
    return seen


def test_a_walk_is_given_all_that_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = replace(OPTIONS, seeds=list(range(12)), classes=[2, 1], attributes={"slant": 1.0}, truncation=0.5)
    seen = walked(monkeypatch, tmp_path, made("concat"), options)
    assert (seen["stops"], seen["labels"]) == (list(range(12)), [2, 1] * 6)
    assert (seen["attributes"], seen["truncation"], seen["frames"]) == ({"slant": 1.0}, 0.5, 84)


def test_a_walk_goes_by_every_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = walked(monkeypatch, tmp_path, made("concat"), replace(OPTIONS, seeds=[7, 8], classes=[3, 1, 2], frames=9))
    assert (seen["stops"], seen["labels"], seen["frames"]) == ([7, 8, 7], [3, 1, 2], 9)
    seen = walked(monkeypatch, tmp_path, made("concat"), OPTIONS)
    assert (seen["labels"], seen["frames"]) == (None, 60)


def test_a_walk_with_fewer_frames_than_seeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 frames"):
        write(made("none"), replace(OPTIONS, frames=2), tmp_path / "w.gif", nothing)


@pytest.mark.parametrize("form", ["a.png", "a.gif"])
def test_labels_are_checked_in_every_form(form: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not class-conditional"):
        write(made("none"), replace(OPTIONS, classes=[0]), tmp_path / form, nothing)
    with pytest.raises(UsageError, match="no class 99"):
        write(made("concat"), replace(OPTIONS, classes=[99]), tmp_path / form, nothing)


@pytest.mark.parametrize("columns", [None, 3, 10])
def test_an_image_comes_from_its_seed_alone(columns: int | None, tmp_path: Path) -> None:
    found = []
    for seeds in (list(range(20)), [9, 17, 3]):
        write(made("concat"), replace(OPTIONS, seeds=seeds, columns=columns), tmp_path / "s.npz", nothing)
        with np.load(tmp_path / "s.npz") as file:
            found.append(dict(file))
    many, few = found
    assert many["labels"].tolist() == [0] * 8 + [1] * 8 + [2] * 4
    assert np.array_equal(many["labels"][[9, 17, 3]], few["labels"])
    assert np.array_equal(many["images"][[9, 17, 3]], few["images"])


def test_a_seed_has_one_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        write(made("none"), replace(OPTIONS, seeds=[1, 2, 1]), tmp_path / "f", nothing)
    with pytest.raises(UsageError, match="named twice"):
        write(made("concat"), replace(OPTIONS, seeds=[1, 1], classes=[2]), tmp_path / "f", nothing)
    assert not (tmp_path / "f").exists()
    write(made("concat"), replace(OPTIONS, seeds=[1, 1], classes=[2, 3]), tmp_path / "f", nothing)
    assert sorted(str(p.relative_to(tmp_path / "f")) for p in tmp_path.glob("f/*/*")) == [
        "2/seed000001.png", "3/seed000001.png",
    ]  # fmt: skip


def test_a_folder_may_be_called_like_a_form(tmp_path: Path) -> None:
    for name in ("out.v2", "out.gif"):
        write(made("none"), replace(OPTIONS, folder=True), tmp_path / name, nothing)
        assert len(list((tmp_path / name).iterdir())) == 3


def test_folders_of_categories_are_not_called_after_the_data_s_classes(tmp_path: Path) -> None:
    write(made(codes(), facts={"classes": ["cat", "dog"]}), replace(OPTIONS, classes=[0, 1]), tmp_path / "f", nothing)
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == ["0", "1"]


def files(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def test_pictures_are_on_the_disk_before_the_next_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a chunk is in memory."""
    there: list[int] = []
    stream = Model.stream

    def watched(model: Model, ask: Any, progress: Any = None) -> Any:
        for chunk in stream(model, ask, progress):
            there.append(len(files(tmp_path)))
            yield chunk

    monkeypatch.setattr(Model, "stream", watched)
    write(made("concat"), replace(OPTIONS, seeds=list(range(100))), tmp_path / "f", nothing)
    assert there == [0, CHUNK, 2 * CHUNK, 3 * CHUNK]
    assert len(files(tmp_path / "f")) == 100


def test_a_folder_gets_all_samples_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(model: Model, ask: Any, progress: Any = None) -> Any:
        yield model.task.generate(model.nets, ask.rows(range(CHUNK)), model.spec)
        raise DataError("the disk is gone")

    out = tmp_path / "f"
    with monkeypatch.context() as patch:
        patch.setattr(Model, "stream", fails)
        for before in ({}, {"mine.txt": b"kept"}):
            if before:
                out.mkdir()
                (out / "mine.txt").write_bytes(b"kept")
            with pytest.raises(DataError):
                write(made("none"), replace(OPTIONS, seeds=list(range(50))), out, nothing)
            assert (files(out), out.exists()) == (before, bool(before))
    write(made("none"), OPTIONS, out, nothing)
    whole = files(out)
    assert len(whole) == 4
    write(made("none"), replace(OPTIONS, seeds=[4, 5, 6]), out, nothing)  # two of them are there already
    assert {**files(out), **whole} == files(out)
    assert len(files(out)) == 5
    (out / "seed000005.png").write_bytes(b"another")
    now = files(out)
    with pytest.raises(UsageError, match=r"holds other samples, such as .*seed000005.png"):
        write(made("none"), replace(OPTIONS, seeds=[7, 5]), out, nothing)
    assert files(out) == now


def test_arrays_are_those_of_savez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written in blocks of a few rows, and read as if they had been written at once."""
    monkeypatch.setattr(writing, "BLOCK", 200)
    write(made("concat"), replace(OPTIONS, seeds=list(range(40))), tmp_path / "s.npz", nothing)
    whole = made("concat").generate(made("concat").from_seeds(list(range(40)), [s // 8 for s in range(32)] + [0] * 8))
    assert isinstance(whole, ImageSamples)
    np.savez_compressed(tmp_path / "n.npz", **whole.arrays(), seeds=np.arange(40))
    with np.load(tmp_path / "s.npz") as found, np.load(tmp_path / "n.npz") as expected:
        assert set(found) == set(expected) == {"images", "labels", "seeds"}
        for key in expected:
            assert found[key].dtype == expected[key].dtype
            assert np.array_equal(found[key], expected[key]), key
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.npz", "s.npz"]
    assert (tmp_path / "s.npz").stat().st_mode & 0o777 == (tmp_path / "n.npz").stat().st_mode & 0o777


def test_a_form_that_does_not_suit_is_refused_with_those_that_do(tmp_path: Path) -> None:
    for name in ("x.jpg", "x.txt"):
        with pytest.raises(UsageError, match=r"do not know the form .*use \.png, \.gif, \.mp4, \.npz or a folder"):
            write(made("none"), OPTIONS, tmp_path / name, nothing)
    with pytest.raises(UsageError, match="there is no folder"):
        write(made("none"), OPTIONS, tmp_path / "none" / "x.png", nothing)
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["dangling link", "pipe", "link"])
@pytest.mark.parametrize("place", ["folder", "grid.png", "a.npz", "class", "file"])
def test_nothing_is_written_through_what_others_planted(kind: str, place: str, tmp_path: Path) -> None:
    """In the place of --out, of a folder in it, of a file in it."""
    options = replace(OPTIONS, classes=[0], folder="." not in place)
    write(made("concat"), options, tmp_path / ("good" + Path(place).suffix), nothing)
    first = next(iter(files(tmp_path / "good")), "")  # class and file
    out = tmp_path / ("folder" if options.folder else place)
    path = out / {"class": Path(first).parent, "file": first}.get(place, "")
    other = tmp_path / "other"
    other.mkdir()
    (other / "secret").write_bytes(b"private")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(other / ("secret" if kind == "link" else "new"))
    with pytest.raises((ResourceError, UsageError)):
        write(made("concat"), options, out, nothing)
    assert files(other) == {"secret": b"private"}
    assert path.is_symlink() == (kind != "pipe")
    assert not list(tmp_path.rglob(".gan-*"))
