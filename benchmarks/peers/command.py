"""The command line of the peers: a folder of images as their users read it, a clock, and samples written for `gan evaluate`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

SUFFIXES = {".png", ".jpg", ".jpeg"}
CHUNK = 64  # samples made at a time


class Peer(Protocol):
    """A GAN of another project, on images [N, 3, H, W] in [-1, 1]."""

    batch: int

    def step(self, batches: Iterator[Tensor]) -> int:
        """One training step. Returns the number of training images drawn."""

    def generate(self, n: int) -> Tensor:
        """n samples."""


class Folder(Dataset[Tensor]):
    """All images below a folder, in [-1, 1]."""

    def __init__(self, folder: Path, size: int) -> None:
        self.files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize((0.5,) * 3, (0.5,) * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor:
        with Image.open(self.files[i]) as picture:
            out: Tensor = self.transform(picture.convert("RGB"))
        return out


def batches(data: Folder, size: int) -> Iterator[Tensor]:
    loader = DataLoader(data, size, shuffle=True, num_workers=2, drop_last=True)
    while True:
        yield from loader


def run(description: str | None, build: Callable[[int], Peer]) -> None:
    """The command line of a peer; `build` gets the image size."""
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--folder", type=Path, required=True)
    p.add_argument("--size", type=int, required=True)
    p.add_argument("--minutes", type=float, default=10.0)
    p.add_argument("--images", type=int, default=None, help="training images, instead of minutes")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--n", type=int, default=2_000, help="samples written")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=None)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    if a.threads:
        torch.set_num_threads(a.threads)
    peer, seen, begun = build(a.size), 0, time.monotonic()
    drawn = batches(Folder(a.folder, a.size), peer.batch)
    while seen < a.images if a.images else time.monotonic() - begun < 60 * a.minutes:
        seen += peer.step(drawn)
    a.out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for first in range(0, a.n, CHUNK):
            pixels = ((peer.generate(min(CHUNK, a.n - first)) + 1) * 127.5).round().clamp(0, 255).byte()
            for i, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
                Image.fromarray(np.ascontiguousarray(image)).save(a.out / f"{first + i:05d}.png")
    print(f"{seen:,} images; {a.n:,} samples in {a.out}")
