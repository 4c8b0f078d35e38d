"""Requests to a trained model (`Ask`) and their results (`Samples`).

Journal, reports, evaluation and `--out` use only the interface of `Samples`, whatever the kind of data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from pydantic import Field, field_validator

from gancli.core.errors import UsageError
from gancli.core.registry import Frozen


@dataclass(frozen=True)
class File:
    """The content of a file, with the suffix of its name."""

    suffix: str  # ".png", ".txt"
    content: bytes


class Samples(ABC):
    """N samples in the form in which they are saved: uint8 images, pairs of images, or lines of text.

    Attributes:
        media: "image" or "text", the type of a rendered file.
        forms: suffixes of files of all samples, in addition to that of `render`.
    """

    media: ClassVar[str]
    forms: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, index: np.ndarray | slice) -> Self:
        """Select samples.

        Args:
            index: a slice, which makes no copy; indices int64 [n] in the order to select; or a mask bool [N].

        Returns:
            The selected samples.
        """

    @abstractmethod
    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        """Render all samples as one file: a grid of images or lines of text.

        Args:
            columns: samples per row; default: depends on N.
            recipe: provenance (model, seed, options), stored in the file if its format allows; `classes`, the names by
                label, become titles of labeled images.

        Returns:
            The file.
        """

    def table(self, rows: Sequence[Mapping[str, Any]]) -> File:  # noqa: ARG002
        """Render all samples with what belongs to each, one JSON object per line.

        Args:
            rows: of each sample, such as its seed.

        Raises:
            UsageError: samples of this kind cannot be written in JSON.
        """
        raise UsageError("these samples cannot be written as .jsonl", f"use {self.render().suffix} or a folder")

    def excerpt(self, n: int) -> list[str]:  # noqa: ARG002
        """The first n samples as lines for a terminal; none for samples that cannot be shown there."""
        return []

    @abstractmethod
    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:
        """Render one sample as a file.

        Args:
            i: index of the sample.
            recipe: as in `render`.

        Returns:
            The file.
        """

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """The samples as named arrays [N, ...] for .npz files; images are [N, H, W, C]."""

    @abstractmethod
    def vectors(self) -> np.ndarray:
        """The samples as vectors float32 [N, D], for cheap distances between samples."""

    @abstractmethod
    def pack(self) -> dict[str, np.ndarray]:
        """All fields as numeric arrays [N, ...], for transfer to another process; the inverse of `unpack`."""

    @classmethod
    @abstractmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        """Restore samples from the arrays that `pack` returned."""

    @classmethod
    @abstractmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Concatenate samples, such as those of several chunks."""


class Ask(Frozen):
    """A request for samples. Each field has one row per sample, or one value for all.

    Sample i must depend only on row i, because the engine divides requests into chunks of equal size, with padding.

    Attributes:
        needs: the kind of input, for messages.
        verb: the command that makes such requests.
        example: its arguments after the name of the run; SUFFIX is that of a rendered file.
        paired: whether row i was made from datum i of a data set, which has a target for it.
        usual: default number of samples.
        printed: whether samples are printed if no file is named.
        internal: fields that forms do not show.
    """

    needs: ClassVar[str] = "a request"
    verb: ClassVar[str] = "gan sample"
    example: ClassVar[str] = "--n 64 --out samplesSUFFIX"
    paired: ClassVar[bool] = False
    usual: ClassVar[int] = 64
    printed: ClassVar[bool] = False
    internal: ClassVar[tuple[str, ...]] = ()

    def __len__(self) -> int:
        """The number of samples requested."""
        raise NotImplementedError

    def rows(self, index: Sequence[int]) -> Self:
        """The request for some of the rows.

        Args:
            index: the rows, in the order to select.
        """
        raise NotImplementedError

    def names(self) -> list[str]:
        """A unique file name, without suffix, for each row."""
        return [f"{i:06d}" for i in range(len(self))]


class FromSeeds(Ask):
    """A request for one sample per seed, with labels or attributes for a conditional model."""

    needs: ClassVar[str] = "seeds"
    seeds: tuple[int, ...]
    labels: tuple[int, ...] | None = Field(None, description="class of each sample; default: sampled from the seed")
    attributes: np.ndarray | None = Field(None, description="float32 [N, A]; default: sampled from the seed")
    truncation: float = Field(1.0, ge=0, le=1, description="truncation psi; below 1: less diversity, higher quality")

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
    """A request for one output per input image, for translation or restoration."""

    needs: ClassVar[str] = "input images"
    verb: ClassVar[str] = "gan apply"
    example: ClassVar[str] = "photo.png --out outputSUFFIX"
    paired: ClassVar[bool] = True
    images: np.ndarray = Field(description="uint8 [N, C, H, W]")
    masks: np.ndarray | None = Field(None, description="uint8 [N, 1, H, W]; 255: missing")
    seeds: tuple[int, ...] | None = Field(None, description="seeds of the noise, if outputs are stochastic")
    direction: str = Field("", description="the mapping to apply, if the task has several; empty: the first")
    targets: np.ndarray | None = Field(None, description="uint8 [N, C', H, W], shown with the outputs in previews")

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, index: Sequence[int]) -> Self:
        at = list(index)
        masks = None if self.masks is None else self.masks[at]
        seeds = None if self.seeds is None else tuple(self.seeds[i] for i in at)
        targets = None if self.targets is None else self.targets[at]
        return self.replace(images=self.images[at], masks=masks, seeds=seeds, targets=targets)


class FromPrompt(FromSeeds):
    """A request for lines of text that continue a prompt, one per seed."""

    example: ClassVar[str] = "--n 20"
    usual: ClassVar[int] = 20
    printed: ClassVar[bool] = True
    internal: ClassVar[tuple[str, ...]] = ("truncation", "unknown")
    prompt: str = Field("", description="how each line begins")
    temperature: float = Field(
        1.0, gt=0, le=100, description="the logits are divided by it; below 1: less diversity, higher quality"
    )
    unknown: bool = Field(False, description="whether lines may contain the token of rare words and characters")


A = TypeVar("A", bound=Ask)


def with_options(ask: A, options: Mapping[str, Any]) -> A:
    """The request with options of its kind.

    Args:
        ask: the request.
        options: by name; those that are None are left out.

    Raises:
        UsageError: requests of this kind have no such option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given.keys() - type(ask).model_fields.keys():
        raise UsageError(f"this model has no --{name}", f"leave --{name} away")
    return ask.replace(**given) if given else ask
