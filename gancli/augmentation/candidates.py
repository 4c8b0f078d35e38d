"""New images of a class: samples of consecutive seeds, and what three filters say of each.

agreement   the probability that a classifier of the training part gives the class asked for; kept from `Filters.agreement` on
copies      the ratio of the distances, in pixels, to the nearest and the second nearest training image; dropped below the 1 %
            quantile of real images that were not trained on (as `evaluation.metrics.copying`)
rank        the logit of D; dropped below the `Filters.rank` quantile of a fixed set of samples of the class

A sample has the pixels that `gan sample --label CLASS --seeds SEED` gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from gancli.augmentation.contracts import Pool
from gancli.augmentation.observer import look
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import Frozen
from gancli.evaluation.contracts import Extractor
from gancli.evaluation.metrics.copying import ratios
from gancli.evaluation.metrics.distances import nearest
from gancli.evaluation.metrics.pixels import shrunk
from gancli.inference.capabilities import Critical
from gancli.inference.generator import Model
from gancli.inference.rejection import FIRST_KNOWN, logits

AT_ONCE = 256  # candidates
KNOWN = 128  # samples of a class that the threshold of D's logit comes from
TRIES = 20  # candidates per image that is wanted, at most
QUANTILE = 0.01  # of real images, below which a sample counts as a copy
ENOUGH = (
    100  # validation images, from which on the quantile is theirs, else that of the training images among themselves
)
LOOKED_AT = 2000  # training images, for that
KEPT, LABEL, COPY, RANK, SPARE = "yes", "no: other class", "no: copy", "no: low rank", "no: enough"


class Filters(Frozen):
    """Which candidates are kept."""

    agreement: float = Field(0.5, ge=0, le=1, description="least probability of the class asked for; 0: off")
    copies: bool = Field(True, description="drop copies of training images")
    rank: float = Field(
        0.2, ge=0, lt=1, description="share of samples with the lowest logits of D that is dropped; 0: off"
    )


@dataclass(frozen=True)
class Candidates:
    """Samples of one class and what is known of them, in the order of their seeds."""

    label: int
    seeds: np.ndarray  # int64 [n]
    images: np.ndarray  # uint8 [n, C, H, W]
    agreement: np.ndarray  # float32 [n]
    nearest: np.ndarray  # int64 [n]: number of the nearest training image
    ratio: np.ndarray  # float64 [n]
    logit: np.ndarray | None  # float32 [n]; None: there is no D
    seen: np.ndarray  # int64 [n]: the class that the classifier gives
    lowest: float = -np.inf  # logit, below which a candidate is dropped

    def __len__(self) -> int:
        return len(self.seeds)

    def then(self, more: Candidates) -> Candidates:
        """With further candidates."""
        names = ("seeds", "images", "agreement", "nearest", "ratio", "seen")
        both: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(more, name)]) for name in names}
        logit = None if self.logit is None or more.logit is None else np.concatenate([self.logit, more.logit])
        return replace(self, **both, logit=logit)

    def fates(self, filters: Filters, threshold: float, wanted: int) -> np.ndarray:
        """What becomes of each candidate: KEPT, or why not, str [n]; the first filter that drops it counts."""
        out = np.full(len(self), KEPT, dtype=object)
        if filters.rank and self.logit is not None:
            out[self.logit < self.lowest] = RANK
        if filters.copies:
            out[self.ratio < threshold] = COPY
        out[self.agreement < filters.agreement] = LABEL
        out[np.flatnonzero(out == KEPT)[wanted:]] = SPARE
        return out


@dataclass(frozen=True)
class Maker:
    """Makes candidates and looks at them.

    Args:
        model: class-conditional.
        real: the training images.
        extractor: gives class probabilities.
        threshold: ratio of distances, below which a sample is a copy.
        seed: the first.
    """

    model: Model
    real: Pool
    extractor: Extractor
    threshold: float
    seed: int = 0

    def candidates(self, label: int, first: int, n: int, lowest: float | None = None) -> Candidates:
        """Candidates `first` to `first + n - 1` of a class."""
        seeds = [self.seed + first + i for i in range(n)]
        ask = self.model.from_seeds(seeds, [label] * n)
        made = self.model.generate(ask)
        assert isinstance(made, ImageSamples)
        seen = look(self.extractor, made.images)
        assert seen.probabilities is not None
        near, index = nearest(shrunk(made.images), shrunk(self.real.images))
        logit = logits(self.model, ask).numpy() if ranks(self.model) else None
        lowest = -np.inf if lowest is None else lowest
        return Candidates(
            label, np.array(seeds, np.int64), made.images, seen.probabilities[:, label], index[:, 0], ratios(near), logit,
            seen.probabilities.argmax(1), lowest,
        )  # fmt: skip

    def lowest(self, label: int, share: float) -> float:
        """The logit of D below which this share of the samples of a class is; -inf without D."""
        if not share or not ranks(self.model):
            return -np.inf
        ask = self.model.from_seeds([FIRST_KNOWN + i for i in range(KNOWN)], [label] * KNOWN)
        return float(np.quantile(logits(self.model, ask).numpy(), share))

    def enough(
        self, label: int, wanted: int, filters: Filters, kept: Callable[[int], None] = lambda _n: None
    ) -> Candidates:
        """Candidates of a class until so many are kept, or `TRIES` times as many have been looked at.

        Args:
            label: the class.
            wanted: images.
            filters: that keep or drop them.
            kept: called with the number of images that are kept so far.
        """
        lowest, most = self.lowest(label, filters.rank), TRIES * wanted + AT_ONCE
        found = self.candidates(label, 0, min(AT_ONCE, 2 * wanted + 8), lowest)
        while True:
            n = int((found.fates(filters, self.threshold, wanted) == KEPT).sum())
            kept(n)
            if n >= wanted or len(found) >= most:
                return found
            found = found.then(self.candidates(label, len(found), min(AT_ONCE, most - len(found)), lowest))


def ranks(model: Model) -> bool:
    """Whether there is a discriminator that ranks samples."""
    return isinstance(model.task, Critical) and "D" in model.nets


def conditional(model: Model, classes: int) -> None:
    """Raises UsageError if the model does not make images of the classes of the data."""
    if not model.conditional or len(model.labels) != classes or not model.choices.from_data:
        raise UsageError(
            f"this model is not conditional on the {classes} classes of the data",
            "gan train --preset augment makes one that is",
        )


def copy_threshold(real: Pool, validation: np.ndarray) -> float:
    """The ratio of distances below which a sample counts as a copy: the 1 % quantile of real images that are not among the others.

    Args:
        real: the training images.
        validation: uint8 [N, C, H, W].
    """
    base = shrunk(real.images)
    if len(validation) >= ENOUGH:
        return float(np.quantile(ratios(nearest(shrunk(validation), base)[0]), QUANTILE))
    query = base[:: -(-len(base) // LOOKED_AT)]
    distances, _ = nearest(query, base, 3)  # the first is the image itself, or its twin
    return float(np.quantile(ratios(distances[:, 1:]), QUANTILE))
