"""Images as they are saved: uint8 arrays, grids of them, PNG files that carry their recipe."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

GAP = 2  # pixels between the images of a grid


def to_uint8(x: Tensor) -> np.ndarray:
    """[N, C, H, W] in [-1, 1] -> uint8 [N, C, H, W], rounded to the nearest."""
    return ((x.float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()


def picture(image: np.ndarray) -> Image.Image:
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
    picture(image).save(out, "PNG", pnginfo=info, compress_level=6)
    return out.getvalue()


def gif(frames: list[np.ndarray], milliseconds: int = 60) -> bytes:
    """uint8 [C, H, W] frames as a GIF that repeats for ever."""
    first, *rest = [picture(f).convert("P") if f.shape[0] == 3 else picture(f) for f in frames]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return out.getvalue()
