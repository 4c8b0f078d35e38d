"""Samples in the form that a file's name says: one file with all of them, a folder of files, arrays; a walk where there is latent space."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gancli.core.errors import UsageError
from gancli.core.files import atomic_file, write_atomic
from gancli.core.images import ImageSamples, to_uint8, zoom_for
from gancli.core.samples import Ask, FromSeeds, Samples, with_options
from gancli.core.video import video
from gancli.data.cache import release
from gancli.inference.capabilities import Latent
from gancli.inference.generator import Model
from gancli.inference.rejection import chosen
from gancli.inference.spool import spooled
from gancli.inference.staging import together
from gancli.runs.files import check_parent, disk

Progress = Callable[[str, int, int], None]
TABLE = ".jsonl"  # the suffix of a file with a JSON object for each sample
MAX_FRAMES = 2000  # of a walk
BLOCK = 16 << 20  # bytes that are compressed at a time
MOST_PIXELS = 100_000_000  # of a grid, before it is enlarged


@dataclass(frozen=True)
class SampleOptions:
    """What is to be made, and how it is to be shown."""

    seeds: list[int]
    classes: list[int] | None = None  # in turn; None: as suits the seed
    attributes: dict[str, float] | None = None  # of all samples, by name
    truncation: float = 1.0
    best_of: int = 1  # candidates for each sample, among which D chooses
    columns: int | None = None  # samples in a row of a grid
    frames: int | None = None  # of a walk; None: as many as it is long
    mix: list[int] | None = None  # seeds of the rows of a grid of mixed styles, whose columns are `seeds`
    mix_at: int | None = None  # the layer where styles go over from the row's to the column's; None: half way
    folder: bool = False  # whether --out is one, whatever its name
    facts: Mapping[str, Any] = field(default_factory=dict)  # for the recipe that a file carries
    more: Mapping[str, Any] = field(default_factory=dict)  # options of the request; None: the default

    @property
    def stops(self) -> list[int]:
        """The seeds that a walk goes by; from the first again, until each class has had its turn."""
        n = max(len(self.seeds), len(self.classes or []))
        return [self.seeds[i % len(self.seeds)] for i in range(n)]

    @property
    def length(self) -> int:
        """The frames of a walk."""
        return self.frames or min(max(60, 7 * len(self.stops)), MAX_FRAMES)

    def form(self, out: Path) -> str:
        """The suffix that says in which form samples are written; empty for a folder."""
        return "" if self.folder else out.suffix.lower()

    def recipe(self, **more: Any) -> dict[str, Any]:
        """All that is needed to make the samples again."""
        asked = {"attributes": self.attributes} if self.attributes else {}
        narrow = {"truncation": self.truncation} if self.truncation != 1 else {}
        given = {name: value for name, value in self.more.items() if value is not None}
        return {**self.facts, **asked, **narrow, **given, "seeds": _short(self.seeds), **more}


def write(model: Model, options: SampleOptions, out: Path, progress: Progress) -> Path:
    """Make samples and write them. Called by every rank; the first one writes.

    Args:
        model: to sample from.
        options: what is to be made.
        out: where to; its suffix is the form.
        progress: called with what is done, samples done and all samples.

    Returns:
        `out`.

    Raises:
        UsageError: a form that is not known or does not suit the task, or what is asked for does not fit.
        ResourceError: the disk refuses.
    """
    form = options.form(out)
    if options.mix is not None and form != ".png":
        raise UsageError(f"--out {out}: --mix makes a grid", "use .png")
    if form:
        check_parent(out)
    if options.best_of > 1:
        options = _with_best(model, options, progress)
    by_form = {"": _folder if options.frames is None else _frames, ".npz": _arrays, ".gif": _walk, ".mp4": _walk}
    writer = by_form.get(form, _whole) if options.mix is None else _mixed_grid
    with disk("samples", out, then=""):
        writer(model, options, out, progress)
    return out


def excerpt(model: Model, options: SampleOptions, progress: Progress) -> list[str]:
    """All samples as lines for a terminal. Called by every rank."""
    if options.best_of > 1:
        options = _with_best(model, options, progress)
    return [line for chunk in _stream(model, _ask(model, options), progress) for line in chunk.excerpt(len(chunk))]


def _with_best(model: Model, options: SampleOptions, progress: Progress) -> SampleOptions:
    """The options with the seeds of the candidates that D chooses."""
    ask, k = _ask(model, options), options.best_of
    seeds = chosen(model, ask, k, lambda done: progress("choosing", done, k * len(ask)))
    labels = None if ask.labels is None else list(ask.labels)
    return changed(options, seeds=seeds, classes=labels, facts={**options.facts, "best_of": k})


def _ask(model: Model, options: SampleOptions, seeds: list[int] | None = None) -> FromSeeds:
    """The ask for the options' seeds, or for others of their classes."""
    seeds = options.seeds if seeds is None else seeds
    ask = model.from_seeds(seeds, _labels(model, options, seeds), options.attributes, options.truncation)
    return with_options(ask, options.more)


