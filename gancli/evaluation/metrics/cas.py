"""Classification accuracy score (1905.10887): train a classifier on labelled samples, test it on held-out reals.

Only for conditional generators: each sample has the label that it was asked for. The classifier is small and trained in one thread, so that
the score does not depend on the machine's cores. The floor is the accuracy after training on as many real images: here, higher is better.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from pydantic import Field

from gancli.evaluation.contracts import Metric, Score, Subject
from gancli.evaluation.features.classifier import square
from gancli.evaluation.features.convnet import Plan, forward, resized, train
from gancli.evaluation.metrics.label_agreement import agreement, by_class
from gancli.evaluation.metrics.resampling import binomial


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread, for sums that come out the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predictions(
    images: np.ndarray, labels: np.ndarray, test: np.ndarray, classes: int, epochs: float, seed: int
) -> np.ndarray:
    """Classes [M] that a net trained on (images uint8 [N, C, H, W], labels [N]) gives to `test` [M, C, H, W]."""
    size = square(images, largest=28)
    plan = Plan(images.shape[1], classes, widths=(16, 32, 64), pool_after=(0, 1))
    steps = max(60, round(epochs * len(images) / 64))
    with one_thread():
        x, y = torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels)
        weights = train(plan, x, y, size, steps, seed, what="accuracy score", lr=1e-2)
        with torch.inference_mode():
            parts = [
                forward(weights, plan, resized(torch.from_numpy(np.ascontiguousarray(test[i : i + 64])), size))[
                    1
                ].argmax(1)
                for i in range(0, len(test), 64)
            ]
    out: np.ndarray = torch.cat(parts).numpy()
    return out


class CAS(Metric):
    name = "cas"
    gives = ("cas",)
    space = "pixels"
    epochs: float = Field(3.0, gt=0, description="passes over the samples (at least 60 steps of 64)")

    def objection(self, subject: Subject) -> str:
        if subject.fake.labels is None:
            return "the samples have no labels (the generator is not conditional)"
        if subject.real.labels is None or len(subject.classes) < 2:
            return "the data has no labels"
        return ""

    def compute(self, subject: Subject) -> dict[str, Score]:
        fake, real = subject.fake, subject.real
        assert fake.labels is not None and real.labels is not None  # noqa: PT018
        found = predictions(fake.images, fake.labels, real.images, len(subject.classes), self.epochs, subject.seed)
        value = agreement(real.labels, found)
        named = by_class(real.labels, found, subject.classes) if len(subject.classes) <= 100 else {}
        meaning = "accuracy on reals after training on samples"
        error = binomial(value, len(real))
        return {"cas": Score(value, meaning, "higher", error, "binomial, over the held-out reals", detail=named)}
