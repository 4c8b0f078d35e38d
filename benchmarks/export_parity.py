"""A table of how exported models compare with torch: every preset, several sizes, gray and color.

    python benchmarks/export_parity.py [--to onnx,html] [--sizes 8,28,32,64,128] [--presets dcgan,style]
    KERAS_BACKEND=jax python benchmarks/export_parity.py --to keras

Weights are random, moved from where they start by a tenth of their spread, so that no strength, gain or statistic is zero or one,
and few outputs are clipped. Widths are those of the preset. Results are kept in a file, and what is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import torch

from gancli.core.config import presets, read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.errors import GanError
from gancli.core.specs import Degraded, Domains, Images, Pairs
from gancli.export.contracts import Export, Source, by_torch
from gancli.export.formats.keras import with_backend
from gancli.export.parity import examples
from gancli.export.writing import export, format_of
from gancli.inference.generator import Model

CHOICES = {"classes": 4, "attributes": 2}


SPECS = {
    "images": lambda one, _task: one,
    "pairs": lambda one, _task: Pairs(source=one, target=one),
    "domains": lambda one, _task: Domains(a=one, b=one),
    "degraded": lambda one, task: Degraded(image=one, scale=task.scale, mask=any(part.masks for part in task.degrade)),
}


@dataclass(frozen=True)
class Random(Source):
    """A model of a preset with random weights."""

    image: Images = field(default_factory=lambda: Images(channels=1, height=8, width=8))

    @cached_property
    def model(self) -> Model:
        task = resolve({"preset": self.name}, read_preset(self.name), {"data": {"source": "digits"}}).task
        spec = SPECS[task.accepts.name](self.image, task)
        task = task.resolved(100_000, spec)
        torch.manual_seed(0)
        nets = task.nets(spec)
        for net in nets.values():
            for t in net.parameters():
                t.detach().add_((0.1 * t.detach().std(correction=0) + 0.01) * torch.randn_like(t))
            for t in net.buffers():
                if t.is_floating_point():
                    t.add_(0.05 * torch.rand_like(t))  # variances stay positive
            net.eval().requires_grad_(False)
        tick = Tick(0, 1000, 100_000)
        task.prepare(nets, spec, tick)
        return Model(task, nets, spec, tick, {"preset": self.name})


@dataclass(frozen=True)
class Case:
    """One export, and how it compared with torch; `failed` says why there is none."""

    form: str  # with the backend of Keras: keras/jax
    preset: str
    size: str
    largest: float = 0.0
    differing: int = 0
    pixels: int = 0
    saturated: float = 0.0  # share of the values that are clipped to -1 or 1, which equal for that reason
    megabytes: float = 0.0
    seconds: float = 0.0
    failed: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="onnx,html")
    parser.add_argument("--sizes", default="8,28,32,64,128")
    parser.add_argument("--presets", default=",".join(presets()))
    parser.add_argument("--out", type=Path, default=Path("parity.jsonl"), help="what is there is not measured again")
    args = parser.parse_args()
    cases = [Case(**json.loads(line)) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(case.form, case.preset, case.size) for case in cases}
    sides = [int(side) for side in args.sizes.split(",") if side]
    for name, preset, side, channels in product(args.to.split(","), args.presets.split(","), sides, (1, 3)):
        form, image = format_of(name), Images(channels=channels, height=side, width=side, **CHOICES)
        label = f"{name}/{with_backend().backend.backend()}" if name == "keras" else name
        if (label, preset, image.size) in done:
            continue
        cases.append(measured(form, label, preset, image))
        with args.out.open("a") as file:
            file.write(json.dumps(asdict(cases[-1])) + "\n")
        print(cases[-1], file=sys.stderr, flush=True)
    print("\n".join(table(cases)))


def measured(form: Export, label: str, preset: str, image: Images) -> Case:
    begun = time.perf_counter()
    facts = {"form": label, "preset": preset, "size": image.size}
    try:
        source = Random(Path(preset), image=image)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "model"
            parity = export(form, source, out)
            files = [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file()]
            size = sum(p.stat().st_size for p in files) / 1e6
    except GanError as error:
        return Case(**facts, failed=error.cause)
    assert parity is not None
    values = np.concatenate([by_torch(source.exportable, x).ravel() for x in examples(source.exportable, 4)])
    return Case(
        **facts, largest=parity.largest, differing=parity.differing, pixels=parity.pixels,
        saturated=round(float((np.abs(values) > 0.999).mean()), 3), megabytes=round(size, 1),
        seconds=round(time.perf_counter() - begun, 1),
    )  # fmt: skip


def table(cases: list[Case]) -> list[str]:
    """A row for each preset and format: the worst of all sizes that were measured."""
    lines = ["| preset | format | images | largest difference | differing pixels |", "|-|-|-|-|-|"]
    found: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        found.setdefault((case.preset, case.form), []).append(case)
    for (preset, form), of in sorted(found.items()):
        good, bad = [case for case in of if not case.failed], [case for case in of if case.failed]
        if good:
            worst, pixels = max(case.largest for case in good), sum(case.pixels for case in good)
            sizes = ", ".join(case.size for case in good)
            lines.append(
                f"| {preset} | {form} | {sizes} | {worst:.1e} | {sum(c.differing for c in good)} of {pixels:,} |"
            )
        lines += [f"| {preset} | {form} | {case.size} | {case.failed} | - |" for case in bad]
    return lines


if __name__ == "__main__":
    main()
