"""The contract of baselines that are sampled, such as n-gram models of text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from gancli.core.registry import Part
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Progress, silent


class Generative(Part, ABC):
    """A generative model that is no GAN, fitted to the training data: its samples are scored as those of a model.

    Attributes:
        accepts: the type of samples.
    """

    kind: ClassVar[str] = "baseline"
    accepts: ClassVar[type[Samples]]

    @abstractmethod
    def samples(self, train: Samples, n: int, seed: int, progress: Progress = silent) -> dict[str, Samples]:
        """Fit and sample.

        Args:
            train: the training data.
            n: number of samples.
            seed: of the samples.
            progress: called with what is done, steps done and all steps.

        Returns:
            Samples by the name of the baseline; one part may have several, such as n-grams of several orders.
        """
