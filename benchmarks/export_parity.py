"""A table of how exported models compare with torch: every preset, several sizes, gray and color.

    python benchmarks/export_parity.py [--to onnx] [--sizes 8,28,32,64,128] [--presets dcgan,style]

Weights are random, moved from where they start, so that no strength, gain or statistic is zero or one. Widths are those of
the preset.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from gancli.core.config import presets, read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.errors import GanError, UsageError
from gancli.core.specs import Degraded, Domains, Images, Pairs
from gancli.export.contracts import Export, Source
from gancli.export.writing import export, format_of
from gancli.inference.generator import Model

CHOICES = {"classes": 4, "attributes": 2}


SPECS = {
    "images": lambda one: one,
    "pairs": lambda one: Pairs(source=one, target=one),
    "domains": lambda one: Domains(a=one, b=one),
    "degraded": lambda one: Degraded(image=one),
}


@dataclass(frozen=True)
class Random(Source):
    """A model of a preset with random weights."""

    image: Images = field(default_factory=lambda: Images(channels=1, height=8, width=8))

    @cached_property
    def model(self) -> Model:
        task = resolve({"preset": self.name}, read_preset(self.name), {"data": {"source": "digits"}}).task
        spec = SPECS[task.accepts.name](self.image)
        task = task.resolved(100_000, spec)
        torch.manual_seed(0)
        nets = task.nets(spec)
        for net in nets.values():
            for t in (*net.parameters(), *net.buffers()):
                if t.is_floating_point():
                    t.detach().add_(0.05 * torch.rand_like(t))
            net.eval().requires_grad_(False)
        tick = Tick(0, 1000, 100_000)
        task.prepare(nets, spec, tick)
        return Model(task, nets, spec, tick, {"preset": self.name})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="onnx")
    parser.add_argument("--sizes", default="8,28,32,64,128")
    parser.add_argument("--presets", default=",".join(presets()))
    args = parser.parse_args()
    form = format_of(args.to)
    print("| preset | images | largest difference | differing pixels | file | seconds |\n|-|-|-|-|-|-|")
    for preset in args.presets.split(","):
        for side in map(int, args.sizes.split(",")):
            for channels in (1, 3):
                row(preset, Images(channels=channels, height=side, width=side, **CHOICES), form)


def row(preset: str, image: Images, form: Export) -> None:
    begun = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "model"
            parity = export(form, Random(Path(preset), image=image), out)
            size = out.stat().st_size
        assert parity is not None
        said = f"{parity.largest:.1e} | {parity.differing} of {parity.pixels:,} | {size / 1e6:.1f} MB"
    except UsageError as error:
        said = f"{error.cause} | - | -"
    except GanError as error:
        said = f"FAILED: {error} | - | -"
    print(f"| {preset} | {image.size} | {said} | {time.perf_counter() - begun:.1f} |", flush=True)


if __name__ == "__main__":
    main()
