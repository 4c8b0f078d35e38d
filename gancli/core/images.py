"""Conversion of images to uint8, grids, PNG files with metadata; samples of images and of image pairs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from gancli.core.errors import DivergedError
from gancli.core.samples import File, Samples
from gancli.core.titles import GAP, columns_for, titled, titles


def to_uint8(x: Tensor) -> np.ndarray:
    """Convert images to uint8, rounded to nearest.

    Args:
        x: [N, C, H, W] in [-1, 1].

    Returns:
        uint8 [N, C, H, W].

    Raises:
        DivergedError: x contains NaN or infinity.
    """
    if not bool(torch.isfinite(x).all()):
        raise DivergedError("images contain NaN or infinity: training has diverged", "use an earlier checkpoint")
    return ((x.float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()


def over_white(images: np.ndarray) -> np.ndarray:
    """RGBA images over white.

    Args:
        images: uint8 [N, 4, H, W].

    Returns:
        uint8 [N, 3, H, W].
    """
    color, alpha = images[:, :3].astype(np.uint16), images[:, 3:].astype(np.uint16)
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def pil_image(image: np.ndarray) -> Image.Image:
    """uint8 [C, H, W] -> a grayscale, RGB or RGBA image of Pillow."""
    return Image.fromarray(image[0] if image.shape[0] == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def zoom_for(height: int, width: int) -> int:
    """The integer factor by which a grid enlarges small images: 4 for sides of 28 and 32 pixels, 2 for 64."""
    return max(1, round(112 / max(height, width)))


def grid(images: np.ndarray, columns: int | None = None, zoom: int | None = None) -> np.ndarray:
    """Arrange images in a grid on black.

    Args:
        images: uint8 [N, C, H, W].
        columns: images per row; default: about sqrt(N).
        zoom: integer factor of enlargement; default: `zoom_for(H, W)`.

    Returns:
        uint8 [C, rows * (zoom * H + GAP) + GAP, columns * (zoom * W + GAP) + GAP].
    """
    n, c, h, w = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    zoom = zoom or zoom_for(h, w)
    rows = -(-n // columns)
    h, w = h * zoom, w * zoom
    rows_first = np.zeros((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), np.uint8)  # as Pillow needs it
    out = rows_first.transpose(2, 0, 1)
    for i, image in enumerate(images):
        y, x = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        out[:, y : y + h, x : x + w] = image.repeat(zoom, axis=1).repeat(zoom, axis=2)
    return out


def png(image: np.ndarray, recipe: dict[str, Any] | None = None) -> bytes:
    """Encode an image as PNG.

    Args:
        image: uint8 [C, H, W].
        recipe: provenance (model, seed, options), stored as JSON in the text chunk `gan`.

    Returns:
        The content of the file.
    """
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        info.add_text("gan", json.dumps(recipe))
    out = io.BytesIO()
    pil_image(image).save(out, "PNG", pnginfo=info, compress_level=6)
    return out.getvalue()


def recipe_of(content: bytes) -> dict[str, Any]:
    """The recipe that `png` stored in a file; empty for other files.

    Args:
        content: of a file, perhaps from a stranger.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            found = json.loads(image.info.get("gan", "{}"))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a broken file can raise anything
        return {}
    return found if isinstance(found, dict) else {}


