"""Classical augmentation of a classifier's batches: shifts, rotation, scale; flips and color for color images."""

from __future__ import annotations

from math import pi

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from gancli.core.registry import Frozen
from gancli.core.window import Window


class Changes(Frozen):
    """What is drawn for each image: uniform within the limits."""

    shift: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest shift as fraction of height and width; default: 2 pixels of 28, 4 of 32 in color",
    )
    turn: float | None = Field(None, ge=0, le=180, description="largest rotation in degrees; default: 10, 0 in color")
    scale: float | None = Field(
        None, ge=0, lt=1, description="largest relative change of size; default: 0.1, 0 in color"
    )
    mirror: bool | None = Field(None, description="flip half of the images horizontally; default: color images only")
    color: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest relative change of brightness and contrast; default: 0.2 in color, else 0",
    )

    def resolved(self, channels: int) -> Changes:
        """With the defaults for images with so many channels."""
        usual = (0.125, 0.0, 0.0, True, 0.2) if channels > 1 else (2 / 28, 10.0, 0.1, False, 0.0)
        given = {name: getattr(self, name) for name in ("shift", "turn", "scale", "mirror", "color")}
        return Changes(
            **{name: plain if given[name] is None else given[name] for name, plain in zip(given, usual, strict=True)}
        )

    def __call__(self, x: Tensor, window: Window) -> Tensor:
        """Change images.

        Args:
            x: [n, C, H, W] in [-1, 1].
            window: of these rows; its random numbers are used.

        Returns:
            [n, C, H, W].
        """
        own = self.resolved(x.shape[1])
        assert own.shift is not None and own.turn is not None and own.scale is not None and own.color is not None  # noqa: PT018
        if own.shift or own.turn or own.scale or own.mirror:
            grid = functional.affine_grid(_maps(own, window), list(x.shape), align_corners=False)
            x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        if own.color:
            brightness, contrast = (own.color * (2 * window.rand(name) - 1) for name in ("brightness", "contrast"))
            mean = x.mean((1, 2, 3), keepdim=True)
            x = ((x - mean) * (1 + contrast)[:, None, None, None] + mean + brightness[:, None, None, None]).clamp(-1, 1)
        return x


def _maps(own: Changes, window: Window) -> Tensor:
    """Affine maps from changed to given images, [n, 2, 3]."""
    assert own.shift is not None and own.turn is not None and own.scale is not None  # noqa: PT018
    angle = own.turn * pi / 180 * (2 * window.rand("turn") - 1)
    scale = 1 + own.scale * (2 * window.rand("scale") - 1)
    theta = torch.zeros(len(angle), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.cos(angle) / scale
    theta[:, 0, 1], theta[:, 1, 0] = -torch.sin(angle) / scale, torch.sin(angle) / scale
    theta[:, 0, 2], theta[:, 1, 2] = (2 * own.shift * (2 * window.rand(f"shift {axis}") - 1) for axis in "xy")
    if own.mirror:
        theta[:, :, 0] *= torch.where(window.rand("mirror") < 0.5, -1.0, 1.0)[:, None]
    return theta
