"""Lines of text as samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from gancli.core.samples import File, Samples

MAX_BYTES = 4096  # of a line in `pack`


@dataclass(frozen=True)
class TextSamples(Samples):
    """Lines of text, with their labels."""

    media: ClassVar[str] = "text"
    lines: tuple[str, ...]
    labels: np.ndarray | None = None  # int64 [N]

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, index: np.ndarray | slice) -> Self:
        at = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        return type(self)(tuple(self.lines[i] for i in at), None if self.labels is None else self.labels[index])

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:  # noqa: ARG002
        return File(".txt", "".join(f"{line}\n" for line in self.lines).encode())

    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:  # noqa: ARG002
        return File(".txt", f"{self.lines[i]}\n".encode())

    def arrays(self) -> dict[str, np.ndarray]:
        return {"lines": np.array(self.lines), **({} if self.labels is None else {"labels": self.labels})}

    def vectors(self) -> np.ndarray:
        """Histograms of the UTF-8 bytes of each line, float32 [N, 256]."""
        return np.stack(
            [np.bincount(np.frombuffer(line.encode(), np.uint8), minlength=256) for line in self.lines]
        ).astype(np.float32)

    def pack(self) -> dict[str, np.ndarray]:
        """Lines as UTF-8 bytes, padded with 0xff, which does not occur in UTF-8."""
        raw = [np.frombuffer(line.encode(), np.uint8) for line in self.lines]
        out = np.full((len(raw), MAX_BYTES), 0xFF, np.uint8)
        for row, line in zip(out, raw, strict=True):
            row[: len(line)] = line
        return {"lines": out, **({} if self.labels is None else {"labels": self.labels})}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        return cls(tuple(row[row != 0xFF].tobytes().decode() for row in arrays["lines"]), arrays.get("labels"))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        labels = [p.labels for p in parts if p.labels is not None]
        return cls(tuple(line for p in parts for line in p.lines), np.concatenate(labels) if labels else None)