def _labels(model: Model, options: SampleOptions, seeds: list[int]) -> list[int] | None:
    if options.classes is not None:
        return [options.classes[i % len(options.classes)] for i in range(len(seeds))]
    return model.seed_labels(seeds)


def _stream(model: Model, ask: Ask, progress: Progress) -> Iterator[Samples]:
    return model.stream(ask, lambda done: progress("sampling", done, len(ask)))


def _short(seeds: list[int]) -> str | list[int]:
    first, last = seeds[0], seeds[-1]
    return f"{first}-{last}" if seeds == list(range(first, last + 1)) else seeds


def _whole(model: Model, options: SampleOptions, out: Path, progress: Progress) -> None:
    """All samples in one file, as they render themselves: a grid, lines."""
    ask = _ask(model, options)
    made = spooled(_checked(model, _stream(model, ask, progress), len(ask), out), len(ask), out.parent)
    if not model.ranks.is_first:
        return
    labels: dict[str, Any] = {} if ask.labels is None else {"labels": list(ask.labels)}
    if model.conditional:
        labels["classes"] = [model.class_name(k) for k in model.labels]
    if out.suffix.lower() == TABLE:
        named = [{}] * len(ask) if ask.labels is None else [{"label": model.class_name(y)} for y in ask.labels]
        file = made.table([{**name, "seed": seed} for name, seed in zip(named, ask.seeds, strict=True)])
    else:
        file = made.render(options.columns, options.recipe(**labels))
    write_atomic(out, file.content)


def _checked(model: Model, chunks: Iterator[Samples], n: int, out: Path) -> Iterator[Samples]:
    """The same chunks, after the first has shown that n of them have a place in one file.

    Raises:
        UsageError: they have not.
    """
    for i, chunk in enumerate(chunks):
        if not i:
            _check_form(model, chunk, out)
            pixels = n * prod(getattr(chunk, "images", np.empty((0, 0, 0))).shape[-2:])
            if pixels > MOST_PIXELS:
                raise UsageError(
                    f"a grid of {n:,} samples has {pixels / 1e6:,.0f} million pixels", "--out FOLDER/, or .npz"
                )
        yield chunk


def _check_form(model: Model, samples: Samples, out: Path) -> None:
    """Raises UsageError if samples of this kind are not shown in a file of this name."""
    known, suffix = [samples.take(slice(0, 1)).render().suffix, *samples.forms], out.suffix.lower()
    if suffix not in known:
        forms = [*known, *([".gif", ".mp4"] if isinstance(model.task, Latent) else []), ".npz"]
        raise UsageError(f"--out {out}: do not know the form {suffix!r}", f"use {', '.join(forms)} or a folder")


def _folder(model: Model, options: SampleOptions, out: Path, progress: Progress) -> None:
    """A file each; of a class-conditional model in a folder for each class, as `gan train --data` reads them.

    They are written into a folder within, and take their places when all are there.
    """
    ask = _ask(model, options)
    places = [*map(str, ask.names())] if ask.labels is None else [
        f"{_folder_name(model, label)}/{name}" for label, name in zip(ask.labels, ask.names(), strict=True)
    ]  # fmt: skip
    if len(set(places)) < len(places):
        raise UsageError("a seed is named twice, and has one file", "name each once, or use a single file or .npz")
    chunks = _stream(model, ask, progress)
    if not model.ranks.is_first:
        for _ in chunks:
            pass
        return
    done = 0
    with together(out) as put:
        for chunk in chunks:
            for i in range(len(chunk)):
                label = {} if ask.labels is None else {"label": ask.labels[done]}
                file = chunk.file(i, {**options.facts, "seed": ask.seeds[done], **label})
                put(places[done] + file.suffix, file.content)
                done += 1


