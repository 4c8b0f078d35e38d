"""Images larger than memory: a net is applied to overlapping tiles, with the same result as to the whole image, to rounding.

Around each tile there is a halo as wide as the net's receptive field. Normalization layers use statistics of the whole
feature map, which no tile knows. They are therefore measured first: one pass over all tiles for each layer, up to that layer, since its
input depends on the statistics of the layers before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from gancli.core.contracts import Nets

PER_IMAGE = (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)
Statistics = tuple[Tensor, Tensor]  # mean and variance of each channel [N, C], float64


@dataclass(frozen=True)
class Tile:
    """A part of an image: rows and columns of the tile, and of the window with its halo that the net is applied to."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    window: tuple[int, int, int, int]  # top, bottom, left, right

    def inner(self, factor: float, height: int, width: int) -> tuple[slice, slice]:
        """Where the tile is in a map of the window.

        Args:
            factor: pixels of the map per pixel of the image.
            height: of the map.
            width: of the map.
        """
        out = []
        for (a, b), (first, last), size in (
            (self.rows, self.window[:2], height),
            (self.columns, self.window[2:], width),
        ):
            out.append(slice(round((a - first) * factor), size if b == last else round((b - first) * factor)))
        return out[0], out[1]


def tiles(height: int, width: int, side: int, grid: int, reach: int) -> list[Tile]:
    """Divide an image.

    Args:
        height: of the image.
        width: of the image.
        side: about that of a tile; a multiple of the grid is used.
        grid: of the net.
        reach: of the net.
    """
    side, halo = max(1, side // grid) * grid, -(-reach // grid) * grid

    def parts(size: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        for a in range(0, size, side):
            b = min(size, a + side)
            yield (a, b), (max(0, a - halo), min(size, b + halo))

    return [Tile(r, c, (*rw, *cw)) for r, rw in parts(height) for c, cw in parts(width)]


class _FoundError(Exception):
    """A normalization layer whose statistics are not yet known was reached: the rest of the pass is not needed."""


class _Measured:
    """The statistics of a layer, in place of those of its input."""

    def __init__(self, module: nn.Module, owner: Tiled) -> None:
        self.module, self.owner = module, owner
        self.known: Statistics | None = None
        self.sums: list[Tensor] = []  # of values and squares per channel, and their number

    def forward(self, x: Tensor) -> Tensor:
        if self.known is None:
            self._add(x)
            self.owner.measured = self
            raise _FoundError
        mean, variance = self.known
        eps: Any = self.module.eps
        weight: Any = self.module.weight
        bias: Any = self.module.bias
        scale = (variance + eps).rsqrt()
        shift = -mean * scale
        if weight is not None:
            scale, shift = scale * weight.double(), shift * weight.double() + bias.double()
        out: Tensor = x * scale.to(x.dtype)[:, :, None, None] + shift.to(x.dtype)[:, :, None, None]
        return out

    def _add(self, x: Tensor) -> None:
        assert self.owner.now is not None
        tile, size = self.owner.now
        rows, columns = tile.inner(x.shape[2] / size, *x.shape[2:])
        inner = x[:, :, rows, columns].double()
        found = [inner.sum((2, 3)), inner.square().sum((2, 3)), torch.tensor(float(inner[0, 0].numel()))]
        self.sums = [a + b for a, b in zip(self.sums, found, strict=True)] if self.sums else found

    def conclude(self) -> None:
        """All tiles were seen."""
        total, squares, n = self.sums
        mean, square = total / n, squares / n
        if isinstance(self.module, nn.GroupNorm):
            mean, square = (_by_group(x, self.module.num_groups) for x in (mean, square))
        self.known = mean, (square - mean.square()).clamp_min(0)


def _by_group(x: Tensor, groups: int) -> Tensor:
    """[N, C] -> the means over groups of channels, repeated: [N, C]."""
    n, c = x.shape
    return x.reshape(n, groups, -1).mean(2).repeat_interleave(c // groups, 1)


class Tiled:
    """Nets that are applied tile by tile.

    Args:
        nets: in evaluation mode; they are not changed.
        run: nets and named tensors [N, ?, H, W] of a window -> [N, C, scale H, scale W].
        scale: of the output.
        padded: the height of a window as the nets see it, from its own.
    """

    def __init__(
        self, nets: Nets, run: Callable[[Nets, Mapping[str, Tensor]], Tensor], scale: int, padded: Callable[[int], int]
    ) -> None:
        shared = {id(t): t for net in nets.values() for t in (*net.parameters(), *net.buffers())}
        self.nets = {name: copy.deepcopy(net, shared) for name, net in nets.items()}
        self.run, self.scale, self.padded = run, scale, padded
        self.now: tuple[Tile, int] | None = None  # the tile, and the height of its window as the nets see it
        self.measured: _Measured | None = None
        for net in self.nets.values():
            for module in net.modules():
                if isinstance(module, PER_IMAGE):
                    vars(module)["forward"] = _Measured(module, self).forward

    def __call__(self, fields: Mapping[str, Tensor], parts: list[Tile], done: Callable[[int], None]) -> Tensor:
        """Apply the nets.

        Args:
            fields: named tensors [1, ?, H, W].
            parts: from `tiles`.
            done: called with the number of passes over a tile so far.

        Returns:
            [1, C, scale H, scale W] on the CPU.
        """
        passes, out = 0, cast("Tensor | None", None)
        height, width = next(iter(fields.values())).shape[2:]
        while out is None:
            self.measured = None
            for tile in parts:
                if (made := self._window(fields, tile)) is not None:
                    size = (len(made), made.shape[1], self.scale * height, self.scale * width)
                    out = made.new_empty(size) if out is None else out
                    self._place(out, made, tile)
                passes += 1
                done(passes)
            measured = cast("_Measured | None", self.measured)
            if measured is not None:
                measured.conclude()
        return out

    def _window(self, fields: Mapping[str, Tensor], tile: Tile) -> Tensor | None:
        top, bottom, left, right = tile.window
        self.now = tile, self.padded(bottom - top)
        try:
            with torch.no_grad():
                return self.run(self.nets, {k: v[:, :, top:bottom, left:right] for k, v in fields.items()}).cpu()
        except _FoundError:
            return None

    def _place(self, out: Tensor, made: Tensor, tile: Tile) -> None:
        rows, columns = tile.inner(self.scale, *made.shape[2:])
        (a, b), (c, d) = ((self.scale * first, self.scale * last) for first, last in (tile.rows, tile.columns))
        out[:, :, a:b, c:d] = made[:, :, rows, columns]
