"""Images in [-1, 1] as images of Pillow, and back."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gancli.core.images import pil_image


def to_pil(x: Tensor) -> Image.Image:
    """An image [C, H, W] in [-1, 1], C = 1 or 3, as uint8."""
    return pil_image(((x.cpu() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8).numpy())


def from_pil(image: Image.Image, like: Tensor) -> Tensor:
    """An image [C, h, w] in [-1, 1], on the device of `like`."""
    pixels = torch.from_numpy(np.array(image, np.uint8))
    whole = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    return whole.to(like).mul_(2 / 255).sub_(1)