def _folder_name(model: Model, label: int) -> str:
    """The class's name, where a folder can have it, else its number."""
    name = model.class_name(label)
    return name if re.fullmatch(r"\w[\w .+-]*", name) else str(label)


def _arrays(model: Model, options: SampleOptions, out: Path, progress: Progress) -> None:
    """A .npz with the samples' arrays, labels and seeds."""
    ask = _ask(model, options)
    made = spooled(_stream(model, ask, progress), len(ask), out.parent)
    if model.ranks.is_first:
        with atomic_file(out) as file:
            _write_npz(file, {**made.arrays(), "seeds": np.array(ask.seeds, np.int64)})


def _write_npz(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """As `np.savez_compressed`, with a block of rows in memory at a time."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
            rows = max(1, BLOCK // max(1, array[:1].nbytes))
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, header)
                for first in range(0, len(array), rows):
                    entry.write(np.ascontiguousarray(array[first : first + rows]).tobytes())
                    release(array)


def _mixed_grid(model: Model, options: SampleOptions, out: Path, progress: Progress) -> None:
    """The figure of 1812.04948: sources above and at the left; within, the coarse styles of the row, the fine ones of the column."""
    if not model.ranks.is_first:
        return
    rows, columns = options.mix or [], options.seeds
    one = changed(
        options, classes=options.classes or model.seed_labels(range(1))
    )  # the same class for all, if none is asked for
    sources = _ask(model, one, [*columns, *rows])
    labels = None if sources.labels is None else list(sources.labels)
    how: dict[str, Any] = {"attributes": options.attributes, "truncation": options.truncation, "labels": labels}
    images = to_uint8(
        model.sample(seeds=sources.seeds, progress=lambda done: progress("sampling", done, len(sources)), **how)
    )
    mixed = model.mix(
        rows, columns, options.mix_at, progress=lambda done: progress("mixing", done, len(rows) * len(columns)), **how
    )
    above, left = images[: len(columns)], images[len(columns) :]
    body = np.concatenate([left[:, None], to_uint8(mixed).reshape(len(rows), len(columns), *images.shape[1:])], 1)
    head = np.concatenate([np.zeros_like(images[:1]), above])
    figure = ImageSamples(np.concatenate([head[None], body]).reshape(-1, *images.shape[1:]))
    made_by = {"mix": _short(rows), "mix_at": options.mix_at or "half", **({"labels": labels} if labels else {})}
    write_atomic(out, figure.render(len(columns) + 1, options.recipe(**made_by)).content)


def _walk(model: Model, options: SampleOptions, out: Path, progress: Progress) -> None:
    """A film of a walk."""
    if (pictures := _walked(model, options, progress)) is not None:
        zoom = 2 * zoom_for(*pictures.shape[2:])
        frames = [p.repeat(zoom, axis=1).repeat(zoom, axis=2) for p in pictures]
        write_atomic(out, video(frames, options.form(out)))


def _frames(model: Model, options: SampleOptions, out: Path, progress: Progress) -> None:
    """The frames of a walk in a folder: frame0000.png, frame0001.png, ..."""
    if (pictures := _walked(model, options, progress)) is None:
        return
    samples = ImageSamples(pictures)
    with together(out) as put:
        for i in range(len(samples)):
            file = samples.file(i, options.recipe(frame=i, frames=len(samples)))
            put(f"frame{i:04d}{file.suffix}", file.content)


def _walked(model: Model, options: SampleOptions, progress: Progress) -> np.ndarray | None:
    """A closed walk through the latent points of the seeds, uint8 [n, C, H, W]; classes in turn, one for each. On the first rank."""
    stops, n = options.stops, options.length
    if n < len(stops):
        raise UsageError(f"{n:,} frames do not reach {len(stops):,} seeds", "name fewer --seeds, or more --frames")
    if not model.ranks.is_first:
        return None
    labels = None if options.classes is None else _labels(model, options, stops)
    images = model.walk(
        stops,
        n,
        labels,
        lambda done: progress("walking", done, n),
        attributes=options.attributes,
        truncation=options.truncation,
    )
    return to_uint8(images)
