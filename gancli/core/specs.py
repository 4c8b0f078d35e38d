"""The kinds of data, and mappings of images. The docstring of each kind names the fields of its batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from gancli.core.data import Spec
from gancli.core.registry import of_kind

Side = Annotated[int, Field(strict=True, ge=1, le=4096)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**24)]


class Images(Spec):
    """Images: `real` [N, C, H, W]; `label` [N] and `attributes` [N, A] if the data has them."""

    name: ClassVar[str] = "images"
    channels: Side = Field(description="1: grayscale, 3: RGB")
    height: Side = Field(description="in pixels")
    width: Side = Field(description="in pixels")
    classes: Count = Field(0, description="labels are 0 .. classes - 1; 0: no labels")
    attributes: Count = Field(0, description="number of attributes of each image; 0: none")

    def describe(self) -> str:
        classes = f", {self.classes} classes" if self.classes else ""
        return f"images {self.size}{classes}"

    @property
    def size(self) -> str:
        """Channels, height and width, as in `3x32x32`."""
        return f"{self.channels}x{self.height}x{self.width}"


class Pairs(Spec):
    """Aligned pairs of images of the same size: `source` [N, C, H, W] (A) and `real` [N, C', H, W] (B)."""

    name: ClassVar[str] = "pairs"
    source: Annotated[Images, *of_kind("spec")] = Field(description="images A")
    target: Annotated[Images, *of_kind("spec")] = Field(description="images B")

    def describe(self) -> str:
        return f"pairs of images {self.source.size} and {self.target.size}"


class Domains(Spec):
    """Images of two domains without alignment: `a` [N, C, H, W] and `b` [N, C', H', W'], shuffled independently."""

    name: ClassVar[str] = "domains"
    a: Annotated[Images, *of_kind("spec")] = Field(description="images of domain A")
    b: Annotated[Images, *of_kind("spec")] = Field(description="images of domain B")

    def describe(self) -> str:
        return f"images of two domains, {self.a.size} and {self.b.size}"


class Degraded(Spec):
    """Degraded images `source` [N, C, H / scale, W / scale] and originals `real` [N, C, H, W], with `mask` [N, 1, H, W] if any.

    In the mask, 1 is missing.
    """

    name: ClassVar[str] = "degraded"
    image: Annotated[Images, *of_kind("spec")] = Field(description="the images")
    mask: bool = Field(False, description="whether batches have a mask of missing pixels")
    scale: Annotated[int, Field(strict=True, ge=1, le=64)] = Field(
        1, description="height and width of the images as multiples of those of the degraded images"
    )

    def describe(self) -> str:
        smaller = f", {self.scale} times smaller" if self.scale > 1 else ""
        return f"degraded images {self.image.size}{smaller}{' with masks' if self.mask else ''}"


class Tokens(Spec):
    """Sequences of tokens: `tokens` int64 [N, L], padded with 0; `label` [N] if the data has labels."""

    name: ClassVar[str] = "tokens"
    unit: ClassVar[str] = "lines"
    length: int = Field(strict=True, ge=1, le=65_536, description="tokens in a sequence")
    vocabulary: int = Field(strict=True, ge=2, le=2**24, description="tokens are 0 .. vocabulary - 1; 0 is padding")
    classes: Count = Field(0, description="labels are 0 .. classes - 1; 0: no labels")
    words: tuple[str, ...] = Field(
        (), description="the characters or words that tokens stand for, by token; empty: none"
    )
    separator: str = Field("", description="between two tokens of a line: a space for words")

    @model_validator(mode="after")
    def _each_token_has_a_word(self) -> Tokens:
        if self.words and len(self.words) != self.vocabulary:
            raise ValueError(f"{len(self.words)} words for {self.vocabulary} tokens")
        return self

    def describe(self) -> str:
        return f"sequences of {self.length} tokens, vocabulary of {self.vocabulary:,}"


@dataclass(frozen=True)
class ImageMap:
    """A mapping of images to images that a task learns.

    Attributes:
        source: channels of the input and the size of the training images.
        target: channels of the output.
        grid: an input shifted by a multiple of it gives the shifted output; inputs are divided at multiples of it.
        reach: how many pixels around it an output pixel depends on, apart from statistics of normalization; None: on the
            whole image, which cannot be divided into tiles.
        answers: whether outputs depend on a seed, so that an input has several.
        scale: height and width of the output as multiples of those of the input.
        masks: whether the input has a mask of missing pixels.
    """

    source: Images
    target: Images
    grid: int = 1
    reach: int | None = None
    answers: bool = False
    scale: int = 1
    masks: bool = False
