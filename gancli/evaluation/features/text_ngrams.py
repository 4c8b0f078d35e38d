"""`text-ngrams`: hashed counts of the 1- to 3-grams of a line, projected to 256 numbers; nothing is learned."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from gancli.core.data import Dataset
from gancli.core.samples import Samples
from gancli.core.seeds import generator
from gancli.core.text import TextSamples, units
from gancli.evaluation.contracts import Extractor, Features, Passed, Progress, silent
from gancli.evaluation.weights import sha256

BUCKETS, WIDTH, LARGEST = 4096, 256, 3


class TextNgrams(Features):
    name = "text-ngrams"
    accepts: ClassVar[type[Samples]] = TextSamples
    seed: int = Field(0, description="of the projection")

    @classmethod
    def suits(cls, train: Dataset) -> int:  # noqa: ARG003
        return 1

    def prepare(
        self,
        train: Dataset,  # noqa: ARG002
        cache_dir: Path,  # noqa: ARG002
        device: torch.device,  # noqa: ARG002
        progress: Progress = silent,  # noqa: ARG002
    ) -> Extractor:
        projection = torch.randn(BUCKETS, WIDTH, generator=generator("text-ngrams", self.seed)) / BUCKETS**0.5
        digest = sha256(projection.numpy().tobytes())

        def forward(samples: Any) -> Passed:
            return torch.from_numpy(hashed(samples)) @ projection, None

        label = self.name if self.seed == 0 else f"{self.name}-{self.seed}"
        return Extractor(label, digest, f"CRC-32 of 1- to {LARGEST}-grams modulo {BUCKETS}, log(1 + count)", forward)


def hashed(samples: TextSamples) -> np.ndarray:
    """log(1 + count) of the n-grams of each line by their hash, float32 [N, 4096]."""
    out = np.zeros((len(samples), BUCKETS), np.float32)
    for row, line in zip(out, samples.lines, strict=True):
        whole = [*units(line, samples.words), "\n"]
        for n in range(1, LARGEST + 1):
            for i in range(len(whole) - n + 1):
                row[zlib.crc32("\0".join(whole[i : i + n]).encode()) % BUCKETS] += 1
    return np.log1p(out)
