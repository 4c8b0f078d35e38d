"""A peer: SNGAN of the package torch-mimicry, with its nets and training steps, on a folder of images.

    pip install torch-mimicry                       # in an environment apart
    python benchmarks/peers/sngan.py --folder IMAGES --size 32 --minutes 10 --out SAMPLES

Sizes 32, 48, 64 and 128. Batches of 64, Adam 2e-4 (0, .9), five steps of D per step of G, as in its documentation. The package's scores,
which need TensorFlow, its data sets, which need an older torch, and its trainer, which needs TensorBoard, are not imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from command import run
from torch import Tensor

N_DIS = 5
LEFT_OUT = ("torch_mimicry.metrics", "torch_mimicry.datasets", "torch_mimicry.training")


class _Log:
    """The package's training steps report to it."""

    def add_metric(self, *_: object, **__: object) -> None:
        pass


class SNGAN:
    batch = 64

    def __init__(self, size: int) -> None:
        sys.modules |= {name: ModuleType(name) for name in LEFT_OUT}
        module: Any = import_module(f"torch_mimicry.nets.sngan.sngan_{size}")
        self.g, self.d = getattr(module, f"SNGANGenerator{size}")(), getattr(module, f"SNGANDiscriminator{size}")()
        self.of_g, self.of_d = (torch.optim.Adam(net.parameters(), 2e-4, betas=(0.0, 0.9)) for net in (self.g, self.d))

    def step(self, batches: Iterator[Tensor]) -> int:
        device, log = torch.device("cpu"), _Log()
        for _ in range(N_DIS):
            real = (next(batches), None)
            self.d.train_step(real_batch=real, netG=self.g, optD=self.of_d, log_data=log, device=device)
        self.g.train_step(real_batch=real, netD=self.d, optG=self.of_g, log_data=log, device=device)
        return N_DIS * self.batch

    def generate(self, n: int) -> Tensor:
        out: Tensor = self.g.eval().generate_images(n)
        return out


if __name__ == "__main__":
    run(__doc__, SNGAN)
