"""The new images of a run: candidates of each class that lacks some, what filters keep, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gancli.augmentation import candidates as c
from gancli.augmentation.candidates import Candidates, Filters, Maker
from gancli.augmentation.contracts import Pool
from gancli.augmentation.coverage import worth
from gancli.augmentation.observer import look
from gancli.augmentation.parts import Parts
from gancli.core.images import ImageSamples
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Extractor, Progress, silent
from gancli.evaluation.metrics.label_agreement import agreement, doubts
from gancli.inference.generator import Model

COPIED = 0.1  # share of candidates, from which on copies are a finding
MOST_ALONE = 500  # images of a class for the arm without real images
REASONS = {c.LABEL: "other class", c.COPY: "copies", c.RANK: "low rank"}


@dataclass(frozen=True)
class NewImages:
    """Candidates of the classes that are to get new images."""

    found: dict[int, Candidates]  # by class
    wanted: np.ndarray  # int64 [K]
    threshold: float  # of copies
    shape: tuple[int, ...]  # of an image

    def fates(self, label: int, filters: Filters) -> np.ndarray:
        """What becomes of each candidate of a class."""
        return self.found[label].fates(filters, self.threshold, int(self.wanted[label]))

    def kept(self, filters: Filters) -> Pool:
        """The images that the filters keep, class by class, in the order of their seeds."""
        empty = Pool(np.empty((0, *self.shape), np.uint8), np.empty(0, np.int64), len(self.wanted))
        own = [empty]
        for label, of in self.found.items():
            images = of.images[self.fates(label, filters) == c.KEPT]
            own.append(Pool(images, np.full(len(images), label, np.int64), len(self.wanted)))
        return Pool.joined(own)

    def counts(self, filters: Filters, names: tuple[str, ...]) -> dict[str, dict[str, int]]:
        """For each class how many are wanted, looked at and kept, and how many each filter drops."""
        out = {}
        for label in self.found:
            fates = self.fates(label, filters)
            used = fates[fates != c.SPARE]
            dropped = {reason: int((used == fate).sum()) for fate, reason in REASONS.items()}
            out[names[label]] = {
                "wanted": int(self.wanted[label]), "candidates": len(used), "kept": int((used == c.KEPT).sum()), **dropped
            }  # fmt: skip
        return out


def make(maker: Maker, wanted: np.ndarray, filters: Filters, progress: Progress = silent) -> NewImages:
    """Make candidates until each class has as many as are wanted, or too many have been tried."""
    found: dict[int, Candidates] = {}
    total = int(wanted.sum())

    def told(before: int, n: int) -> None:
        progress("new images", before + n, total)

    for label in np.flatnonzero(wanted).tolist():
        before = int(wanted[:label].sum())
        found[label] = maker.enough(label, int(wanted[label]), filters, partial(told, before))
    return NewImages(found, wanted, maker.threshold, maker.real.images.shape[1:])


def alone(model: Model, real: Pool, progress: Progress = silent) -> Pool:
    """Unfiltered images of all classes, as many as the largest class has (at most 500)."""
    n = min(MOST_ALONE, int(real.counts.max()))
    first = derive("augment", "alone") >> 1
    parts = []
    for label in range(real.classes):
        made = model.generate(model.from_seeds([first + i for i in range(n)], [label] * n))
        assert isinstance(made, ImageSamples)
        parts.append(Pool(made.images, np.full(n, label, np.int64), real.classes))
        progress("images of all classes", (label + 1) * n, n * real.classes)
    return Pool.joined(parts)


def described(new: NewImages, filters: Filters, parts: Parts, extractor: Extractor) -> dict[str, dict[str, Any]]:
    """By class: the counts of the filters, coverage of test images by the new ones, and how many real ones that equals."""
    out: dict[str, dict[str, Any]] = dict(new.counts(filters, parts.names))
    held = look(extractor, parts.test.images).features if len(parts.test) else np.empty((0, 1), np.float32)
    for label in new.found:
        kept = new.found[label].images[new.fates(label, filters) == c.KEPT]
        real = parts.real.images[parts.real.labels == label]
        of_new = None if not len(kept) else worth(held[parts.test.labels == label], look(extractor, kept).features)
        of_real = worth(held[parts.test.labels == label], look(extractor, real).features)
        out[parts.names[label]] |= {
            "coverage": None if of_new is None else of_new.coverage,
            "effective": None if of_new is None else of_new.effective,
            "limit": None if of_new is None else of_new.limit,
            "real": len(real),
            "coverage of real": None if of_real is None else of_real.coverage,
            "effective of real": None if of_real is None else of_real.effective,
        }
    return out


def findings(new: NewImages, every: Pool, parts: Parts, extractor: Extractor) -> list[str]:
    """Sentences on what is wrong with the generator: labels that it ignores, copies, images that are lacking.

    Args:
        new: candidates of the classes that get new images.
        every: unfiltered images of all classes.
        parts: of the data.
        extractor: gives class probabilities.
    """
    out = []
    held = parts.validation if len(parts.validation) >= len(parts.names) else parts.test
    seen, real_seen = (_seen(extractor, of.images) for of in (every, held))
    share, of_real = agreement(every.labels, seen), agreement(held.labels, real_seen) if len(held) else 1.0
    chance = 1 / len(parts.names)
    if share < chance + (of_real - chance) / 2:
        out.append(
            f"the generator ignores its labels: {share:.0%} of its samples are of the class that was requested (of real images"
            f" {of_real:.0%}, by chance {chance:.0%})"
        )
    else:
        out += doubts(every.labels, seen, held.labels, real_seen, parts.names).values()
    for label, found in new.found.items():
        copied = float((found.ratio < new.threshold).mean())
        if copied > COPIED:
            out.append(f"class {parts.names[label]}: {copied:.0%} of its samples are copies of training images")
    return out


def lacking(counts: dict[str, dict[str, Any]]) -> list[str]:
    """Sentences on classes that got fewer new images than are wanted."""
    return [
        f"class {name}: only {of['kept']:,} of {of['wanted']:,} new images, since filters dropped"
        f" {of['candidates'] - of['kept']:,} of {of['candidates']:,} samples"
        for name, of in counts.items()
        if of["kept"] < of["wanted"]
    ]


def _seen(extractor: Extractor, images: np.ndarray) -> np.ndarray:
    if not len(images):
        return np.empty(0, np.int64)
    found = look(extractor, images).probabilities
    assert found is not None
    return np.asarray(found.argmax(1), np.int64)