def crop_each(x: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Crop each image at its own offset; differentiable in x any number of times.

    Args:
        x: images [N, C, H, W].
        top: first row of each crop, int64 [N].
        left: first column of each crop, int64 [N].
        height: of the crops.
        width: of the crops.

    Returns:
        [N, C, height, width].
    """
    rows = top[:, None] + torch.arange(height, device=x.device)  # [N, height]
    columns = left[:, None] + torch.arange(width, device=x.device)  # [N, width]
    each = torch.arange(len(x), device=x.device)[:, None, None]
    return x.movedim(1, 3)[each, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


@dataclass(frozen=True)
class ImageSamples(Samples):
    """Images, with the labels and attributes that they were conditioned on or belong to."""

    media: ClassVar[str] = "image"
    images: np.ndarray  # uint8 [N, C, H, W]
    labels: np.ndarray | None = None  # int64 [N]
    attributes: np.ndarray | None = None  # float32 [N, A]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: np.ndarray | slice) -> Self:
        return type(self)(**{name: array[index] for name, array in self.pack().items()})

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        texts = titles(self.labels, recipe)
        own = None if self.labels is None else columns_for(self.labels.tolist())
        columns = columns or own or math.ceil(math.sqrt(len(self)))
        made = grid(self.images, columns)
        if texts:
            zoom = zoom_for(*self.images.shape[2:])
            made = titled(made, texts, columns, (zoom * self.images.shape[2], zoom * self.images.shape[3]))
        return File(".png", png(made, recipe))

    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:
        return File(".png", png(self.images[i], recipe))

    def arrays(self) -> dict[str, np.ndarray]:
        return {k: v.transpose(0, 2, 3, 1) if v.ndim == 4 else v for k, v in self.pack().items() if k != "attributes"}

    def vectors(self) -> np.ndarray:
        """The pixels in [-1, 1]."""
        return self.images.reshape(len(self), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)

    def pack(self) -> dict[str, np.ndarray]:
        return {k: v for k, v in vars(self).items() if v is not None}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        return cls(**arrays)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        packed = [part.pack() for part in parts]
        return cls(**{name: np.concatenate([one[name] for one in packed]) for name in packed[0]})


@dataclass(frozen=True)
class PairSamples(ImageSamples):
    """Images that were made from images: outputs of translation and restoration, or the targets of a data set.

    Whatever scores images scores `images`, the outputs.
    """

    inputs: np.ndarray = field(kw_only=True)  # uint8 [N, C', h, w], of the size of the outputs or smaller
    targets: np.ndarray | None = field(default=None, kw_only=True)  # uint8 [N, C, H, W]
    masks: np.ndarray | None = field(default=None, kw_only=True)  # uint8 [N, 1, H, W]; 255: missing in the input

    def _shown(self) -> list[np.ndarray]:
        """What is shown of each sample, from left to right."""
        return [x for x in (self.inputs, self.images, self.targets) if x is not None]

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        """A grid of groups of input, output, target and so on, with `columns` groups per row."""
        size = self.images.shape[2:]
        group = [_rgb(_enlarged(x, size)) for x in self._shown()]
        images = np.stack(group, 1).reshape(-1, *group[0].shape[1:])
        return File(".png", png(grid(images, (columns or 1) * len(group)), recipe))


@dataclass(frozen=True)
class ManySamples(PairSamples):
    """Outputs of a mapping with noise, and others for the same inputs."""

    others: np.ndarray = field(kw_only=True)  # uint8 [N, C, H, W]

    def _shown(self) -> list[np.ndarray]:
        return [self.inputs, self.images, self.others, *([] if self.targets is None else [self.targets])]


@dataclass(frozen=True)
class CycleSamples(PairSamples):
    """Outputs of a translation that has an inverse, and what the inverse makes of them."""

    cycles: np.ndarray = field(kw_only=True)  # uint8 [N, C', H, W], the inverse of the outputs before they are rounded
    noisy_cycles: np.ndarray = field(kw_only=True)  # of the outputs with a little noise, rounded to uint8
    identities: np.ndarray | None = field(default=None, kw_only=True)  # the inverse of the inputs, if channels agree

    def _shown(self) -> list[np.ndarray]:
        return [*super()._shown(), self.cycles]


def _enlarged(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Images [N, C, h, w] with pixels repeated to H x W, multiples of h and w."""
    height, width = (to // side for to, side in zip(size, images.shape[2:], strict=True))
    return images if height == width == 1 else images.repeat(height, axis=2).repeat(width, axis=3)


def _rgb(images: np.ndarray) -> np.ndarray:
    """uint8 [N, 1, 3 or 4, H, W] -> [N, 3, H, W]."""
    images = over_white(images) if images.shape[1] == 4 else images
    return images if images.shape[1] == 3 else np.repeat(images[:, :1], 3, 1)
