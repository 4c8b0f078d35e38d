"""A table of how exported models compare with torch: every preset, several sizes, gray and color.

    python benchmarks/export_parity.py [--to onnx,html] [--sizes 32,8,128] [--presets dcgan,style]
    KERAS_BACKEND=jax python benchmarks/export_parity.py --to keras

ONNX files run in onnxruntime, HTML pages in headless Chromium (chromium and chromedriver are needed), Keras models on the backend.
Weights are random, moved from where they start by a tenth of their spread, so that no strength, gain or statistic is zero or one,
and few outputs are clipped. Widths are those of the preset. Of text, a size is the length of the lines. Presets whose nets are
equal are measured once: `same` names the first. Results are kept in a file, and what is there is not measured again.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.config import presets, read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.data import Spec
from gancli.core.errors import GanError
from gancli.core.specs import Degraded, Domains, Images, Pairs, Tokens
from gancli.export.contracts import Arrays, Export, Runner, Source, by_torch
from gancli.export.formats import html, onnx
from gancli.export.formats.keras import with_backend
from gancli.export.parity import compare, examples
from gancli.export.writing import export, format_of
from gancli.inference.generator import Model

CHOICES = {"classes": 4, "attributes": 2}

WORDS = ("", "\ufffd", *"abcdefghijklmnopqrstuvwxyz '-")
SPECS: dict[str, Callable[[Images, Any], Spec]] = {
    "images": lambda one, _task: one,
    "pairs": lambda one, _task: Pairs(source=one, target=one),
    "domains": lambda one, _task: Domains(a=one, b=one),
    "tokens": lambda one, _task: Tokens(length=one.height, vocabulary=len(WORDS), classes=one.classes, words=WORDS),
    "degraded": lambda one, task: Degraded(image=one, scale=task.scale, mask=any(part.masks for part in task.degrade)),
}


@dataclass(frozen=True)
class Random(Source):
    """A model of a preset with random weights."""

    image: Images = field(default_factory=lambda: Images(channels=1, height=8, width=8))

    @property
    def size(self) -> str:
        """What is measured: of images C x H x W."""
        return f"{self.image.height} tokens" if self.path.name.startswith("text-") else self.image.size

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
            for buffer in net.buffers():
                if buffer.is_floating_point():
                    buffer.add_(0.05 * torch.rand_like(buffer))  # variances stay positive
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
    net: str = ""  # digest of weights, inputs and outputs
    same: str = ""  # the preset that was measured, which has the same net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", default="onnx,html")
    parser.add_argument("--sizes", default="32,8,128")
    parser.add_argument("--presets", default=",".join(presets()))
    parser.add_argument("--out", type=Path, default=Path("parity.jsonl"), help="what is there is not measured again")
    args = parser.parse_args()
    cases = [Case(**json.loads(line)) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    forms = {
        name: f"{name}/{with_backend().backend.backend()}" if name == "keras" else name for name in args.to.split(",")
    }
    sides = [int(side) for side in args.sizes.split(",") if side]
    model_bytes = cache(onnx.model_bytes)  # the pages of a preset contain the file that was measured
    for module in (html, onnx):
        setattr(module, "model_bytes", model_bytes)  # noqa: B010 - of html it is an import
    with contextlib.ExitStack() as stack:
        page = cache(lambda: stack.enter_context(browser()))
        for side, preset, channels in product(sides, args.presets.split(","), (1, 3)):
            source = Random(Path(preset), image=Images(channels=channels, height=side, width=side, **CHOICES))
            done = {case.form for case in cases if (case.preset, case.size) == (preset, source.size)}
            for name in sorted(forms.keys() - done, reverse=True):
                cases.append(found_or_measured(cases, format_of(name), forms[name], source, page))
                with args.out.open("a") as file:
                    file.write(json.dumps(asdict(cases[-1])) + "\n")
                print(cases[-1], file=sys.stderr, flush=True)
            model_bytes.cache_clear()
    print("\n".join(table(cases)))


def found_or_measured(cases: list[Case], form: Export, label: str, source: Random, page: Callable[[], Any]) -> Case:
    """The case of another preset with the same net, or a measurement."""
    facts: dict[str, Any] = {"form": label, "preset": source.name, "size": source.size}
    try:
        net = digest(source)
    except GanError as error:
        return Case(**facts, failed=error.cause)
    for case in cases:
        if (case.form, case.size, case.net) == (label, source.size, net) and not case.same:
            return replace(case, preset=source.name, same=case.preset)
    return replace(measured(form, facts, source, page), net=net)


def digest(source: Source) -> str:
    """Of the weights of a model, and of what it makes of its examples."""
    out = hashlib.sha256(source.facts["weights_sha256"].encode())
    for inputs in examples(source.exportable, CHOICES["classes"]):
        for name, x in inputs.items():
            out.update(name.encode() + str(x.shape).encode())
        out.update(by_torch(source.exportable, inputs).tobytes())
    return out.hexdigest()[:16]


def measured(form: Export, facts: dict[str, Any], source: Random, page: Callable[[], Any]) -> Case:
    begun = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / f"model{form.suffix}"
            parity = export(form, source, out)
            if form.name == "html":
                parity = compare(source.exportable, in_browser(page(), out), CHOICES["classes"])
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


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a network."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(600)
    driver.set_page_load_timeout(600)
    try:
        yield driver
    finally:
        driver.quit()


INFER = """
const inputs = Object.fromEntries(arguments[0].map(([name, text, shape, form]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return [name, [new globalThis[form](bytes.buffer), shape]];
}));
return gan.infer(inputs).then(({ data, dims }) => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength), parts = [];
  for (let i = 0; i < bytes.length; i += 8192) parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return [btoa(parts.join("")), dims.map(Number), data.constructor.name];
});
"""
FORMS = {"float32": "Float32Array", "float64": "Float64Array", "int64": "BigInt64Array"}


def in_browser(driver: Any, page: Path) -> Runner:
    """A function that runs the model in the page, by ONNX Runtime Web."""
    driver.get(page.as_uri())
    driver.execute_script("return gan.ready.then(() => true)")

    def run(inputs: Arrays) -> np.ndarray:
        given = [
            [name, base64.b64encode(np.ascontiguousarray(x).tobytes()).decode(), x.shape, FORMS[str(x.dtype)]]
            for name, x in inputs.items()
        ]
        text, shape, form = driver.execute_script(INFER, given)
        kind = next(kind for kind, name in FORMS.items() if name == form)
        return np.frombuffer(base64.b64decode(text), kind).reshape(shape).copy()

    return run


def table(cases: list[Case]) -> list[str]:
    """A row for each net, with the presets that have it: the largest difference, and how many pixels differ, of all sizes together."""
    forms = sorted({case.form for case in cases}, reverse=True)
    head = "".join(f" {form}: difference | differing |" for form in forms)
    lines = [f"| presets | sizes |{head}", "|-|-|" + "-|-|" * len(forms)]
    presets_of: dict[str, list[str]] = {}
    first_of = {case.preset: case.same for case in cases if case.same}
    for case in sorted(cases, key=lambda case: case.preset):
        names = presets_of.setdefault(first_of.get(case.preset, case.preset), [])
        if case.preset not in names:
            names.append(case.preset)
    for first, names in sorted(presets_of.items(), key=lambda item: item[1]):
        good = [case for case in cases if case.preset == first and not case.failed]
        sizes = ", ".join(dict.fromkeys(case.size for case in sorted(good, key=lambda case: (case.pixels, case.size))))
        cells = "".join(_cells([case for case in good if case.form == form]) for form in forms)
        lines.append(f"| {', '.join(names)} | {sizes or '-'} |{cells}")
    failed = sorted({f"{case.preset}, {case.form}, {case.size}: {case.failed}" for case in cases if case.failed})
    return [*lines, "", *failed]


def _cells(good: list[Case]) -> str:
    """Two cells of the table."""
    if not good:
        return " - | - |"
    worst, pixels = max(case.largest for case in good), sum(case.pixels for case in good)
    return f" {worst:.1e} | {sum(case.differing for case in good):,} of {pixels:,} |"


if __name__ == "__main__":
    main()
