"""Restore whole pictures by models that were trained on small images of other pictures, beside the best classical method.

    python benchmarks/restore_pictures.py --pictures PICTURES --data-dir DATA --out OUT

OUT/runs holds the runs `denoise-25`, `scratch` and `brush` of benchmarks/restore.py (or their folders `model/`). Each picture gets noise of
standard deviation 25, eight scratches, or strokes of a brush, with a fixed seed, and is restored by `gan apply`. OUT gets a table,
pictures.md, and for each degradation a page of sections of 160 pixels: degraded, classical, restored, original.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from restore import Photographs

from gancli.core.data import Reading
from gancli.core.registry import build
from gancli.data.degraded import DegradedDataset
from gancli.degradations.chain import parse
from gancli.degradations.strokes import polyline, stroke

KINDS = {  # run: degradation of the pictures, degradation that the classical methods are fitted to, those methods
    "denoise-25": ("gauss:25", "gauss:25", ("dct", "nlm")),
    "scratch": ("scratch:8", "scratch:4", ("median", "gaussian-blur")),
    "brush": ("", "hole:brush", ("biharmonic",)),
}
SECTION, GAP, COVERED, THICK = 160, 4, 0.1, 5


def strokes(height: int, width: int, random: torch.Generator) -> np.ndarray:
    """A mask uint8 [H, W] of strokes of 5 pixels over a tenth of the picture; 255: missing."""
    image = Image.new("L", (width, height))
    while np.asarray(image).mean() < 255 * COVERED:
        stroke(ImageDraw.Draw(image), polyline(height, width, 8, 30.0, 1.5, random), THICK, 255)
    return np.array(image)


def degraded(name: str, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture uint8 [3, H, W] as a file has it, and the mask [H, W] of what is missing."""
    random = torch.Generator().manual_seed(0)
    if not KINDS[name][0]:
        _, height, width = picture.shape
        mask = strokes(height, width, random)
        return np.where(mask[None] > 0, np.uint8(127), picture), mask
    x = torch.from_numpy(picture.astype(np.float32)) / 127.5 - 1
    for part in parse(KINDS[name][0]):
        x, _ = part(x, random)
    return x.add(1).mul(127.5).round().to(torch.uint8).numpy(), None


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None) -> float:
    apart = np.square(a.astype(float) - b)
    apart = apart if mask is None else apart[:, mask > 0]
    return 10 * math.log10(255**2 / apart.mean())


def classical(name: str, train: Any, inputs: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
    """What the classical methods make of a picture."""
    out = {}
    for method in KINDS[name][2]:
        part: Any = build("baseline", method)
        fitted = part.fit(train.take(slice(0, part.fits)).samples())
        masks = None if mask is None else mask[None, None]
        out[method] = fitted(inputs[None], masks, inputs.shape[1:])[0]
    return out


def restored(run: Path, inputs: np.ndarray, mask: np.ndarray | None, place: Path) -> tuple[np.ndarray, float]:
    """The output of `gan apply`, and its seconds."""
    Image.fromarray(inputs.transpose(1, 2, 0)).save(place / "in.png")
    words = [sys.executable, "-m", "gancli", "apply", run, place / "in.png", "--out", place / "out.png"]
    if mask is not None:
        Image.fromarray(mask).save(place / "mask.png")
        words += ["--mask", place / "mask.png"]
    begun = time.monotonic()
    subprocess.run([*map(str, words), "--quiet"], check=True)
    seconds = time.monotonic() - begun
    made = np.asarray(Image.open(place / "out.png").convert("RGB")).transpose(2, 0, 1)
    for file in ("in.png", "out.png", "mask.png"):
        (place / file).unlink(missing_ok=True)
    return made, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    source = Photographs(root=str(args.data_dir / "cifar10-photos"))
    photographs = source.read(Reading(args.data_dir, args.out / "cache")).train
    lines = ["| picture | degradation | degraded | best classical | restored | seconds |", "|-|-|-|-|-|-|"]
    for name in KINDS:
        run = args.out / "runs" / name
        train = DegradedDataset(photographs, parse(KINDS[name][1]), fixed=True)
        rows = []
        for file in sorted(args.pictures.iterdir()):
            picture = np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1).copy()
            inputs, mask = degraded(name, picture)
            others = classical(name, train, inputs, mask)
            best = max(others, key=lambda k: psnr(others[k], picture, mask))
            ours, seconds = restored(run / "model", inputs, mask, args.out)
            scores = [psnr(x, picture, mask) for x in (inputs, others[best], ours)]
            what = KINDS[name][0] or "strokes of 5 pixels"
            size = f"{picture.shape[1]}x{picture.shape[2]}"
            lines.append(
                f"| {file.stem} ({size}) | {what} | {scores[0]:.2f} | {best} {scores[1]:.2f} | {scores[2]:.2f} | {seconds:.1f} |"
            )
            print(lines[-1], flush=True)
            top, left = (picture.shape[1] - SECTION) // 3, (picture.shape[2] - SECTION) // 2
            parts = [x[:, top : top + SECTION, left : left + SECTION] for x in (inputs, others[best], ours, picture)]
            gap = np.full((3, SECTION, GAP), 255, np.uint8)
            rows += [np.concatenate([p for part in parts for p in (part, gap)][:-1], 2)]
        line = np.full((3, GAP, rows[0].shape[2]), 255, np.uint8)
        page = np.concatenate([r for row in rows for r in (row, line)][:-1], 1)
        Image.fromarray(page.transpose(1, 2, 0)).save(args.out / f"pictures-{name}.png")
    (args.out / "pictures.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
