"""Lines of text as samples, and their units: characters or words."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from gancli.core.samples import File, Samples

MAX_BYTES = 4096  # of a line, as UTF-8
JOINER = "\u200d"  # joins two emoji to one


@dataclass(frozen=True)
class TextSamples(Samples):
    """Lines of text, with their labels."""

    media: ClassVar[str] = "text"
    forms: ClassVar[tuple[str, ...]] = (".jsonl",)
    lines: tuple[str, ...]
    labels: np.ndarray | None = None  # int64 [N]
    words: bool = False  # whether their units are words, between spaces; False: characters

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, index: np.ndarray | slice) -> Self:
        if isinstance(index, np.ndarray) and index.dtype == bool:
            index = np.flatnonzero(index)
        at = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        labels = None if self.labels is None else self.labels[index]
        return type(self)(tuple(self.lines[i] for i in at), labels, self.words)

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:  # noqa: ARG002
        return File(".txt", "".join(f"{line}\n" for line in self.lines).encode())

    def table(self, rows: Sequence[Mapping[str, Any]]) -> File:
        objects = ({"text": line, **row} for line, row in zip(self.lines, rows, strict=True))
        return File(".jsonl", "".join(f"{json.dumps(o, ensure_ascii=False)}\n" for o in objects).encode())

    def excerpt(self, n: int) -> list[str]:
        return list(self.lines[:n])

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
        words = {"words": np.ones(len(raw), np.uint8)} if self.words else {}
        return {"lines": out, **({} if self.labels is None else {"labels": self.labels}), **words}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        lines = tuple(row[row != 0xFF].tobytes().decode() for row in arrays["lines"])
        return cls(lines, arrays.get("labels"), "words" in arrays)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        labels = [p.labels for p in parts if p.labels is not None]
        lines = tuple(line for p in parts for line in p.lines)
        return cls(lines, np.concatenate(labels) if labels else None, any(p.words for p in parts))


def units(line: str, words: bool) -> list[str]:
    """The words or characters of a line.

    Args:
        line: of text.
        words: whether they are words, between white space.

    Returns:
        The units in their order.
    """
    return line.split() if words else characters(line)


def characters(line: str) -> list[str]:
    """The characters of a line as a reader counts them.

    An approximation of the grapheme clusters of Unicode's Annex 29: combining marks, variation selectors, skin tones and
    tags belong to what they follow; a joiner joins two emoji, and two regional indicators are one flag.

    Args:
        line: of text.

    Returns:
        The characters, each of one or more code points; joined they are the line.
    """
    if line.isascii():
        return list(line)
    out: list[str] = []
    for c in line:
        if out and (_extends(c) or out[-1].endswith(JOINER) or (_regional(c) and _regional(out[-1]))):
            out[-1] += c
        else:
            out.append(c)
    return out


def _extends(c: str) -> bool:
    """Whether a code point belongs to the one before it."""
    return (
        c == JOINER
        or "\U0001f3fb" <= c <= "\U0001f3ff"
        or "\U000e0020" <= c <= "\U000e007f"
        or (unicodedata.category(c) in ("Mn", "Me", "Mc"))
    )


def _regional(text: str) -> bool:
    """Whether a text is one regional indicator, half of a flag."""
    return len(text) == 1 and "\U0001f1e6" <= text <= "\U0001f1ff"
