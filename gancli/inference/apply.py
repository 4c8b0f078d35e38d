"""A trained model applied to images of any size: translation, restoration.

    model = gancli.load("runs/maps-pix2pix-0001")
    output = Applier(model)(picture)          # a `data.whole.Picture`, of the size of the input

The output depends on the picture, the seed and the weights alone: pictures are mapped one at a time, so that what is mapped with
them changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from gancli.core.contracts import Nets
from gancli.core.data import Batch
from gancli.core.errors import UsageError
from gancli.core.samples import FromInput, with_options
from gancli.core.specs import ImageMap
from gancli.data.whole import DEEP, Picture
from gancli.inference.generator import Model
from gancli.inference.tiles import Tiled, tiles
from gancli.models.translators import extended_size

WHOLE = 3 << 19  # pixels of an image up to which it is mapped as a whole: 1.5 million
SIDE = 1024  # of a tile of a larger one
LAST = torch.channels_last
Alpha = Literal["keep", "drop"]


def of_pixels(pixels: np.ndarray, deep: bool) -> np.ndarray:
    """Images in [-1, 1] -> uint8, or uint16 if `deep`, rounded to nearest."""
    top = DEEP if deep else 255
    return np.clip(np.rint((pixels.astype(np.float64) + 1) * (top / 2)), 0, top).astype(np.uint16 if deep else np.uint8)


@dataclass(frozen=True)
class Applier:
    """A model, and how it is applied.

    Args:
        model: of a task that maps images to images.
        direction: the mapping; default: the task's first.
        alpha: what becomes of an alpha channel: kept as it is, or dropped (the model sees the background in any case).
        tile: side of the tiles that larger images are divided into; default: tiles of 1,024 pixels for images of more than
            1.5 million.
        options: of the request, such as `realism`; those that are None are left out.
        progress: called with the number of passes over a tile so far.

    Raises:
        UsageError: the task does not map images to images, not in this direction, or has no such option.
    """

    model: Model
    direction: str = ""
    alpha: Alpha = "keep"
    tile: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: Callable[[int], None] = field(default=lambda _passes: None)

    def __post_init__(self) -> None:
        task, asks = self.model.task, self.model.task.asks
        if not task.maps(self.model.spec):
            raise UsageError(f"the task {task.name!r} makes its samples from {asks.needs}, not from images", asks.verb)
        self.map  # noqa: B018 - raises
        self._ask(None)

    def _ask(self, seed: int | None) -> FromInput:
        """The request for an image, which itself is in the batch, in full depth."""
        nothing = np.zeros((1, 1, 1, 1), np.uint8)
        asks = cast("type[FromInput]", self.model.task.asks)
        ask = asks(images=nothing, seeds=None if seed is None else (seed,), direction=self.direction)
        return with_options(ask, dict(self.options))

    @cached_property
    def map(self) -> ImageMap:
        """What is mapped to what. Raises UsageError."""
        known = self.model.task.maps(self.model.spec)
        name = self.direction or next(iter(known))
        if name not in known:
            raise UsageError(f"this model has not learned {name}", f"it maps {' and '.join(known)}")
        return known[name]

    @cached_property
    def _nets(self) -> Nets:
        """The nets with channels as the last dimension in memory: convolutions of large images take three quarters of the time."""
        return {name: deepcopy(net).to(memory_format=LAST) for name, net in self.model.nets.items()}

    def __call__(self, picture: Picture, seed: int | None = None, mask: np.ndarray | None = None) -> Picture:
        """Map a picture.

        Args:
            picture: of any size, gray or color, 8 or 16 bits.
            seed: of the noise, where inputs have several outputs.
            mask: bool [H, W], what is missing, where the task has masks.

        Returns:
            A picture of the same size (times `map.scale`), with the same depth, alpha and metadata, as far as they fit.
        """
        of = self.map
        fields = {"source": torch.from_numpy(picture.in_channels(of.source.channels))[None]}
        if mask is not None:
            fields["mask"] = torch.from_numpy(mask.astype(np.float32))[None, None]
        made = self.pixels(fields, seed)
        deep = picture.deep and of.target.channels == 1
        alpha = picture.alpha if self.alpha == "keep" else None
        if alpha is not None:
            alpha = alpha.repeat(of.scale, axis=0).repeat(of.scale, axis=1)
        about = dict(picture.about)
        if len(picture.pixels) != of.target.channels:
            about.pop("icc_profile", None)
        return Picture(of_pixels(made, deep), alpha, about)

    def pixels(self, fields: Mapping[str, Tensor], seed: int | None = None) -> np.ndarray:
        """Map an image.

        Args:
            fields: `source` [1, C, H, W] in [-1, 1], and `mask` [1, 1, H, W] if there is one.
            seed: of the noise.

        Returns:
            float32 [C', scale H, scale W] in [-1, 1].
        """
        of, (height, width) = self.map, fields["source"].shape[2:]
        small = height * width <= WHOLE if self.tile is None else max(height, width) <= self.tile
        if small or of.reach is None:
            with torch.no_grad():
                return self._cut(self._run(self._nets, fields, seed))
        parts = tiles(height, width, self.tile or SIDE, of.grid, of.reach)
        tiled = Tiled(
            self._nets,
            lambda nets, window: self._run(nets, window, seed),
            of.scale,
            lambda rows: extended_size(rows, of.grid, of.source.height),
        )
        return self._cut(tiled(fields, parts, self.progress))

    def _run(self, nets: Nets, fields: Mapping[str, Tensor], seed: int | None) -> Tensor:
        model = self.model
        device = next(next(iter(nets.values())).parameters()).device
        batch = Batch({name: value.to(device, memory_format=LAST) for name, value in fields.items()})
        return model.task.apply(nets, batch, self._ask(seed), model.spec)

    def _cut(self, images: Tensor) -> np.ndarray:
        return images[0].float().clamp(-1, 1).cpu().numpy()


def beside(*pictures: Picture | None) -> Picture:
    """Pictures side by side, 8 bits and in color if one of them is; those that are None are left out.

    The first gives the metadata; lower ones are white below.
    """
    there = [p for p in pictures if p is not None]
    channels = max(len(p.pixels) for p in there)
    height = max(p.pixels.shape[1] for p in there)
    columns = []
    for picture in there:
        pixels = of_pixels(picture.in_channels(channels), False)
        column = np.full((channels, height, pixels.shape[2]), 255, np.uint8)
        column[:, : pixels.shape[1]] = pixels
        columns.append(column)
    return replace(there[0], pixels=np.concatenate(columns, 2), alpha=None)
