"""Samples in the form that the file's name says: a grid, a folder, a walk, arrays."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from gancli.core.errors import UsageError
from gancli.core.files import replace
from gancli.core.images import ImageSamples, gif, grid, picture, png, to_uint8, zoom_for
from gancli.inference.generator import Model
from gancli.runs.files import disk
from gancli.tasks.sampling import ROW

Progress = Callable[[str, int, int], None]
MAX_FRAMES = 2000  # of a walk


@dataclass(frozen=True)
class Order:
    """What is wanted."""

    seeds: list[int]
    classes: list[int] | None  # in turn; None leaves it to the model
    columns: int | None
    frames: int | None  # of a walk; None: as many as it is long
    facts: dict[str, Any]  # for the recipe
    attributes: dict[str, float] | None = None
    truncation: float = 1.0
    rows: list[int] | None = None  # of a mix, whose columns are `seeds`
    at: int | None = None  # the layer where its styles go over from the row's to the column's; None: half way
    folder: bool = False  # whether --out is one, whatever its name

    @property
    def stops(self) -> list[int]:
        """The seeds that a walk goes by; from the first again, until each class has had its turn."""
        n = max(len(self.seeds), len(self.classes or []))
        return [self.seeds[i % len(self.seeds)] for i in range(n)]

    @property
    def length(self) -> int:
        """The frames of a walk."""
        return self.frames or min(max(60, 7 * len(self.stops)), MAX_FRAMES)


def write(model: Model, order: Order, out: Path, progress: Progress) -> Path:
    """Draw and write. Raises UsageError for a form that is not known, ResourceError if the disk refuses."""
    form = _form(order, out)
    writers = {".png": _grid, ".gif": _walk, ".npz": _arrays, "": _folder}
    if form not in writers:
        raise UsageError(f"--out {out}: do not know the form {form!r}", "use .png, .gif, .npz or a folder")
    if order.rows is not None:
        if form != ".png":
            raise UsageError(f"--out {out}: --mix makes a grid", "use .png")
        writers = {form: _mix}
    if form and not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}", f"mkdir -p {out.parent}")
    with disk("samples", out, then=""):
        writers[form](model, order, out, progress)
    return out


def _form(order: Order, out: Path) -> str:
    return "" if order.folder else out.suffix.lower()


def help_out(model: Model, order: Order, out: Path) -> None:
    """What the ranks do that do not write: their share of the drawing."""
    if _form(order, out) != ".gif":
        _draw(model, order if order.rows is None else _sources(model, order), lambda _what, _done, _all: None)


def _labels(model: Model, order: Order, n: int) -> list[int] | None:
    if order.classes is not None:
        return [order.classes[i % len(order.classes)] for i in range(n)]
    return model.seed_labels(order.seeds)


def _draw(model: Model, order: Order, progress: Progress) -> tuple[np.ndarray, list[int] | None]:
    n = len(order.seeds)
    labels = _labels(model, order, n)
    ask = model.from_seeds(order.seeds, labels, order.attributes, order.truncation)
    made = model.generate(ask, lambda done: progress("sampling", done, n))
    assert isinstance(made, ImageSamples)
    return made.images, labels


def _short(seeds: list[int]) -> str | list[int]:
    first, last = seeds[0], seeds[-1]
    return f"{first}-{last}" if seeds == list(range(first, last + 1)) else seeds


def _recipe(order: Order, **more: Any) -> dict[str, Any]:
    asked = {"attributes": order.attributes} if order.attributes else {}
    narrow = {"truncation": order.truncation} if order.truncation != 1 else {}
    return {**order.facts, **asked, **narrow, "seeds": _short(order.seeds), **more}


def _grid(model: Model, order: Order, out: Path, progress: Progress) -> None:
    images, labels = _draw(model, order, progress)
    columns = order.columns or (ROW if labels is not None else None)
    replace(out, png(grid(images, columns), _recipe(order, **({"labels": labels} if labels else {}))))


def _sources(model: Model, order: Order) -> Order:
    """What a mix is made of: the columns' seeds, then the rows'. Of one class, unless classes are asked for."""
    seeds, classes = [*order.seeds, *(order.rows or [])], order.classes or model.seed_labels(range(1))
    return Order(seeds, classes, None, order.frames, order.facts, order.attributes, order.truncation)


def _mix(model: Model, order: Order, out: Path, progress: Progress) -> None:
    """The figure of 1812.04948: sources above and at the left; within, the coarse styles of the row, the fine ones of the column."""
    rows, columns = order.rows or [], order.seeds
    sources, labels = _draw(model, _sources(model, order), progress)
    inner = model.mix(
        rows, columns, order.at, labels=labels, attributes=order.attributes, truncation=order.truncation,
        progress=lambda done: progress("mixing", done, len(rows) * len(columns)),
    )  # fmt: skip
    above, left = sources[: len(columns)], sources[len(columns) :]
    within = to_uint8(inner).reshape(len(rows), len(columns), *sources.shape[1:])
    body = np.concatenate([left[:, None], within], 1)
    head = np.concatenate([np.zeros_like(sources[:1]), above])
    figure = np.concatenate([head[None], body]).reshape(-1, *sources.shape[1:])
    how = {"mix": _short(rows), "mix_at": order.at or "half", **({"labels": labels} if labels else {})}
    replace(out, png(grid(figure, len(columns) + 1), _recipe(order, **how)))


def _folder(model: Model, order: Order, out: Path, progress: Progress) -> None:
    """A file each; of a model that draws by label in a folder for each class, as `gan train --data` reads them."""
    asked = _labels(model, order, len(order.seeds)) or []
    if len({*zip_longest(order.seeds, asked)}) < len(order.seeds):
        raise UsageError("a seed is named twice, and has one file", "name each once, or use .png or .npz")
    images, labels = _draw(model, order, progress)
    files: dict[Path, bytes] = {}
    for i, (seed, image) in enumerate(zip(order.seeds, images, strict=True)):
        label = {} if labels is None else {"label": labels[i]}
        place = out if labels is None else out / _folder_name(model, labels[i])
        files[place / f"seed{seed:06d}.png"] = png(image, {**order.facts, "seed": seed, **label})
    others = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if others:
        raise UsageError(f"{out} holds other pictures: {len(others)} such as {others[0]}", "name another --out")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _folder_name(model: Model, label: int) -> str:
    """The class's name, where a folder can have it, else its number."""
    name = model.class_name(label)
    return name if re.fullmatch(r"\w[\w .+-]*", name) else str(label)


def _arrays(model: Model, order: Order, out: Path, progress: Progress) -> None:
    images, labels = _draw(model, order, progress)
    arrays = {"images": images.transpose(0, 2, 3, 1), "seeds": np.array(order.seeds, np.int64)}
    if labels is not None:
        arrays["labels"] = np.array(labels, np.int64)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    replace(out, content.getvalue())


def _walk(model: Model, order: Order, out: Path, progress: Progress) -> None:
    """A closed walk through the latent points of the seeds, on the sphere between each two; classes in turn, one for each."""
    stops, n = order.stops, order.length
    if n < len(stops):
        raise UsageError(f"{n:,} frames do not reach {len(stops):,} seeds", "name fewer --seeds, or more --frames")
    labels = None if order.classes is None else _labels(model, order, len(stops))
    images = model.walk(
        stops,
        n,
        labels,
        lambda done: progress("walking", done, n),
        attributes=order.attributes,
        truncation=order.truncation,
    )
    pictures = to_uint8(images)
    zoom = max(1, zoom_for(*pictures.shape[2:]) * 3)
    replace(out, gif([p.repeat(zoom, axis=1).repeat(zoom, axis=2) for p in pictures]))


__all__ = ["Order", "picture", "write"]
