"""What is fuzzed: checkpoints, configurations, pictures and archives, made from real ones and read as the command line reads them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from faults import Bench
from fuzz_base import Files, Part, everything, nothing, put
from fuzz_changes import (
    WORD,
    Rng,
    changed,
    noise,
    rejson,
    relines,
    retensored,
    reworded,
)
from fuzz_pictures import Archives, Images
from fuzz_tables import Arrays, Tables

from gancli.core.config import Config, presets
from gancli.core.data import Reading
from gancli.runs import checkpoint


def digits_once() -> None:
    """The digits are read once in a process, not once for each input, and never larger than 32x32."""
    from gancli.data import find

    real, kept = find.read, {}

    def read(source: Any, how: Reading) -> Any:
        if source.name != "digits":
            return real(source, how)
        size = (min(32, how.size[0]), min(32, how.size[1])) if how.size else None
        key = (repr(source), size, how.channels)
        if key not in kept:
            kept[key] = real(source, replace(how, size=size))
        return kept[key]

    put(find, read=read)


class Checkpoints(Part):
    """A run's folder, as `gan resume`, `gan sample` and `gan doctor` read it; nothing is trained."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        shutil.rmtree(place / "bench", ignore_errors=True)
        bench = Bench(place / "bench", 20)
        run = bench.new()
        bench.go(run)
        changes = [{"step": 10, "changes": {"intervals": {"log": 2}}}, {"step": 10, "diverged": "x"}]
        scores = [{"step": s, "images": 16 * s, "fid": 9.5, "best": True, "met": False} for s in (10, 20)]
        (run.path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changes))
        (run.path / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in scores))
        self.template, self.point = run.path, "checkpoints/000020/"
        self.files = {str(p.relative_to(run.path)): p.read_bytes() for p in sorted(run.path.rglob("*")) if p.is_file()}
        self.inner = [n for n in self.files if n.startswith(self.point) and not n.endswith("manifest.json")]
        self.outer = [n for n in self.files if n.endswith((".json", ".jsonl")) and not n.startswith("checkpoints")]
        self.drawn = True  # whether the journal is another, and its curves are worth their time

    def prepare(self) -> None:
        from matplotlib.figure import Figure

        from gancli.report import curves
        from gancli.training import session

        real = curves.draw
        digits_once()
        put(curves, draw=lambda *given: real(*given) if self.drawn else None)
        put(session, fit=nothing)
        put(session.Validation, validate=nothing)
        put(Figure, savefig=nothing)

    def make(self, rng: Rng) -> Files:
        out: Files = {}
        changes = {".json": rejson, ".jsonl": relines, ".safetensors": retensored}
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            name = rng.choice(rng.choice((self.inner, self.inner, self.outer, self.outer, list(self.files))))
            change = noise if rng.random() < 0.1 else changes.get(Path(name).suffix, noise)
            out[name] = change(out.get(name, self.files[name]), rng)
        if any(n in out for n in self.inner) and rng.random() < 0.9:
            out |= self.sealed(out, lambda manifest: changed(manifest, rng) if rng.random() < 0.2 else manifest)
        if rng.random() < 0.05:
            out[f"checkpoints/{rng.choice(('000030', '.old-000020', '.tmp-1', '9' * 18, '²'))}/manifest.json"] = b"{}"
        return out

    def sealed(self, out: Files, change: Callable[[Any], Any] = lambda manifest: manifest) -> Files:
        """The manifest that fits the files, itself changed: what lies behind the sums is to be reached."""
        manifest = json.loads(self.files[f"{self.point}manifest.json"])
        for name, entry in manifest["files"].items():
            content = out.get(self.point + name)
            if content is not None:
                entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        del manifest["sha256"]
        try:
            return {f"{self.point}manifest.json": checkpoint._sealed(change(manifest))}
        except (TypeError, ValueError):
            return {f"{self.point}manifest.json": b"{}"}

    def read(self, here: Path) -> None:
        from gancli.cli import doctor, resume, sample
        from gancli.inference.loading import load

        run, journal = str(here), "metrics.jsonl"
        self.drawn = (here / journal).read_bytes() != self.files[journal]
        everything(
            lambda: doctor.command(run, runs_dir=self.place),
            lambda: sample.command(run, n=2, out=str(here / "x.npz"), runs_dir=self.place, quiet=True),
            lambda: load(here / "model"),
            lambda: resume.command(run, runs_dir=self.place, quiet=True, download=False),
        )


class Configs(Part):
    """`gan train --config FILE --preset NAME --set A.B=V --dry-run`, up to nets on the meta device."""

    items = b"""
        seed=3 batch_size=8 task.model.z=9 task.loss=hinge data.source=digits stop.until='fid<8' data.image_size=[8,8] data.flip=true
        task.model={name='dcgan'} optimizer.betas=[0.5,0.9] task.penalties=[{name='r1',weight=0.5}] data={source='digits'}
        data.source={name='folder',path='x'} runtime.device='cpu' runtime.threads=1 optimizers.G={name='adam'} stop.epochs=3
    """.split()

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.plain = {"a.toml": presets()["sagan"].read_bytes(), "sets": b"seed=3"}  # its nets make torch load the most
        self.texts = [re.sub(rb"(?m)^#.*\n", b"", p.read_bytes()) for p in presets().values()]
        self.words = sorted(
            {m[0] for t in self.texts for m in WORD.finditer(t)} | {k.encode() for k in Config.model_fields}
        )

    def prepare(self) -> None:
        from gancli.inference import loading
        from gancli.training import prepare, rehearsal

        def rehearse(made: prepare.Plan) -> dict[str, Any]:
            with torch.device("meta"), loading._few_parameters("the configuration"):
                vars(type(made.cfg.task))["nets"](made.cfg.task, made.spec)
            return {}

        digits_once()
        put(rehearsal, rehearse=rehearse)

    def make(self, rng: Rng) -> Files:
        text, items = rng.choice(self.texts), rng.sample(self.items, rng.randrange(3))
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            text = self._changed(text, rng)
        items = [item if rng.random() < 0.4 else self._changed(item, rng) for item in items]
        return {
            "a.toml": text,
            "sets": b"\n".join(items),
            "preset": rng.choice((b"", b"", b"", rng.choice(self.words))),
        }

    def _changed(self, text: bytes, rng: Rng) -> bytes:
        if rng.random() < 0.2:
            return noise(text, rng, rng.choice(self.texts))
        if rng.random() < 0.6:
            return reworded(text, rng)
        start, end = rng.choice([m.span() for m in WORD.finditer(text)] or [(0, 0)])
        return text[:start] + rng.choice(self.words) + text[end:]

    def read(self, here: Path) -> None:
        from gancli.cli import train

        items = [os.fsdecode(item) for item in (here / "sets").read_bytes().split(b"\n") if item]
        preset = os.fsdecode((here / "preset").read_bytes()) if (here / "preset").exists() else ""
        train.command(
            config=here / "a.toml", set_=items, preset=preset or None, dry_run=True, quiet=True, download=False,
            data_dir=here, runs_dir=here / "runs",
        )  # fmt: skip


PARTS: dict[str, Callable[[Path], Part]] = {
    "checkpoint": Checkpoints,
    "config": Configs,
    "images": Images,
    "archives": Archives,
    "tables": Tables,
    "arrays": Arrays,
}
