"""A peer: DCGAN as in PyTorch's examples, trained for some minutes on a folder of images; its samples are written for `gan evaluate`.

    python benchmarks/peers/dcgan.py --folder IMAGES --size 32 --minutes 10 --out SAMPLES [--device cuda]
    gan evaluate --images SAMPLES --against IMAGES --metrics fid,kid,prc

Nets with 64 to 512 channels, batches of 64, Adam 2e-4 (.5, .999), binary cross-entropy, a DataLoader with two workers. With --images
it is trained for a number of images instead.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

sys.path.insert(0, str(Path(__file__).parents[1]))
from plain_dcgan import nets

BATCH, Z = 64, 100
SUFFIXES = {".png", ".jpg", ".jpeg"}


class Folder(Dataset[Tensor]):
    """All images below a folder, in [-1, 1]."""

    def __init__(self, folder: Path, size: int) -> None:
        self.files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        half = (0.5,) * 3
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize(half, half),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor:
        with Image.open(self.files[i]) as picture:
            out: Tensor = self.transform(picture.convert("RGB"))
        return out


def initialized(net: nn.Module) -> nn.Module:
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(m.weight, 0.0, 0.02)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.02)
    return net


def batches(data: Folder) -> Iterator[Tensor]:
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=2, drop_last=True)
    while True:
        yield from loader


def trained(a: argparse.Namespace) -> tuple[nn.Module, int]:
    """G, and the images that it was trained for."""
    g, d = (initialized(net).to(a.device) for net in nets(a.size, widest=512))
    of_g, of_d = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (g, d))
    loss, begun, seen = nn.BCELoss(), time.monotonic(), 0
    ones, zeros = torch.ones(BATCH, 1, device=a.device), torch.zeros(BATCH, 1, device=a.device)
    for batch in batches(Folder(a.folder, a.size)):
        if (a.images and seen >= a.images) or (not a.images and time.monotonic() - begun > 60 * a.minutes):
            return g, seen
        fake = g(torch.randn(BATCH, Z, 1, 1, device=a.device))
        d.zero_grad()
        (loss(d(batch.to(a.device)), ones) + loss(d(fake.detach()), zeros)).backward()
        of_d.step()
        g.zero_grad()
        loss(d(fake), ones).backward()
        of_g.step()
        seen += BATCH
    raise AssertionError("the batches have no end")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--folder", type=Path, required=True)
    p.add_argument("--size", type=int, required=True)
    p.add_argument("--minutes", type=float, default=10.0)
    p.add_argument("--images", type=int, default=None)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--n", type=int, default=2_000)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    torch.manual_seed(a.seed)
    g, seen = trained(a)
    a.out.mkdir(parents=True, exist_ok=True)
    g.eval()
    with torch.no_grad():
        for first in range(0, a.n, BATCH):
            images = g(torch.randn(min(BATCH, a.n - first), Z, 1, 1, device=a.device))
            pixels = ((images + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
            for i, image in enumerate(pixels):
                Image.fromarray(np.ascontiguousarray(image)).save(a.out / f"{first + i:05d}.png")
    print(f"{seen:,} images; {a.n:,} samples in {a.out}")


if __name__ == "__main__":
    main()
