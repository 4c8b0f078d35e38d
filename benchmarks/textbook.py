"""The textbook GAN as tutorials write it: torchvision's MNIST, a DataLoader with two workers, eager float32, losses read each step.

    python benchmarks/textbook.py --data-dir DATA --epochs 50 --seed 0 --out samples.npz

It is the peer that the speed of `gan` is a ratio to, and is kept as plain as the tutorials are. With --steps it stops early and prints
images per second after a warm-up; with --out it writes 10,000 samples for `gan evaluate --images`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(100, 256), nn.ReLU(),
            nn.Linear(256, 512), nn.ReLU(),
            nn.Linear(512, 1024), nn.ReLU(),
            nn.Linear(1024, 784), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        images: torch.Tensor = self.net(z)
        return images.view(-1, 1, 28, 28)


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 1024), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(1024, 512), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Dropout(0.3),
            nn.Linear(256, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(x)
        return out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data-dir", type=Path, required=True)
    p.add_argument("--epochs", type=int, default=50)
    p.add_argument("--steps", type=int, default=0, help="stop after so many steps, the first 50 of them not timed")
    p.add_argument("--batch-size", type=int, default=100)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    data = datasets.MNIST(str(a.data_dir), train=True, transform=transform)
    loader = DataLoader(data, batch_size=a.batch_size, shuffle=True, num_workers=2, drop_last=True)
    g, d = Generator(), Discriminator()
    g_rule = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_rule = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss = nn.BCELoss()
    ones, zeros = torch.ones(a.batch_size, 1), torch.zeros(a.batch_size, 1)
    begun, step, mark = time.perf_counter(), 0, 0.0
    for epoch in range(a.epochs):
        for real, _ in loader:
            d_rule.zero_grad()
            d_loss = loss(d(real), ones) + loss(d(g(torch.randn(a.batch_size, 100)).detach()), zeros)
            d_loss.backward()
            d_rule.step()
            g_rule.zero_grad()
            g_loss = loss(d(g(torch.randn(a.batch_size, 100))), ones)
            g_loss.backward()
            g_rule.step()
            d_loss.item(), g_loss.item()
            step += 1
            if step == 50:
                mark = time.perf_counter()
            if a.steps and step == a.steps:
                rate = (step - 50) * a.batch_size / (time.perf_counter() - mark)
                print(json.dumps({"images_per_s": rate}))
                return
        print(
            f"epoch {epoch + 1} d_loss {d_loss.item():.3f} g_loss {g_loss.item():.3f} {time.perf_counter() - begun:.0f} s",
            flush=True,
        )
    print(json.dumps({"seconds": time.perf_counter() - begun, "steps": step}))
    if a.out:
        with torch.no_grad():
            x = torch.cat([g(torch.randn(500, 100)) for _ in range(20)])
        np.savez_compressed(a.out, images=((x + 1) * 127.5).round().clamp(0, 255).byte().numpy()[:, 0])


if __name__ == "__main__":
    main()
