"""What is fuzzed: checkpoints, configurations, pictures and archives, made from real ones and read as the command line reads them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faults import Bench
from fuzz_changes import (
    LARGEST,
    WORD,
    Rng,
    changed,
    lie,
    noise,
    pictures,
    rejson,
    relines,
    repainted,
    retensored,
    reworded,
)

from gancli.core.config import Config, presets
from gancli.core.data import Reading
from gancli.core.errors import GanError
from gancli.core.registry import build
from gancli.runs import checkpoint

Files = dict[str, bytes]  # by path below the input's folder


class Part(ABC):
    """What is fuzzed."""

    template: Path | None = None  # what lies below an input

    def __init__(self, place: Path) -> None:
        self.place = place
        self.plain: Files = {}  # an input that must be read

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Change the process that reads, so that it reads and does no work."""

    @abstractmethod
    def make(self, rng: Rng) -> Files:
        """A changed input, by name of file."""

    @abstractmethod
    def read(self, here: Path) -> None:
        """Raises GanError for what is refused."""


def everything(*readers: Callable[[], Any]) -> None:
    """Call all of them, then raise the first refusal."""
    refused: list[GanError] = []
    for reader in readers:
        try:
            reader()
        except GanError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def put(module: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(module, name, value)


def nothing(*_: Any, **__: Any) -> bool:
    return False


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
        from gancli.training import prepare

        def rehearse(made: prepare.Plan) -> dict[str, Any]:
            with torch.device("meta"), loading._few_parameters("the configuration"):
                vars(type(made.cfg.task))["nets"](made.cfg.task, made.spec)
            return {}

        digits_once()
        put(prepare, rehearse=rehearse)

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


class Images(Part):
    """A folder of one picture, as `gan data` and `gan train` read it."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.plain = {"a.png": pictures()["png"][0]}

    def make(self, rng: Rng) -> Files:
        kind = rng.choice([*pictures(), *3 * ["png", "jpg", "gif", "webp", "bmp", "tif"]])
        data, others = rng.choice(pictures()[kind]), rng.choice(list(pictures().values()))
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            data = repainted(kind, data, rng.choice(pictures()[kind] if rng.random() < 0.8 else others), rng)[:LARGEST]
        return {f"a.{rng.choice((kind, 'png'))}": data}

    def read(self, here: Path) -> None:
        look(here, here)


def look(path: Path, here: Path) -> None:
    from gancli.data import find
    from gancli.data.inspect import inspect

    how = Reading(here, here / ".cache", size=(8, 8))
    source: Any = build("data", find.source_for(str(path)))
    everything(lambda: inspect(source, how).as_json(), lambda: find.read(source, how))


class Archives(Part):
    """A zip of pictures, arrays in npz, MNIST's files, a folder with labels.csv or labels.json."""

    names = (
        "../x.png",
        "/x.png",
        "a\\x.png",
        "",
        "a//b.png",
        "x/" * 200,
        "é.png",
        "b/1.png",
        ".x",
        "C:x.png",
        "\0.png",
    )

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.pictures = {f"{'ab'[i % 2]}/{i}.png": pictures()["png"][i] for i in range(4)}
        lines = [f"{n},{i % 2},0.{i}\n".encode() for i, n in enumerate(self.pictures)]
        self.labels = {
            "labels.csv": b"file,label,slant\n" + b"".join(lines),
            "labels.json": json.dumps({"labels": [[n, i % 2] for i, n in enumerate(self.pictures)]}).encode(),
            "dataset.json": json.dumps({n: [0.5, i] for i, n in enumerate(self.pictures)}).encode(),
        }
        self.plain = {"a.zip": self._zip({**self.pictures, **self.labels}, random.Random(0), 0)}

    def make(self, rng: Rng) -> Files:
        kind = rng.choice((self._zipped, self._arrays, self._idx, self._labelled))
        return kind(rng)

    def _zip(self, files: Files, rng: Rng, odd: float) -> bytes:
        content = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as archive:
            warnings.simplefilter("ignore")  # two of one name
            for name, data in files.items():
                info = zipfile.ZipInfo(rng.choice(self.names) if rng.random() < odd else name)
                info.compress_type = rng.choice((0, 12, 14)) if rng.random() < odd else 8
                info.external_attr = rng.choice((0o120777 << 16, 0o10777 << 16, 16)) if rng.random() < odd else 0
                archive.writestr(info, data)
        return content.getvalue()

    def _rezipped(self, data: bytes, rng: Rng) -> bytes:
        """A field of a header changed, or anything."""
        heads = [m.start() for m in re.finditer(rb"PK[\1-\7][\2-\7]", data)]
        if heads and rng.random() < 0.7:
            return lie(data, rng, rng.choice(heads) + rng.randrange(46))
        return noise(data, rng, data)

    def _zipped(self, rng: Rng) -> Files:
        data = self._zip(
            {**self.pictures, **(self._relabelled(rng) if rng.random() < 0.5 else {})}, rng, rng.choice((0, 0, 0.1))
        )
        for _ in range(rng.choice((0, 1, 1, 2))):
            data = self._rezipped(data, rng)
        return {"a.zip": data}

    def _arrays(self, rng: Rng) -> Files:
        shape = rng.choice(((6, 8, 8), (6, 8, 8, 3), (6, 1, 8, 8), (6, 3, 8, 8)))
        images = np.zeros(shape, rng.choice(("u1", "u1", "f4", "f8", "f2")))
        labels = rng.choice(
            (np.arange(6) % 2, np.array(list("ababab")), np.full((6, 2), 0.5), np.arange(6) > 2, np.zeros((6, 1), "i1"))
        )
        files: Files = {}
        for name, array in (("images", images), ("labels", labels)):
            content = io.BytesIO()
            np.save(content, array)
            data, kind = content.getvalue(), rng.randrange(5)
            if kind < 3:  # the header: a table of Python's, 10 bytes in
                end = 10 + int.from_bytes(data[8:10], "little")
                head = reworded(data[10:end], rng)
                data = data[:8] + len(head).to_bytes(2, "little") + head + data[end:]
            files[f"{name}.npy"] = noise(data, rng) if kind == 3 else data
        data = self._zip(files, rng, 0)
        return {"a.npz": self._rezipped(data, rng) if rng.random() < 0.3 else data}

    def _idx(self, rng: Rng) -> Files:
        images = bytes((0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 0, 8)) + bytes(12 * 64)
        labels = bytes((0, 0, 8, 1, 0, 0, 0, 12)) + bytes(i % 10 for i in range(12))
        names = [
            f"MNIST/raw/{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
        ]
        files = dict(zip(names, (images, labels, images, labels), strict=True))
        for name in rng.choices(names, k=2):
            files[name] = lie(files[name], rng, rng.randrange(16)) if rng.random() < 0.6 else noise(files[name], rng)
        if rng.random() < 0.6:
            return files
        zipped = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
        return {name: noise(content, rng) if rng.random() < 0.2 else content for name, content in zipped.items()}

    def _relabelled(self, rng: Rng) -> Files:
        name = rng.choice(list(self.labels))
        data = self.labels[name]
        for _ in range(rng.choice((1, 1, 2, 5))):
            data = rejson(data, rng) if name.endswith(".json") else reworded(data, rng)
        return {name: data}

    def _labelled(self, rng: Rng) -> Files:
        return {f"pictures/{n}": c for n, c in {**self.pictures, **self._relabelled(rng)}.items()}

    def read(self, here: Path) -> None:
        from gancli.data import find

        if (here / "MNIST").exists():
            source: Any = build("data", "mnist")
            find.read(source, Reading(here, here / ".cache"))
        else:
            look(next(p for p in here.iterdir() if not p.name.startswith(".")), here)


PARTS: dict[str, Callable[[Path], Part]] = {
    "checkpoint": Checkpoints,
    "config": Configs,
    "images": Images,
    "archives": Archives,
}
