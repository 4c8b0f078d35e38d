"""The small convolutional classifier behind `digits-v1`, `classifier` and the classification accuracy score.

3x3 convolutions with ReLU, 2x2 max-pooling after some, global average pool -> features, a matrix -> logits. It is trained with
batch norm, which is then folded into the convolutions: the frozen net has no state but its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gancli.evaluation.contracts import Progress, silent


@dataclass(frozen=True)
class Plan:
    """A net's widths and where it pools."""

    channels: int
    classes: int
    widths: tuple[int, ...] = (32, 32, 64, 64, 128)
    pool_after: tuple[int, ...] = (1, 3)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the weights."""
        out: dict[str, tuple[int, ...]] = {}
        for i, (a, b) in enumerate(pairwise((self.channels, *self.widths))):
            out[f"conv{i}.weight"], out[f"conv{i}.bias"] = (b, a, 3, 3), (b,)
        out["head.weight"], out["head.bias"] = (self.classes, self.widths[-1]), (self.classes,)
        return out


def square(shape: Sequence[int], smallest: int = 8, largest: int = 32) -> tuple[int, int]:
    """The size at which a net sees images of shape [N, C, H, W]: square, their longer side, within bounds."""
    side = min(largest, max(smallest, *shape[2:]))
    return side, side


def resized(images: Tensor, size: tuple[int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 [N, C, H, W] -> [N, C, *size] in [-1, 1]: antialiased bilinear, where the size is another."""
    x = images.to(dtype).mul_(2 / 255).sub_(1)
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)


def grey(images: Tensor) -> Tensor:
    """RGB by luma (ITU-R 601: 0.299, 0.587, 0.114), any other number of channels by their mean: [N, C, H, W] -> [N, 1, H, W]."""
    c = images.shape[1]
    weights = [0.299, 0.587, 0.114] if c == 3 else [1 / c] * c
    return (images * images.new_tensor(weights)[:, None, None]).sum(1, keepdim=True) if c > 1 else images


def opaque(images: Tensor) -> Tensor:
    """uint8 RGBA [N, 4, H, W] over white -> uint8 [N, 3, H, W]; any other number of channels as it is."""
    if images.shape[1] != 4:
        return images
    color, alpha = images[:, :3].to(torch.int32), images[:, 3:].to(torch.int32)
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).to(torch.uint8)


def forward(weights: Mapping[str, Tensor], plan: Plan, x: Tensor) -> tuple[Tensor, Tensor]:
    """x [N, C, H, W] in [-1, 1] -> features [N, d], logits [N, K]."""
    last = torch.channels_last  # of images and weights both: twice as fast on a CPU as of images alone
    x = x.contiguous(memory_format=last)
    for i in range(len(plan.widths)):
        kernel = weights[f"conv{i}.weight"].contiguous(memory_format=last)
        x = F.relu_(F.conv2d(x, kernel, weights[f"conv{i}.bias"], padding=1))
        if i in plan.pool_after:
            x = F.max_pool2d(x, 2)
    features = x.mean((2, 3))
    return features, F.linear(features, weights["head.weight"], weights["head.bias"])


def trainable(plan: Plan, seed: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    random = torch.Generator().manual_seed(seed)
    for i, (a, b) in enumerate(pairwise((plan.channels, *plan.widths))):
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
        if i in plan.pool_after:
            layers.append(nn.MaxPool2d(2))
    head = nn.Linear(plan.widths[-1], plan.classes)
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    for module in net:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=random)
    nn.init.zeros_(head.bias)
    return net.to(memory_format=torch.channels_last)


def folded(net: nn.Sequential) -> dict[str, Tensor]:
    convs = [m for m in net if isinstance(m, nn.Conv2d)]
    norms = [m for m in net if isinstance(m, nn.BatchNorm2d)]
    out: dict[str, Tensor] = {}
    for i, (conv, norm) in enumerate(zip(convs, norms, strict=True)):
        assert norm.running_var is not None and norm.running_mean is not None  # noqa: PT018
        gain = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
        out[f"conv{i}.weight"] = (conv.weight.detach() * gain[:, None, None, None]).contiguous()
        out[f"conv{i}.bias"] = (norm.bias.detach() - norm.running_mean * gain).contiguous()
    head = net[-1]
    assert isinstance(head, nn.Linear)
    out["head.weight"], out["head.bias"] = head.weight.detach().contiguous(), head.bias.detach().contiguous()
    return out


def train(
    plan: Plan,
    pictures: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    size: tuple[int, int],
    steps: int,
    seed: int,
    progress: Progress = silent,
    what: str = "classifier",
    batch: int = 64,
    lr: float = 4e-3,
) -> dict[str, Tensor]:
    """Train a net: AdamW, one-cycle schedule, label smoothing 0.05; a function of `seed`.

    Args:
        plan: of the net.
        pictures: int64 [n] -> the images of these numbers, uint8 [n, C, H, W].
        labels: of all images, int64 [N].
        size: at which the net sees them.
        steps: of the optimizer.
        seed: of the weights and of the order.
        progress: called with `what`, steps done and all steps.
        what: is trained, in words.
        batch: images a step.
        lr: the highest learning rate.

    Returns:
        The weights by name.
    """
    targets = torch.from_numpy(np.asarray(labels, np.int64))
    random = torch.Generator().manual_seed(seed)
    net = trainable(plan, seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.25)
    order = torch.empty(0, dtype=torch.int64)
    net.train()
    with torch.enable_grad():
        for step in range(steps):
            while len(order) < batch:
                order = torch.cat([order, torch.randperm(len(targets), generator=random)])
            index, order = order[:batch], order[batch:]
            x = resized(torch.from_numpy(pictures(index.numpy())), size).to(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(x), targets[index], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress(what, step + 1, steps)
    return folded(net)
