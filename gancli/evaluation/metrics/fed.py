"""Frechet embedding distance (FED, 1905.09922, section 3): FID of features of lines, such as the states of a language model."""

from __future__ import annotations

from typing import ClassVar

from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.evaluation.contracts import Inputs, Score
from gancli.evaluation.metrics.fid import FID


class FED(FID):
    name = "fed"
    accepts: ClassVar[type[Samples]] = TextSamples
    gives = ("fed",)
    rank = 13
    headlines = gives

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        return {"fed": super().compute(inputs)["fid"]}
