"""DCGAN as tutorials write it: torchvision's ImageFolder, a DataLoader with two workers, eager float32.

    python benchmarks/plain_dcgan.py --folder PICTURES --size 64 --steps 60

The nets, the batch and the optimizer are those of the preset `dcgan` (widths from 64 to 256, batches of 128). Prints images per second.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def nets(size: int, widest: int = 256) -> tuple[nn.Module, nn.Module]:
    stages = size.bit_length() - 3  # to a map of 4x4
    widths = [min(64 * 2**i, widest) for i in range(stages)]
    up: list[nn.Module] = [
        nn.ConvTranspose2d(100, widths[-1], 4, 1, 0, bias=False),
        nn.BatchNorm2d(widths[-1]),
        nn.ReLU(True),
    ]
    for a, b in zip(widths[::-1], widths[-2::-1], strict=False):
        up += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
    up += [nn.ConvTranspose2d(widths[0], 3, 4, 2, 1), nn.Tanh()]
    down: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for a, b in pairwise(widths):
        down += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, True)]
    down += [nn.Conv2d(widths[-1], 1, 4, 1, 0), nn.Flatten(), nn.Sigmoid()]
    return nn.Sequential(*up), nn.Sequential(*down)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--folder", type=Path, required=True)
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--steps", type=int, default=60, help="the first 10 are not timed")
    p.add_argument("--batch-size", type=int, default=128)
    a = p.parse_args()
    torch.manual_seed(0)
    transform = transforms.Compose(
        [
            transforms.Resize(a.size),
            transforms.CenterCrop(a.size),
            transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.5,) * 3),
        ]
    )
    data = datasets.ImageFolder(str(a.folder), transform)
    loader = DataLoader(data, a.batch_size, shuffle=True, num_workers=2, drop_last=True)
    g, d = nets(a.size)
    for net in (g, d):
        for m in net.modules():
            if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(m.weight, 0, 0.02)
    g_rule = torch.optim.Adam(g.parameters(), 2e-4, (0.5, 0.999))
    d_rule = torch.optim.Adam(d.parameters(), 2e-4, (0.5, 0.999))
    loss, step, mark = nn.BCELoss(), 0, 0.0
    ones, zeros = torch.ones(a.batch_size, 1), torch.zeros(a.batch_size, 1)
    while True:
        for real, _ in loader:
            d_rule.zero_grad()
            loss(d(real), ones).backward()
            fake = g(torch.randn(a.batch_size, 100, 1, 1))
            loss(d(fake.detach()), zeros).backward()
            d_rule.step()
            g_rule.zero_grad()
            g_loss = loss(d(fake), ones)
            g_loss.backward()
            g_rule.step()
            g_loss.item()
            step += 1
            if step == 10:
                mark = time.perf_counter()
            if step == a.steps:
                print(json.dumps({"images_per_s": (step - 10) * a.batch_size / (time.perf_counter() - mark)}))
                return


if __name__ == "__main__":
    main()
