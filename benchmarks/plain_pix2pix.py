"""pix2pix as its authors' code writes it: a DataLoader with two workers, eager float32, separate passes of D, losses read each step.

    python benchmarks/plain_pix2pix.py DATA --steps 60              images per second of the plain loop
    python benchmarks/plain_pix2pix.py DATA --runs 5                alternating with `gan bench`; the ratio of the medians

Batch, losses and optimizers are those of the preset `pix2pix` at 64x64; G is the U-Net of the paper, with nearest-neighbor upsampling and
3x3 convolutions, in both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

WIDTHS = (32, 64, 128, 256, 256)
SAME = ("--set", "task.translator={name='unet',width=32}", "--set", "data.enlarge=1.12")
BATCH, WARM = 4, 10


class Pairs(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pictures of trainA and trainB, enlarged by 1.12 and cropped together."""

    def __init__(self, folder: Path) -> None:
        self.files = [(p, folder / "trainB" / p.name) for p in sorted((folder / "trainA").iterdir())]
        self.change = transforms.Compose(
            [transforms.Resize((72, 72)), transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        y, x = torch.randint(0, 9, (2,)).tolist()
        a, b = (self.change(Image.open(file).convert("RGB"))[:, y : y + 64, x : x + 64] for file in self.files[i])
        return a, b


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(WIDTHS):
            layer = nn.Conv2d(WIDTHS[i - 1] if i else 3, width, 4, 2, 1, padding_mode="reflect")
            norm = [nn.InstanceNorm2d(width, affine=True)] if 0 < i < len(WIDTHS) - 1 else []
            self.down.append(nn.Sequential(layer, *norm, nn.LeakyReLU(0.2)))
        for i in range(len(WIDTHS) - 1, 0, -1):
            a, b = WIDTHS[i] * (1 if i == len(WIDTHS) - 1 else 2), WIDTHS[i - 1]
            drop = [nn.Dropout(0.5)] if i == len(WIDTHS) - 1 else []
            up = [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, 1, 1, padding_mode="reflect")]
            self.up.append(nn.Sequential(*up, nn.InstanceNorm2d(b, affine=True), nn.ReLU(), *drop))
        last = nn.Conv2d(2 * WIDTHS[0], 3, 3, 1, 1, padding_mode="reflect")
        self.last = nn.Sequential(nn.Upsample(scale_factor=2), last, nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = []
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        for i, layer in enumerate(self.up):
            x = torch.cat([layer(x), maps[-2 - i]], 1)
        out: torch.Tensor = self.last(x)
        return out


def critic() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(6, 32, 4, 2, 1), nn.LeakyReLU(0.2)]
    for a, b, stride in ((32, 64, 2), (64, 128, 1)):
        layers += [nn.Conv2d(a, b, 4, stride, 1), nn.InstanceNorm2d(b, affine=True), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(128, 1, 4, 1, 1))


def plain(data: Path, steps: int) -> float:
    """Images per second, the first steps not counted."""
    torch.manual_seed(0)
    loader = DataLoader(Pairs(data), BATCH, shuffle=True, num_workers=2, drop_last=True)
    g, d = UNet(), critic()
    rules = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (g, d)]
    loss, l1, step, mark = nn.BCEWithLogitsLoss(), nn.L1Loss(), 0, 0.0
    while True:
        for a, b in loader:
            fake = g(a)
            for p in d.parameters():
                p.requires_grad_(True)
            rules[1].zero_grad()
            on_fake, on_real = d(torch.cat([a, fake.detach()], 1)), d(torch.cat([a, b], 1))
            d_loss = 0.5 * (loss(on_fake, torch.zeros_like(on_fake)) + loss(on_real, torch.ones_like(on_real)))
            d_loss.backward()
            rules[1].step()
            for p in d.parameters():
                p.requires_grad_(False)
            rules[0].zero_grad()
            on_fake = d(torch.cat([a, fake], 1))
            g_loss = loss(on_fake, torch.ones_like(on_fake)) + 100 * l1(fake, b)
            g_loss.backward()
            rules[0].step()
            g_loss.item(), d_loss.item()
            step += 1
            if step == WARM:
                mark = time.perf_counter()
            if step == steps:
                return (step - WARM) * BATCH / (time.perf_counter() - mark)


def ours(data: Path, steps: int, precision: str) -> float:
    command = [
        *("bench", "--data", data, "--preset", "pix2pix", *SAME),
        *("--steps", steps, "--precision", precision, "--json"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "gancli", *map(str, command)], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout)["images_per_s"])


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", type=Path)
    p.add_argument("--steps", type=int, default=60)
    p.add_argument("--runs", type=int, default=0, help="alternating runs with gan bench")
    p.add_argument("--precision", default="auto")
    a = p.parse_args()
    if not a.runs:
        print(json.dumps({"images_per_s": plain(a.data, a.steps)}))
        return
    found = [(plain(a.data, a.steps), ours(a.data, a.steps, a.precision)) for _ in range(a.runs)]
    theirs, mine = (median(side) for side in zip(*found, strict=True))
    print(json.dumps({"plain": theirs, "gan": mine, "ratio": mine / theirs, "precision": a.precision, "runs": a.runs}))


if __name__ == "__main__":
    main()
