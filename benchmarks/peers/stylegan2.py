"""A peer: the nets, loss and training step of the package stylegan2_pytorch (1912.04958), whose own program wants CUDA.

    pip install stylegan2_pytorch                     # in an environment apart
    python benchmarks/peers/stylegan2.py --folder IMAGES --size 64 --minutes 10 --out SAMPLES

Its defaults: capacity 16, batches of 5 in six parts per step, Adam 2e-4 (.5, .9), 3e-4 for D, hinge loss, gradient penalty of 10 on every
fourth step, style mixing, path length regularization after 5,000 steps, no augmentation. Samples are of the generator itself, without
truncation: the package starts its moving average after 20,000 steps. Quantization of features and logging, which are off, are not imported.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from unittest import mock

import torch
from command import run
from torch import Tensor

PARTS = 6


class StyleGAN2:
    batch = 5

    def __init__(self, size: int) -> None:
        self.package, self.folder = _package(), tempfile.TemporaryDirectory()
        self.trainer = self.package.Trainer(
            base_dir=self.folder.name, image_size=size, batch_size=self.batch, gradient_accumulate_every=PARTS,
            ttur_mult=1.5, rank=1,  # only the first rank saves and draws
        )  # fmt: skip
        self.trainer.init_GAN()

    def step(self, batches: Iterator[Tensor]) -> int:
        if self.trainer.loader is None:
            self.trainer.loader = ((batch + 1) / 2 for batch in batches)
        self.trainer.train()
        return PARTS * self.batch

    def generate(self, n: int) -> Tensor:
        gan = self.trainer.GAN.eval()
        g, package = gan.G, self.package
        styles = package.latent_to_w(gan.S, package.noise_list(n, g.num_layers, g.latent_dim, device=None))
        out: Tensor = g(package.styles_def_to_tensor(styles), package.image_noise(n, g.image_size, device=None))
        return out.clamp(0, 1) * 2 - 1


def _package() -> Any:
    """The package, whose calls of .cuda() leave everything on the CPU."""
    sys.modules |= {name: mock.MagicMock() for name in ("aim", "vector_quantize_pytorch")}
    for kind in (torch.Tensor, torch.nn.Module):
        mock.patch.object(kind, "cuda", lambda self, *_: self).start()
    with mock.patch("torch.cuda.is_available", return_value=True):
        return import_module("stylegan2_pytorch.stylegan2_pytorch")


if __name__ == "__main__":
    run(__doc__, StyleGAN2)
