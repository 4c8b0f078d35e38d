"""A peer: DCGAN as in PyTorch's examples, trained for some minutes on a folder of images; its samples are written for `gan evaluate`.

    python benchmarks/peers/dcgan.py --folder IMAGES --size 32 --minutes 10 --out SAMPLES
    gan evaluate --images SAMPLES --against IMAGES --metrics fid,kid,prc

Nets with 64 to 512 channels, batches of 64, Adam 2e-4 (.5, .999), binary cross-entropy, a DataLoader with two workers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from command import run
from plain_dcgan import nets

Z = 100


class DCGAN:
    batch = 64

    def __init__(self, size: int) -> None:
        self.g, self.d = (_initialized(net) for net in nets(size, widest=512))
        self.of_g, self.of_d = (
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (self.g, self.d)
        )
        self.loss, self.ones, self.zeros = nn.BCELoss(), torch.ones(self.batch, 1), torch.zeros(self.batch, 1)

    def step(self, batches: Iterator[Tensor]) -> int:
        fake = self.g(torch.randn(self.batch, Z, 1, 1))
        self.d.zero_grad()
        (self.loss(self.d(next(batches)), self.ones) + self.loss(self.d(fake.detach()), self.zeros)).backward()
        self.of_d.step()
        self.g.zero_grad()
        self.loss(self.d(fake), self.ones).backward()
        self.of_g.step()
        return self.batch

    def generate(self, n: int) -> Tensor:
        out: Tensor = self.g.eval()(torch.randn(n, Z, 1, 1))
        return out


def _initialized(net: nn.Module) -> nn.Module:
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(m.weight, 0.0, 0.02)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.02)
    return net


if __name__ == "__main__":
    run(__doc__, DCGAN)
