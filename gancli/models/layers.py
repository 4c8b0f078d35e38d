"""Layers shared by several models: dropout, channels-last layouts, conditional discriminator, sizes and widths of feature maps."""

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
    """Inverted dropout with masks from 16-bit random integers, four of which come from one 64-bit random number.

    The probability is rounded to a multiple of 1/65536 and the scale is computed from the rounded value, so the expectation
    is exact. Uses torch's default generator, as `nn.Dropout` does.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.threshold = min(round(p * 65536), 65535)
        self.scale = 65536 / (65536 - self.threshold)
        self.scale_bits = int(torch.tensor(self.scale, dtype=torch.bfloat16, device="cpu").view(torch.int16))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return x
        random = sharding.draw(lambda s, g: _random_int16(s, g, x.device), x.shape, device=x.device)
        is_bf16 = x.dtype == torch.bfloat16  # a bf16 mask is computed in int16, without conversion
        mask = torch.empty(x.shape, dtype=random.dtype if is_bf16 else x.dtype, device=x.device)
        torch.ge(random, self.threshold - 32768, out=mask)
        return x * (mask.mul_(self.scale_bits).view(x.dtype) if is_bf16 else mask.mul_(self.scale))

    def extra_repr(self) -> str:
        return f"p={self.threshold / 65536:.3g}"


def _random_int16(shape: Sequence[int], random: torch.Generator | None, device: torch.device) -> Tensor:
    """Uniform random integers of all 16 bits."""
    n = prod(shape)
    numbers = torch.empty((n + 3) // 4, dtype=torch.int64, device=device)
    numbers.random_(-(2**63), None, generator=random)  # all 64 bits
    return numbers.view(torch.int16)[:n].view(*shape)


class Reshape(nn.Module):
    """[N, prod(shape)] -> [N, *shape]."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


class ReshapeChannelsLast(Reshape):
    """[N, C H W] -> [N, C, H, W] in channels-last layout, so that the following convolutions need no conversion."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).contiguous(memory_format=torch.channels_last)


class ChannelsLastConv(nn.Conv2d):
    """The first convolution of a net: converts to channels-last layout, which the following layers keep."""

    def forward(self, x: Tensor) -> Tensor:
        maps = super().forward(x.contiguous(memory_format=torch.channels_last))
        return maps.contiguous(memory_format=torch.channels_last)


class FlattenChannelsLast(nn.Flatten):
    """[N, C, H, W] -> [N, C H W], with the gradient in channels-last layout."""

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(lambda g: g.contiguous(memory_format=torch.channels_last))  # type: ignore[no-untyped-call]
        return super().forward(x)


class ConcatCondition(nn.Module):
    """Concatenates the condition vector to the input of a net: to vectors, or as constant channels to images.

    Args:
        net: a module with one input.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if c is not None:
            channels = c.to(x.dtype).reshape(*c.shape, *[1] * (x.dim() - 2)).expand(*c.shape, *x.shape[2:])
            x = torch.cat([x, channels], 1)
        out: Tensor = self.net(x)
        return out


class PlainTrunk(Trunk):
    """A trunk that concatenates the condition to the image.

    Args:
        net: images with condition channels [N, C + condition, H, W] -> features [N, out_features].
        out_features: width of the features.
        wrap: the function `wrap_head`; None: identity.
    """

    def __init__(self, net: nn.Module, out_features: int, wrap: Callable[[nn.Module], nn.Module] | None = None) -> None:
        super().__init__()
        self.beside, self.out_features, self._wrap = ConcatCondition(net), out_features, wrap

    def wrap_head(self, head: nn.Module) -> nn.Module:
        return head if self._wrap is None else self._wrap(head)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        features: Tensor = self.beside(x, c)
        return features


class FlatTrunk(PlainTrunk):
    """A trunk that flattens the image and concatenates the condition to its pixels."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return super().forward(x.flatten(1), c)


class Discriminator(nn.Module):
    """A trunk and a head.

    Args:
        trunk: images -> features.
        head: features -> logits.
        embedding: of the condition vector, if any.
        in_trunk: whether the condition is an input of the trunk.
    """

    def __init__(
        self, trunk: Trunk, head: nn.Module, embedding: nn.Module | None = None, in_trunk: bool = True
    ) -> None:
        super().__init__()
        self.trunk, self.head, self.embedding, self.in_trunk = trunk, head, embedding, in_trunk

    def forward(self, x: Tensor, c: Tensor | None = None, features: list[Tensor] | None = None) -> Tensor:
        """Compute logits.

        Args:
            x: images [N, C, H, W].
            c: condition vectors [N, condition], or None.
            features: a list to which the features [N, F] are appended, or None.

        Returns:
            Logits [N], float32 whatever the compute dtype.
        """
        if c is not None:
            c = c.to(x.dtype) if self.embedding is None else self.embedding(c.to(x.dtype))
        out = self.trunk(x, c if self.in_trunk else None)
        if features is not None:
            features.append(out)
        logits: Tensor = self.head(out, c)
        return logits.float()


class EmbeddedGenerator(nn.Module):
    """A generator with a learned embedding of the condition vector."""

    def __init__(self, net: nn.Module, embedding: nn.Module) -> None:
        super().__init__()
        self.net, self.embedding = net, embedding
        self.sampling_options = getattr(net, "sampling_options", False)

    def forward(self, z: Tensor, c: Tensor, **options: Any) -> Tensor:
        images: Tensor = self.net(z, self.embedding(c.to(z.dtype)), **options)
        return images


class LinearHead(nn.Module):
    """features [N, F] -> logits [N], or [N, P, F] -> [N, P]; ignores the condition."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor, c: Tensor | None = None) -> Tensor:  # noqa: ARG002
        logits: Tensor = self.linear(features)
        return logits.squeeze(-1)


def has_batch_statistics(net: nn.Module) -> bool:
    """Whether the output for a sample depends on the other samples of the batch (batch norm, minibatch stddev)."""
    return any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) or getattr(m, "batch_statistics", False) for m in net.modules()
    )


def map_sizes(spec: Images) -> list[tuple[int, int]]:
    """The sizes of feature maps of a convolutional net.

    Args:
        spec: size of the images.

    Returns:
        (height, width) from the image size down, halved while both are at least 8.

    Raises:
        UsageError: height or width is not in 8 to 1,024.
    """
    if not (min(spec.height, spec.width) >= 8 and max(spec.height, spec.width) <= 1024):
        raise UsageError(
            f"convolutional nets need height and width from 8 to 1,024, not {spec.height}x{spec.width}",
            "use --image-size",
        )
    return halved_sizes(spec.height, spec.width)


def halved_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """A size and its successive halves, while both sides are at least 8."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 8:
        h, w = sizes[-1]
        sizes.append((h // 2, w // 2))
    return sizes


def widths(width: int, widest: int, n: int) -> list[int]:
    """The channels of n scales: `width`, doubled with each halving of the size, at most `widest`."""
    return [min(width * 2**i, widest) for i in range(n)]
