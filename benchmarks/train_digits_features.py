"""Train `digits-v1`, the frozen classifier whose features evaluate digit-like data.

    python benchmarks/train_digits_features.py --data-dir DATA --out gancli/evaluation/features/digits_v1.safetensors

Trained on MNIST's 60,000 training images and scikit-learn's digits (indices i with i % 5 != 4, brought to
28x28), with small random affine maps. Batch norm is folded into the convolutions before saving, so that the
frozen net is five convolutions and one matrix. It prints the accuracy on both test sets; nothing is selected on them.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from sklearn.datasets import load_digits
from torch import Tensor, nn

WIDTHS = ((1, 32), (32, 32), (32, 64), (64, 64), (64, 128))
POOL_AFTER = (1, 3)


def idx(path: Path) -> Tensor:
    """An IDX file (LeCun's format) of unsigned bytes as a tensor."""
    raw = path.read_bytes()
    rank = raw[3]
    sizes = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(sizes).copy())


def net() -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(WIDTHS):
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        if i in POOL_AFTER:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(WIDTHS[-1][1], 10))


def warp(x: Tensor, g: torch.Generator) -> Tensor:
    """Rotation up to 12 degrees, scale 0.85 to 1.15, shear 0.15, shift of 2 pixels."""
    n = len(x)

    def u(limit: float) -> Tensor:
        return (torch.rand(n, generator=g) * 2 - 1) * limit

    turn, scale, shear = u(math.radians(12)), 1 + u(0.15), u(0.15)
    cos, sin = turn.cos() * scale, turn.sin() * scale
    theta = torch.stack([torch.stack([cos, shear - sin, u(2 / 14)], 1), torch.stack([sin, cos, u(2 / 14)], 1)], 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="border")


def folded(model: nn.Sequential) -> dict[str, Tensor]:
    convs = [m for m in model if isinstance(m, nn.Conv2d)]
    norms = [m for m in model if isinstance(m, nn.BatchNorm2d)]
    out: dict[str, Tensor] = {}
    for i, (conv, bn) in enumerate(zip(convs, norms, strict=True)):
        assert bn.running_mean is not None and bn.running_var is not None  # noqa: PT018
        gain = bn.weight / (bn.running_var + bn.eps).sqrt()
        out[f"conv{i}.weight"] = (conv.weight * gain[:, None, None, None]).detach().contiguous()
        out[f"conv{i}.bias"] = (bn.bias - bn.running_mean * gain).detach().contiguous()
    head = model[-1]
    assert isinstance(head, nn.Linear)
    out["head.weight"], out["head.bias"] = head.weight.detach().contiguous(), head.bias.detach().contiguous()
    return out


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        hits = sum(
            int((model(a).argmax(1) == b).sum()) for a, b in zip(torch.split(x, 500), torch.split(y, 500), strict=True)
        )
    return hits / len(y)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data-dir", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--epochs", type=int, default=12)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    g = torch.Generator().manual_seed(a.seed)
    raw = a.data_dir / "MNIST" / "raw"
    x = idx(raw / "train-images-idx3-ubyte")[:, None].float() / 127.5 - 1
    y = idx(raw / "train-labels-idx1-ubyte").long()
    test_x = idx(raw / "t10k-images-idx3-ubyte")[:, None].float() / 127.5 - 1
    test_y = idx(raw / "t10k-labels-idx1-ubyte").long()
    digits = load_digits()
    small = torch.from_numpy(digits.images)[:, None].float() / 8 - 1
    small = F.interpolate(small, size=(28, 28), mode="bilinear", antialias=True, align_corners=False)
    small_y = torch.from_numpy(digits.target).long()
    held = torch.arange(len(small)) % 5 == 4
    x, y = torch.cat([x, small[~held].repeat(6, 1, 1, 1)]), torch.cat([y, small_y[~held].repeat(6)])
    model = net().to(memory_format=torch.channels_last)
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = a.epochs * (len(x) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, 4e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(a.epochs):
        start, total = time.time(), 0.0
        model.train()
        order = torch.randperm(len(x), generator=g)
        for b in torch.split(order[: len(x) // 128 * 128], 128):
            logits = model(warp(x[b], g).to(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, y[b], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            opt.step()
            schedule.step()
            total += float(loss)
        print(f"epoch {epoch + 1} loss {total / (len(x) // 128):.4f} {time.time() - start:.0f} s", flush=True)
    print(f"MNIST test accuracy {accuracy(model, test_x, test_y):.4%}")
    print(f"digits held-out accuracy {accuracy(model, small[held], small_y[held]):.4%}")
    a.out.write_bytes(save(folded(model), metadata={"name": "digits-v1", "epochs": str(a.epochs), "seed": str(a.seed)}))
    print(f"{a.out}: {a.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
