"""Random flips and crops of the pictures of a stream."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gancli.core.data import Window


@dataclass(frozen=True)
class Moves:
    """What was drawn for each of N pictures. Applied to several sets of them, it moves all alike."""

    mirrored: Tensor | None = None  # bool [N]
    zoom: float = 1.0  # times as large
    place: Tensor | None = None  # [N, 2] in [0, 1): how far to the right, and down, the crop lies

    def __call__(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, H, W], bilinear where they are enlarged."""
        if self.mirrored is not None:
            x = torch.where(self.mirrored.to(x.device)[:, None, None, None], x.flip(-1), x)
        if self.place is not None:
            x = functional.grid_sample(x, self._grid(x), padding_mode="border", align_corners=False)
        return x

    def _grid(self, x: Tensor) -> Tensor:
        """Where in the pictures, in [-1, 1], the crops' pixels lie: [N, H, W, 2]."""
        assert self.place is not None
        scale = 1 / self.zoom
        theta = torch.zeros(len(x), 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = scale
        theta[:, :, 2] = (2 * self.place - 1) * (1 - scale)
        return functional.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)


@dataclass(frozen=True)
class Jitter:
    """How the pictures of a stream are moved at random."""

    flip: bool = False  # mirror half of them left to right
    enlarge: float = 1.0  # enlarge by this factor and crop to the same size

    def draw(self, window: Window, stream: str = "") -> Moves:
        """The moves of the window's rows.

        Args:
            window: of the stream.
            stream: what the names of the draws end in; sets with different ones are moved independently.
        """
        mirrored = window.rand(f"flip{stream}") < 0.5 if self.flip else None
        if self.enlarge == 1:
            return Moves(mirrored)
        place = torch.stack([window.rand(f"crop{axis}{stream}") for axis in ("x", "y")], 1)
        return Moves(mirrored, self.enlarge, place)
