"""Images as they are saved: uint8 arrays, grids of them, PNG files that carry their recipe; and samples made of them."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from gancli.core.samples import File, Samples

GAP = 2  # pixels between the images of a grid


def to_uint8(x: Tensor) -> np.ndarray:
    """[N, C, H, W] in [-1, 1] -> uint8 [N, C, H, W], rounded to the nearest."""
    return ((x.float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()


def pil_image(image: np.ndarray) -> Image.Image:
    """uint8 [C, H, W] -> a Pillow image, grey or RGB."""
    return Image.fromarray(image[0] if image.shape[0] == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def zoom_for(height: int, width: int) -> int:
    """How much small images are enlarged in a grid, so that a person sees them: sides of about 56 pixels."""
    return max(1, round(56 / max(height, width)))


def grid(images: np.ndarray, columns: int | None = None, zoom: int | None = None) -> np.ndarray:
    """uint8 [N, C, H, W] -> one image uint8 [C, rows * (H + gap), columns * (W + gap)] on black."""
    n, c, h, w = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    zoom = zoom or zoom_for(h, w)
    rows = -(-n // columns)
    images = images.repeat(zoom, axis=2).repeat(zoom, axis=3)
    h, w = h * zoom, w * zoom
    out = np.zeros((c, rows * (h + GAP) + GAP, columns * (w + GAP) + GAP), np.uint8)
    for i, image in enumerate(images):
        y, x = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        out[:, y : y + h, x : x + w] = image
    return out


def png(image: np.ndarray, recipe: dict[str, Any] | None = None) -> bytes:
    """uint8 [C, H, W] as PNG bytes, with the recipe as JSON in the text chunk `gan`."""
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        info.add_text("gan", json.dumps(recipe))
    out = io.BytesIO()
    pil_image(image).save(out, "PNG", pnginfo=info, compress_level=6)
    return out.getvalue()


def gif(frames: list[np.ndarray], milliseconds: int = 60) -> bytes:
    """uint8 [C, H, W] frames as a GIF that repeats for ever."""
    first, *rest = [pil_image(f).convert("P") if f.shape[0] == 3 else pil_image(f) for f in frames]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return out.getvalue()


@dataclass(frozen=True)
class ImageSamples(Samples):
    """Pictures, with what was asked of them."""

    media: ClassVar[str] = "image"
    images: np.ndarray  # uint8 [N, C, H, W]
    labels: np.ndarray | None = None  # int64 [N]
    attributes: np.ndarray | None = None  # float32 [N, A]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: np.ndarray | slice) -> Self:
        labels = None if self.labels is None else self.labels[index]
        attributes = None if self.attributes is None else self.attributes[index]
        return type(self)(self.images[index], labels, attributes)

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        return File(".png", png(grid(self.images, columns), recipe))

    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:
        return File(".png", png(self.images[i], recipe))

    def arrays(self) -> dict[str, np.ndarray]:
        out = {"images": self.images.transpose(0, 2, 3, 1)}
        if self.labels is not None:
            out["labels"] = self.labels
        return out

    def vectors(self) -> np.ndarray:
        """The pixels in [-1, 1]."""
        return self.images.reshape(len(self), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)

    def pack(self) -> dict[str, np.ndarray]:
        named = {"images": self.images, "labels": self.labels, "attributes": self.attributes}
        return {k: v for k, v in named.items() if v is not None}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        return cls(**arrays)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        first = parts[0]
        labels = None if first.labels is None else np.concatenate([p.labels for p in parts if p.labels is not None])
        rows = [p.attributes for p in parts if p.attributes is not None]
        return cls(np.concatenate([p.images for p in parts]), labels, np.concatenate(rows) if rows else None)


@dataclass(frozen=True)
class PairSamples(Samples):
    """Inputs and outputs, with the targets where they are known."""

    media: ClassVar[str] = "image"
    inputs: np.ndarray  # uint8 [N, C, H, W]
    outputs: np.ndarray  # uint8 [N, C', H, W]
    targets: np.ndarray | None = None  # uint8 [N, C', H, W]

    def __len__(self) -> int:
        return len(self.outputs)

    def take(self, index: np.ndarray | slice) -> Self:
        targets = None if self.targets is None else self.targets[index]
        return type(self)(self.inputs[index], self.outputs[index], targets)

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        """Rows of input, output and target; `columns` groups of them side by side."""
        every = [_rgb(x) for x in (self.inputs, self.outputs, self.targets) if x is not None]
        across = np.stack(every, 1).reshape(-1, *every[0].shape[1:])
        return File(".png", png(grid(across, (columns or 1) * len(every)), recipe))

    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:
        return File(".png", png(self.outputs[i], recipe))

    def arrays(self) -> dict[str, np.ndarray]:
        named = {"inputs": self.inputs, "images": self.outputs, "targets": self.targets}
        return {k: v.transpose(0, 2, 3, 1) for k, v in named.items() if v is not None}

    def vectors(self) -> np.ndarray:
        """The outputs' pixels in [-1, 1]."""
        return self.outputs.reshape(len(self), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)

    def pack(self) -> dict[str, np.ndarray]:
        named = {"inputs": self.inputs, "outputs": self.outputs, "targets": self.targets}
        return {k: v for k, v in named.items() if v is not None}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        return cls(**arrays)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        targets = [p.targets for p in parts if p.targets is not None]
        inputs, outputs = (np.concatenate([getattr(p, k) for p in parts]) for k in ("inputs", "outputs"))
        return cls(inputs, outputs, np.concatenate(targets) if targets else None)


def _rgb(images: np.ndarray) -> np.ndarray:
    """uint8 [N, 1 or 3, H, W] -> [N, 3, H, W]."""
    return images if images.shape[1] == 3 else np.repeat(images[:, :1], 3, 1)
