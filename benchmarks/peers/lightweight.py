"""A peer: the nets, augmentation and loss of the package lightweight-gan (2101.04775), whose own program wants CUDA.

    pip install lightweight-gan                     # in an environment apart
    python benchmarks/peers/lightweight.py --folder IMAGES --size 64 --minutes 10 --out SAMPLES

Its defaults: batches of 10 in four parts per step, cutout and translation, Adam 2e-4 (.5, .9), hinge loss with the reconstruction of real
images, gradient penalty of 10 on every fourth step. Departs: no attention at 32 pixels, with which a step of 40 images takes minutes on
a CPU. Samples are of the generator itself: the package starts its moving average after 20,000 steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any
from unittest import mock

import torch
from command import run
from torch import Tensor

LATENT, PARTS, PENALTY, EVERY = 256, 4, 10.0, 4
AUGMENT = {"prob": 0.5, "types": ["cutout", "translation"]}


class Lightweight:
    batch = 10

    def __init__(self, size: int) -> None:
        with mock.patch("torch.cuda.is_available", return_value=True):
            package: Any = import_module("lightweight_gan.lightweight_gan")
        with mock.patch.object(torch.nn.Module, "cuda", lambda self, *_: self):
            self.gan = package.LightweightGAN(latent_dim=LATENT, image_size=size, disc_output_size=1)
        self.gan.train()
        self.package = package
        self.steps = 0

    def step(self, batches: Iterator[Tensor]) -> int:
        gan, hinge = self.gan, self.package.hinge_loss
        penalized = self.steps % EVERY == 0
        gan.D_opt.zero_grad()
        for _ in range(PARTS):
            real = ((next(batches) + 1) / 2).requires_grad_(penalized)
            with torch.no_grad():
                fake = gan.G(torch.randn(self.batch, LATENT))
            seen, (fakes, small_fakes, _) = gan.D_aug(
                fake, detach=True, input_requires_grad=penalized, return_discr_input=True, **AUGMENT
            )
            reals, small_reals, aux = gan.D_aug(real, calc_aux_loss=True, **AUGMENT)
            loss = hinge(reals, fakes) + hinge(small_reals, small_fakes) + aux
            if penalized:
                loss = loss + PENALTY * _squares([reals, small_reals], real, [fakes, small_fakes], seen)
            (loss / PARTS).backward()
        gan.D_opt.step()
        gan.G_opt.zero_grad()
        for _ in range(PARTS):
            out, small, _ = gan.D_aug(gan.G(torch.randn(self.batch, LATENT)), **AUGMENT)
            ((out.mean() + small.mean()) / PARTS).backward()
        gan.G_opt.step()
        self.steps += 1
        return PARTS * self.batch

    def generate(self, n: int) -> Tensor:
        out: Tensor = self.gan.eval().G(torch.randn(n, LATENT))
        return out.clamp(0, 1) * 2 - 1


def _squares(reals: list[Tensor], real: Tensor, fakes: list[Tensor], fake: Tensor) -> Tensor:
    """The mean squared norm of the gradients of all outputs."""
    gradients = []
    for outputs, inputs in ((reals, real), (fakes, fake)):
        (g,) = torch.autograd.grad(outputs, inputs, [torch.ones_like(o) for o in outputs], create_graph=True)
        gradients.append(g.flatten(1))
    return torch.cat(gradients).square().sum(1).mean()


if __name__ == "__main__":
    run(__doc__, Lightweight)
