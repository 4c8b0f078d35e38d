"""Layers that several models share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from gancli.core import sharding
from gancli.core.errors import UsageError
from gancli.core.nets import Trunk
from gancli.core.specs import Images


class Dropout(nn.Module):
    """Inverted dropout whose mask is cut from random 16-bit words: four draws for the cost of one.

    The probability is rounded to 1/65536 and the scale follows the rounded value, so the expectation is exact.
    Draws from torch's default generator, as `nn.Dropout` does.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.cut = min(round(p * 65536), 65535)
        self.scale = 65536 / (65536 - self.cut)
        self.bits = int(torch.tensor(self.scale, dtype=torch.bfloat16, device="cpu").view(torch.int16))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.cut == 0:
            return x
        words = sharding.draw(lambda s, g: _random_words(s, g, x.device), x.shape, device=x.device)
        narrow = x.dtype == torch.bfloat16  # whose bits fit the words: what is compared need not be converted
        keep = torch.empty(x.shape, dtype=words.dtype if narrow else x.dtype, device=x.device)
        torch.ge(words, self.cut - 32768, out=keep)
        return x * (keep.mul_(self.bits).view(x.dtype) if narrow else keep.mul_(self.scale))

    def extra_repr(self) -> str:
        return f"p={self.cut / 65536:.3g}"


def _random_words(shape: Sequence[int], random: torch.Generator | None, device: torch.device) -> Tensor:
    """Random 16-bit words."""
    n = prod(shape)
    words = torch.empty((n + 3) // 4, dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=random)  # all 64 bits
    return words.view(torch.int16)[:n].view(*shape)


class Reshape(nn.Module):
    """[N, prod(shape)] -> [N, *shape]."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


class ReshapeChannelsLast(Reshape):
    """[N, C H W] -> [N, C, H, W], laid out channels last: convolutions then need not reorder what goes from one to the next."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).contiguous(memory_format=torch.channels_last)


class ChannelsLastConv(nn.Conv2d):
    """A net's first convolution: what it gives is laid out channels last, and so is all that comes after."""

    def forward(self, x: Tensor) -> Tensor:
        maps = super().forward(x.contiguous(memory_format=torch.channels_last))
        return maps.contiguous(memory_format=torch.channels_last)


class FlattenChannelsLast(nn.Flatten):
    """[N, C, H, W] -> [N, C H W]; the gradient comes back channels last, as the maps lie."""

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(lambda g: g.contiguous(memory_format=torch.channels_last))  # type: ignore[no-untyped-call]
        return super().forward(x)


class ConcatCondition(nn.Module):
    """A net of one input that is given x with the condition beside it: as more columns, or as more planes of an image."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if c is not None:
            planes = c.to(x.dtype).reshape(*c.shape, *[1] * (x.dim() - 2)).expand(*c.shape, *x.shape[2:])
            x = torch.cat([x, planes], 1)
        out: Tensor = self.net(x)
        return out


class PlainTrunk(Trunk):
    """A trunk of one input: the condition goes beside the image."""

    def __init__(
        self, net: nn.Module, out_features: int, finish: Callable[[nn.Module], nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.beside, self.out_features, self._finish = ConcatCondition(net), out_features, finish

    def wrap_head(self, head: nn.Module) -> nn.Module:
        return head if self._finish is None else self._finish(head)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        features: Tensor = self.beside(x, c)
        return features


class FlatTrunk(PlainTrunk):
    """A trunk that sees a flat image: the condition goes beside its pixels."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return super().forward(x.flatten(1), c)


class Discriminator(nn.Module):
    """A trunk and a head: (x [N, C, H, W], c or None) -> logits [N], in float32 whatever the trunk computes in.

    `embedding` is c's own net, if any; `in_trunk` says whether the trunk is given c. Features are left in `seen` if it is given.
    """

    def __init__(
        self, trunk: Trunk, head: nn.Module, embedding: nn.Module | None = None, in_trunk: bool = True
    ) -> None:
        super().__init__()
        self.trunk, self.head, self.embedding, self.in_trunk = trunk, head, embedding, in_trunk

    def forward(self, x: Tensor, c: Tensor | None = None, seen: list[Tensor] | None = None) -> Tensor:
        if c is not None:
            c = c.to(x.dtype) if self.embedding is None else self.embedding(c.to(x.dtype))
        features = self.trunk(x, c if self.in_trunk else None)
        if seen is not None:
            seen.append(features)
        logits: Tensor = self.head(features, c)
        return logits.float()


class EmbeddedGenerator(nn.Module):
    """A generator with the condition's own net before it."""

    def __init__(self, net: nn.Module, embedding: nn.Module) -> None:
        super().__init__()
        self.net, self.embedding = net, embedding
        self.sampling_options = getattr(net, "sampling_options", False)

    def forward(self, z: Tensor, c: Tensor, **options: Any) -> Tensor:
        images: Tensor = self.net(z, self.embedding(c.to(z.dtype)), **options)
        return images


class LinearHead(nn.Module):
    """features [N, F] -> logits [N]; the condition is not looked at."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor, c: Tensor | None = None) -> Tensor:  # noqa: ARG002
        logits: Tensor = self.linear(features)
        return logits.flatten()


def has_batch_statistics(net: nn.Module) -> bool:
    """Whether a sample's output depends on the rest of its batch."""
    return any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) or getattr(m, "batch_statistics", False) for m in net.modules()
    )


def map_sizes(spec: Images) -> list[tuple[int, int]]:
    """The maps' sizes, halved from the image's while both sides are at least 8. Raises UsageError outside 8 to 1,024."""
    if not (min(spec.height, spec.width) >= 8 and max(spec.height, spec.width) <= 1024):
        raise UsageError(
            f"convolutional nets need sides of 8 to 1,024, not {spec.height}x{spec.width}", "use --image-size"
        )
    return halved_sizes(spec.height, spec.width)


def halved_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """The size, and its halves while both sides are at least 8."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 8:
        h, w = sizes[-1]
        sizes.append((h // 2, w // 2))
    return sizes


def widths(width: int, widest: int, n: int) -> list[int]:
    """Channels of n maps: doubled at each, `widest` at most."""
    return [min(width * 2**i, widest) for i in range(n)]
