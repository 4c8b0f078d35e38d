"""Memorization: does the generator repeat its training images?

Each sample's nearest training images, in features and in pixels, against the same of reals that were not trained on: what a sample
that was not copied would get. The statistics are in `copying.py`. These reals need to come from where the training images come from:
where they do not, everything looks a little like a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from gancli.evaluation.contracts import Inputs, Metric, Score
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
from gancli.evaluation.results import Pair, Pairs

UNLIKELY, MANY = 0.05, 0.01  # below this chance, and from this share of copies on, there is an alarm


@dataclass(frozen=True)
class Near:
    """The two nearest training images of each of N images, ascending."""

    distances: np.ndarray  # float64 [N, 2]
    indices: np.ndarray  # int64 [N, 2]


@dataclass(frozen=True)
class Looks:
    """Neighbors of samples and of reals that were not trained on, in one space."""

    held: Near
    fake: Near


class Memorization(Metric):
    name = "memorization"
    gives = ("copied-p", "copied", "ct", "authpct")
    space = "both"
    whole_train = True
    rank = 70
    headlines = ("copied-p",)
    pairs: int = Field(8, ge=0, description="closest pairs that are kept for the picture")
    cells: int = Field(20, ge=1, description="cells of C_T at most; fewer where one would hold less than 100 images")

    def objection(self, inputs: Inputs) -> str:
        few = min(len(inputs.train), len(inputs.real), len(inputs.fake))
        return "fewer than 20 samples or reals" if few < 20 else ""

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        base = inputs.train.extracted.features
        features = Looks(_held_near(inputs), _near(inputs.fake.extracted.features, base))
        small = inputs.train.view(pixels)
        held = inputs.shared_by_reals("near in pixels", lambda: _near(inputs.real.view(pixels), small))
        raw = Looks(held, _near(inputs.fake.view(pixels), small))
        chosen = self._pairs(inputs, raw.fake)
        inputs.shared("pairs", lambda: chosen)
        return {**self._ct(inputs, features), **_authentic(inputs, features), **_copied(inputs, features, raw)}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        """The reference score is that of reals: in C_T, of one half of them against the other."""
        distances = _held_near(inputs).distances[:, 0]
        cells = assign(inputs.real.features, self._centres(inputs))
        odd = np.arange(len(distances)) % 2 == 1
        ct = three_sample_test(distances[odd], distances[~odd], cells[odd], cells[~odd])
        share = authentic_share(distances, _held_of_nearest(inputs))
        none = Score(0.0, "nothing is copied")
        found = {
            "ct": Score(ct[0], "reals", error=ct[1]),
            "authpct": Score(100 * share, "reals", error=100 * binomial(share, len(distances))),
            "copied": none,
            "copied@pixels": none,
        }
        return {"reference": found}

    def _centres(self, inputs: Inputs) -> np.ndarray:
        """Of the cells of C_T."""
        k = max(1, min(self.cells, min(len(inputs.real), len(inputs.fake)) // 100))
        train = inputs.train.extracted.features
        return inputs.shared_by_reals(f"cells {k}", lambda: kmeans(train, k, inputs.seed))

    def _ct(self, inputs: Inputs, looks: Looks) -> dict[str, Score]:
        centres = self._centres(inputs)
        held_cells, fake_cells = (assign(s.features, centres) for s in (inputs.real, inputs.fake))
        held, fake = looks.held.distances[:, 0], looks.fake.distances[:, 0]
        value, error = three_sample_test(held, fake, held_cells, fake_cells)
        meaning = "z-score; far below 0: nearer to training images than reals are"
        return {"ct": Score(value, meaning, "reference", error, "analytic, if nothing is copied")}

    def _pairs(self, inputs: Inputs, near: Near) -> Pairs:
        ratio = ratios(near.distances)
        order = np.lexsort((near.distances[:, 0], ratio))[: self.pairs]
        nearest = near.indices[order, 0]
        found = tuple(
            Pair(inputs.fake.original(i), inputs.train.original(int(j)), float(near.distances[i, 0]), float(ratio[i]))
            for i, j in zip(order, nearest, strict=True)
        )
        return Pairs(found, inputs.fake.take(order), inputs.train.take(nearest))


def _near(query: np.ndarray, base: np.ndarray) -> Near:
    return Near(*nearest(query, base, 2))


def _held_near(inputs: Inputs) -> Near:
    """In features."""
    reals, train = inputs.real, inputs.train
    return inputs.shared_by_reals("near in features", lambda: _near(reals.extracted.features, train.extracted.features))


def _of_nearest(train: np.ndarray, near: Near) -> np.ndarray:
    """The distance of each sample's nearest training sample to its own nearest, [N]; train [M, d]."""
    unique, back = np.unique(near.indices[:, 0], return_inverse=True)
    distances, indices = nearest(train[unique], train, 2)
    other = np.where(indices[:, 0] == unique, distances[:, 1], distances[:, 0])  # not itself, twins included
    found: np.ndarray = other[back]
    return found


def _held_of_nearest(inputs: Inputs) -> np.ndarray:
    train = inputs.train.extracted.features
    return inputs.shared_by_reals("of nearest", lambda: _of_nearest(train, _held_near(inputs)))


def _authentic(inputs: Inputs, looks: Looks) -> dict[str, Score]:
    value = authentic_share(looks.fake.distances[:, 0], _of_nearest(inputs.train.extracted.features, looks.fake))
    meaning, error = "% of samples that stand apart from training images", 100 * binomial(value, len(inputs.fake))
    return {"authpct": Score(100 * value, meaning, "reference", error, "binomial")}


def _copied(inputs: Inputs, features: Looks, raw: Looks) -> dict[str, Score]:
    cells = (inputs.real.predicted, inputs.fake.predicted) if inputs.columns else (None, None)
    out: dict[str, Score] = {}
    chances = []
    for name, looks in (("copied", features), ("copied@pixels", raw)):
        held, fake = ratios(looks.held.distances), ratios(looks.fake.distances)
        found: Copies = copied_share(held, fake)
        chances.append(copy_test(held, fake, *cells))
        meaning = "share of samples that repeat a training image"
        detail = {"threshold": found.threshold, "p": chances[-1]}
        each = tuple(fake.tolist())  # distance to the nearest training image over that to the second nearest
        out[name] = Score(found.share, meaning, "lower", found.error, "binomial", detail=detail, values=each)
    p = min(1.0, 2 * min(chances))
    meaning = "chance of so many near copies if nothing was copied; see `copied` for how many"
    how = "exact within classes (hypergeometric), Bonferroni"
    alarm = p < UNLIKELY and out["copied"].value >= MANY
    out["copied-p"] = Score(p, meaning, "higher", None, how, alarm=alarm)
    return out
