"""What tasks that map images to images have in common: requests, conversion of images, tiled noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core.contracts import Nets
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.errors import UsageError
from gancli.core.exportable import Exportable
from gancli.core.images import PairSamples, to_uint8
from gancli.core.registry import nearest
from gancli.core.samples import FromInput
from gancli.core.seeds import generator
from gancli.core.task import Task
from gancli.data.domains import DomainsDataset
from gancli.data.pairs import PairDataset

DIRECTIONS = ("a-to-b", "b-to-a")
PREVIEWS = 8  # rows of input, output and target
D = TypeVar("D", bound=Dataset)


def to_float(images: np.ndarray, like: Tensor) -> Tensor:
    """uint8 images [N, C, H, W] -> float32 in [-1, 1] on the device of `like`."""
    return torch.from_numpy(np.ascontiguousarray(images)).to(like.device).float() / 127.5 - 1


def on_planes(x: Tensor, z: Tensor | None) -> Tensor:
    """Concatenate noise vectors [N, Z] to images [N, C, H, W] as constant channels: [N, C + Z, H, W]."""
    if z is None or not z.shape[1]:
        return x
    return torch.cat([x, z.to(x.dtype)[:, :, None, None].expand(*z.shape, *x.shape[2:])], 1)


def noise_of(seeds: Sequence[int] | None, n: int, width: int, like: Tensor) -> Tensor | None:
    """Noise vectors [n, width], each from its own seed; without seeds zero, the mean; None if width is 0."""
    if not width:
        return None
    if seeds is None:
        return like.new_zeros(n, width)
    return torch.stack([torch.randn(width, generator=generator("sample", s)) for s in seeds]).to(like.device)


def direction_of(task: Task, ask: FromInput, spec: Spec) -> str:
    """The direction of a request.

    Args:
        task: with mappings.
        ask: the request.
        spec: of the data.

    Raises:
        UsageError: the task has not learned this direction.
    """
    known = list(task.maps(spec))
    wanted = ask.direction.lower().replace("to", "-to-").replace("--", "-") if ask.direction else known[0]
    if wanted not in known:
        hint = f"this model maps {' and '.join(known)}"
        if wanted in DIRECTIONS:
            raise UsageError(f"this model has not learned the direction {wanted}", hint)
        raise UsageError(f"no direction {ask.direction!r}", nearest(wanted, DIRECTIONS) or hint)
    return wanted


def outputs(task: Task, nets: Nets, ask: FromInput, spec: Spec) -> PairSamples:
    """The outputs for a request, as samples: for `Task.generate`."""
    like = next(next(iter(nets.values())).parameters())
    fields = {"source": to_float(ask.images, like)}
    if ask.masks is not None:
        fields["mask"] = torch.from_numpy(ask.masks > 127).to(like)
    images = to_uint8(task.apply(nets, Batch(fields), ask, spec))
    return PairSamples(images, inputs=ask.images, targets=ask.targets)


def as_domains(data: Dataset, direction: str) -> Dataset:
    """Two domains, input first: also of pairs, which then are used for scores only. Other data are returned unchanged."""
    if isinstance(data, PairDataset):
        data = DomainsDataset(data.source, data.target, aligned=True)
    return data.swapped() if direction == DIRECTIONS[1] and isinstance(data, DomainsDataset) else data


def spaced(data: D, n: int) -> D:
    """At most n of the data, at equal distances, for a preview: neighbors in a folder are often alike."""
    return data.take(np.arange(n) * len(data) // n) if len(data) > n else data


def unpaired(data: Dataset, n: int) -> FromInput:
    """A request for the first n images of the input domain, with their targets if they are known."""
    assert isinstance(data, DomainsDataset)
    n = min(n, len(data.a))
    return FromInput(images=data.a.images[:n], targets=data.b.images[:n] if data.aligned else None)


def paired(data: Dataset, n: int) -> FromInput:
    """A request for the first n inputs of a data set of pairs, with their targets."""
    known = cast("PairSamples", data.take(slice(0, n)).samples())
    return FromInput(images=known.inputs, targets=known.images)


class _Translated(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(self.net(image))


def exportable(net: nn.Module, shape: tuple[int, int, int]) -> Exportable:
    """A translator's net with its last activation, for export.

    Args:
        net: the translator.
        shape: of an input, [C, H, W].
    """
    return Exportable(_Translated(net), {"image": torch.zeros(2, *shape)})
