"""What is asked of a trained task (`Ask`), and what it makes of it (`Samples`).

Journal, reports, evaluation, `--out` and the studio handle `Samples` alone: no code outside a task asks what kind of data it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator

from gancli.core.registry import Frozen


@dataclass(frozen=True)
class File:
    """A file's content and the suffix of its name."""

    suffix: str  # ".png", ".txt"
    content: bytes


class Samples(ABC):
    """N samples as they are saved: uint8 pictures, pairs of them, lines of text."""

    media: ClassVar[str]  # "image" or "text": how a viewer shows the rendered file

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, index: np.ndarray | slice) -> Self:
        """Some of the samples, in this order; a slice copies nothing."""

    @abstractmethod
    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        """All samples in one file: a grid with `columns` to a row, rows of input and output, lines.

        Args:
            columns: samples in a row; not given: as suits their number.
            recipe: where they come from, kept in the file where its format has a place for it.
        """

    @abstractmethod
    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:
        """The i-th sample as a file of its own."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """The samples as arrays, for .npz files."""

    @abstractmethod
    def vectors(self) -> np.ndarray:
        """Each sample as a vector, float32 [N, D]: a cheap measure of how far samples are from one another."""

    @abstractmethod
    def pack(self) -> dict[str, np.ndarray]:
        """All that it holds as numeric arrays [N, ...], to be sent to another process."""

    @classmethod
    @abstractmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        """What `pack` gave."""

    @classmethod
    @abstractmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """The samples of several chunks as one."""


class Ask(Frozen):
    """What is asked of a task: a schema with one entry for each sample, or one for all of them.

    Sample i depends on row i alone, whatever else is asked with it: the engine asks in padded chunks of one size.
    """

    needs: ClassVar[str] = "a request"  # what a sample is made from
    verb: ClassVar[str] = "gan sample"  # the command that asks so
    paired: ClassVar[bool] = False  # row i belongs to datum i of the data that it was made from: it has a target there

    def __len__(self) -> int:
        """The number of samples asked for."""
        raise NotImplementedError

    def rows(self, index: Sequence[int]) -> Self:
        """The same for some of the rows, in this order."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """A file name without its suffix for each row, distinct."""
        return [f"{i:06d}" for i in range(len(self))]


class FromSeeds(Ask):
    """Samples of seeds, conditional on labels or attributes where the task knows any."""

    needs: ClassVar[str] = "seeds"
    seeds: tuple[int, ...]
    labels: tuple[int, ...] | None = Field(None, description="class of each; not given: drawn from the seed")
    attributes: np.ndarray | None = Field(None, description="float32 [N, A]; not given: drawn from the seed")
    truncation: float = Field(1.0, ge=0, le=1, description="below 1: less variety, more quality")

    @field_validator("attributes", mode="before")
    @classmethod
    def _as_float32(cls, value: Any) -> Any:
        return None if value is None else np.asarray(value, np.float32)

    def __len__(self) -> int:
        return len(self.seeds)

    def rows(self, index: Sequence[int]) -> Self:
        labels = None if self.labels is None else tuple(self.labels[i] for i in index)
        attributes = None if self.attributes is None else self.attributes[list(index)]
        return self.replace(seeds=tuple(self.seeds[i] for i in index), labels=labels, attributes=attributes)

    def names(self) -> list[str]:
        return [f"seed{seed:06d}" for seed in self.seeds]


class FromInput(Ask):
    """One output for each input picture: translation, restoration."""

    needs: ClassVar[str] = "input pictures"
    verb: ClassVar[str] = "gan apply"
    paired: ClassVar[bool] = True
    images: np.ndarray = Field(description="uint8 [N, C, H, W]")
    masks: np.ndarray | None = Field(None, description="uint8 [N, 1, H, W], 255 in the hole")
    seeds: tuple[int, ...] | None = Field(None, description="of the noise, where there are many answers to one input")
    direction: str = Field("", description="which of the task's mappings; empty: its first")

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, index: Sequence[int]) -> Self:
        at = list(index)
        masks = None if self.masks is None else self.masks[at]
        seeds = None if self.seeds is None else tuple(self.seeds[i] for i in at)
        return self.replace(images=self.images[at], masks=masks, seeds=seeds)


class FromPrompt(FromSeeds):
    """Lines of text, each from a seed, after a prompt."""

    prompt: str = ""
    temperature: float = Field(1.0, gt=0)
