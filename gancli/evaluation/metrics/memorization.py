"""Memorization: does the generator repeat its training images?

Each sample's nearest training images, in features and in pixels, against the same of the held-out reals: what a sample that was
not copied would get. The statistics are in `copying.py`. Held-out reals need to come from where the training images come from: where
they do not, everything looks a little like a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from gancli.evaluation.contracts import Metric, Score, Side, Subject
from gancli.evaluation.metrics.copying import (
    Copies,
    authentic_share,
    copied_share,
    copy_test,
    ratios,
    three_sample_test,
)
from gancli.evaluation.metrics.distances import nearest
from gancli.evaluation.metrics.kmeans import assign, kmeans
from gancli.evaluation.metrics.pixels import pixels
from gancli.evaluation.metrics.resampling import binomial
from gancli.evaluation.results import Pair


@dataclass(frozen=True)
class Near:
    """The two nearest training images of each of N images, ascending."""

    distances: np.ndarray  # float64 [N, 2]
    indices: np.ndarray  # int64 [N, 2]


@dataclass(frozen=True)
class Looks:
    """Neighbours of samples and held-out reals in one space."""

    held: Near
    fake: Near


class Memorization(Metric):
    name = "memorization"
    gives = ("ct", "authpct", "copied", "copied-p")
    space = "both"
    floor = "own"
    pairs: int = Field(8, ge=0, description="closest pairs that are kept for the picture")
    cells: int = Field(20, ge=1, description="cells of C_T at most; fewer where one would hold less than 100 images")

    def objection(self, subject: Subject) -> str:
        few = min(len(subject.train), len(subject.real), len(subject.fake))
        return "fewer than 20 samples or reals" if few < 20 else ""

    def compute(self, subject: Subject) -> dict[str, Score]:
        train, held = subject.train, subject.real
        features = Looks(
            subject.shared_by_reals(
                "near in features", lambda: _near(held.extracted.features, train.extracted.features)
            ),
            _near(subject.fake.extracted.features, train.extracted.features),
        )
        small = subject.shared_by_reals("train pixels", lambda: pixels(train.images))
        raw = Looks(
            subject.shared_by_reals("near in pixels", lambda: _near(pixels(held.images), small)),
            _near(pixels(subject.fake.images), small),
        )
        chosen = self._pairs(subject, raw.fake)
        subject.shared("pairs", lambda: chosen)
        return {**self._ct(subject, features), **_authentic(subject, features), **_copied(subject, features, raw)}

    def _ct(self, subject: Subject, looks: Looks) -> dict[str, Score]:
        few = min(len(subject.real), len(subject.fake))
        k = max(1, min(self.cells, few // 100))
        train = subject.train.extracted.features
        centres = subject.shared_by_reals(f"cells {k}", lambda: kmeans(train, k, subject.seed))
        held_cells, fake_cells = (assign(s.features, centres) for s in (subject.real, subject.fake))
        held, fake = looks.held.distances[:, 0], looks.fake.distances[:, 0]
        value, error = three_sample_test(held, fake, held_cells, fake_cells)
        odd = np.arange(len(held)) % 2 == 1
        floor, floor_error = three_sample_test(held[odd], held[~odd], held_cells[odd], held_cells[~odd])
        meaning = "z-score; far below 0: nearer to training images than reals are"
        how = "analytic, if nothing is copied"
        return {"ct": Score(value, meaning, "floor", error, how, floor, floor_error)}

    def _pairs(self, subject: Subject, near: Near) -> tuple[Pair, ...]:
        ratio = ratios(near.distances)
        order = np.lexsort((near.distances[:, 0], ratio))[: self.pairs]
        return tuple(
            Pair(
                subject.fake.original(i),
                subject.train.original(int(near.indices[i, 0])),
                float(near.distances[i, 0]),
                float(ratio[i]),
                subject.fake.images[i],
                subject.train.images[near.indices[i, 0]],
            )
            for i in order
        )


def _near(query: np.ndarray, base: np.ndarray) -> Near:
    return Near(*nearest(query, base, 2))


def _of_nearest(side: Side, near: Near) -> np.ndarray:
    """The distance of each image's nearest training image to its own nearest, [N]."""
    train = side.extracted.features
    unique, back = np.unique(near.indices[:, 0], return_inverse=True)
    distances, indices = nearest(train[unique], train, 2)
    other = np.where(indices[:, 0] == unique, distances[:, 1], distances[:, 0])  # not itself, twins included
    found: np.ndarray = other[back]
    return found


def _authentic(subject: Subject, looks: Looks) -> dict[str, Score]:
    held = subject.shared_by_reals("of nearest", lambda: _of_nearest(subject.train, looks.held))
    value = authentic_share(looks.fake.distances[:, 0], _of_nearest(subject.train, looks.fake))
    floor = authentic_share(looks.held.distances[:, 0], held)
    n, m = len(looks.held.distances), len(looks.fake.distances)
    meaning = "% of samples that stand apart from training images"
    error, floor_error = 100 * binomial(value, m), 100 * binomial(floor, n)
    return {"authpct": Score(100 * value, meaning, "floor", error, "binomial", 100 * floor, floor_error)}


def _copied(subject: Subject, features: Looks, raw: Looks) -> dict[str, Score]:
    cells = (subject.real.predicted, subject.fake.predicted) if subject.columns else (None, None)
    out: dict[str, Score] = {}
    chances = []
    for name, looks in (("copied", features), ("copied@pixels", raw)):
        held, fake = ratios(looks.held.distances), ratios(looks.fake.distances)
        found: Copies = copied_share(held, fake)
        chances.append(copy_test(held, fake, *cells))
        meaning = "share of samples that repeat a training image"
        detail = {"threshold": found.threshold, "p": chances[-1]}
        out[name] = Score(found.share, meaning, "lower", found.error, "binomial", 0.0, None, detail)
    p = min(1.0, 2 * min(chances))
    meaning = "chance of so many near copies if nothing was copied; see `copied` for how many"
    out["copied-p"] = Score(p, meaning, "higher", None, "exact within classes (hypergeometric), Bonferroni")
    return out
