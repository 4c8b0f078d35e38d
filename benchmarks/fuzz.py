"""Fuzzing of all that is read: `python benchmarks/fuzz.py [--part images] [--minutes 60] [--place DIR] [--results FILE]`.

Inputs are real small files with a few things in them changed, by what is known of their form, and are read as the command line reads them.
Input n of a part is a function of (part, n); ten of a hundred are drawn by hypothesis, where it is installed, which likes extremes.
An input fails if its reader raises anything but one of the house's errors, takes 10 s, or 300 MB more than the process had before.
The first three of a kind are kept in `--place`/found, with the traceback. Counts and seconds add up in `--results` until every part has
had its share of the minutes; called again, it goes on. `--corpus DIR` reads every file of a folder instead, as a folder of one picture.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gzip
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from faults import Bench, fork, wait
from PIL import Image

from gancli.config import Config, presets
from gancli.data import decode
from gancli.errors import GanError
from gancli.registry import build
from gancli.run import checkpoint
from gancli.sources import Reading

LIMIT = 10.0  # seconds for an input
GROWN = 300.0  # MB above what the process had
BYTES = 24  # that each pixel of a picture may take beside: up to 64 million are allowed
SPACE = 4 << 30  # bytes of address space: the machine is not to suffer
LARGEST = 1 << 20  # bytes of an input
KEPT = 3  # inputs kept of a kind
Files = dict[str, bytes]  # by path below the input's folder
Rng = random.Random

# Changes

NUMBERS = (0, 1, -1, 2, 10**30, 10**400, *(2**n - d for n in (3, 4, 7, 8, 12, 16, 31, 32, 40, 63) for d in (0, 1)))
TEXTS = ("", "0", "none", "../x", "\0", "é", "\ud800")
VALUES = (*NUMBERS, *TEXTS, *json.loads('[null, true, 0.5, -0.0, 1e308, Infinity, NaN, [], {}, [[]], {"name": "x"}]'))
SHORT = b'1e999|[[|"\\ud800"|1979-05-27|--5|nan|"|{|]|,|.|1_0|O|<f8|U5|~x|\xff|\n|'.split(b"|")
RAW = (*SHORT, b"9" * 5000, b"[" * 3000)
WORD = re.compile(rb'"[^"\n]*"|-?\d[\d.e+-]*|\w+|[^\w\s]')


def lie(data: bytes, rng: Rng, at: int) -> bytes:
    """Another number at a place."""
    width, number = rng.choice((1, 2, 4, 8)), rng.choice(NUMBERS)
    content = (number % (1 << 8 * width)).to_bytes(width, "big")
    return data[:at] + (content if rng.random() < 0.5 else content[::-1]) + data[at + width :]


def noise(data: bytes, rng: Rng, other: bytes = b"") -> bytes:
    """One thing done to bytes, whatever they mean."""
    at, n, kind = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 8, 64, 1000)), rng.randrange(10)
    part = data[at : at + n]
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + other[rng.randrange(len(other) + 1) :]
    if kind < 5:
        return lie(data, rng, at)
    flipped = bytes([part[0] ^ 1 << rng.randrange(8)]) + part[1:] if part else b""
    many, same = part * rng.choice((2, 100)), rng.choice((b"\0", b"\xff")) * n
    new: bytes = (flipped, flipped, b"", many, same)[kind - 5]
    return data[:at] + new + data[at + n :]


def reworded(data: bytes, rng: Rng) -> bytes:
    """A word of a text, a number or a string changed for another, for a value, or for something raw."""
    words = [m.span() for m in WORD.finditer(data)] or [(0, 0)]
    (start, end), (a, b), kind = rng.choice(words), rng.choice(words), rng.randrange(4)
    new = rng.choice(RAW) if kind == 0 else data[a:b] if kind == 1 else json.dumps(rng.choice(VALUES)).encode()
    return data[:start] + new + data[end:]


def changed(value: Any, rng: Rng) -> Any:
    """A JSON value with one thing in it changed, dropped, repeated or called otherwise."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.05:
        return rng.choice(VALUES)
    out, kind = value.copy(), rng.randrange(10)
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if kind == 0:
        del out[key]
    elif kind == 1 and isinstance(out, list):
        out += [out[key]] * rng.choice((1, 100, 30_000))
    elif kind == 1:
        out[rng.choice(("x", "name", "", *value))] = out[key]
    else:
        out[key] = changed(value[key], rng)
    return out


def rejson(data: bytes, rng: Rng) -> bytes:
    try:
        return json.dumps(changed(json.loads(data), rng)).encode() if rng.random() < 0.8 else reworded(data, rng)
    except (ValueError, RecursionError):  # no JSON any more
        return noise(data, rng)


def relines(data: bytes, rng: Rng) -> bytes:
    """JSON lines with one of them changed, the last one as often as all others."""
    lines = data.splitlines() or [b""]
    at = rng.choice((len(lines) - 1, rng.randrange(len(lines))))
    lines[at] = rejson(lines[at], rng)
    return b"\n".join(lines) + rng.choice((b"\n", b"\n", b""))


def retensored(data: bytes, rng: Rng) -> bytes:
    """A safetensors file with another header or other tensors."""
    end, kind = 8 + int.from_bytes(data[:8], "little"), rng.randrange(4)
    if kind == 0:
        return noise(data, rng)
    if kind == 1:
        return data[:end] + noise(data[end:], rng)[: len(data) - end].ljust(len(data) - end, b"\xff")
    header = rejson(data[8:end], rng)
    return len(header).to_bytes(8, "little") + header + data[end:]


# Pictures


@dataclass(frozen=True)
class Form:
    """How a file is made of chunks: a name and a size, in this order or the other, then the content."""

    start: int
    name: int  # bytes
    size: int  # bytes; of JPEG it counts itself
    first: bool  # whether the name comes first
    order: Literal["big", "little"] = "big"

    def parts(self, data: bytes) -> list[tuple[bytes, bytes]]:
        out, at = [], self.start
        while at + self.name + self.size <= len(data) and data[at : at + 2] != b"\xff\xda":
            name = at if self.first else at + self.size
            size = at + self.name if self.first else at
            n = int.from_bytes(data[size : size + self.size], self.order)
            begin = at + self.name + self.size
            end = begin + n - (2 if self.size == 2 else 0)
            out.append((data[name : name + self.name], data[begin:end]))
            at = max(begin, end + (0 if self.first else 4))  # PNG has a sum behind
            at += at % 2 if self.order == "little" else 0
        return [*out, (b"", data[at:])]

    def whole(self, head: bytes, parts: list[tuple[bytes, bytes]]) -> bytes:
        out = head[: self.start]
        for name, content in parts:
            n = (len(content) + (2 if self.size == 2 else 0)) % 256**self.size
            size = n.to_bytes(self.size, self.order)
            behind = bytes(len(content) % 2) if self.order == "little" else b""
            if not self.first:
                behind = zlib.crc32(name + content).to_bytes(4, "big")
            out += (name + size if self.first else size + name) + content + behind if name else content
        return out


FORMS = {"png": Form(8, 4, 4, False), "jpg": Form(2, 2, 2, True), "webp": Form(12, 4, 4, True, "little")}
MORE = [
    (b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7))), (b"iCCP", b"a\0\0" + zlib.compress(bytes(10**6))),
    (b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"), (b"acTL", b"\0\0\0\2\0\0\0\0"), (b"tRNS", b"\0\1"),
    (b"fcTL", bytes(7) + b"\x18\0\0\0\x10" + bytes(12) + b"\1\1"), (b"fdAT", bytes(8)), (b"IEND", b""), (b"PLTE", bytes(768)),
]  # fmt: skip


def rechunked(form: Form, data: bytes, other: bytes, rng: Rng) -> bytes:
    """A chunk changed, dropped, repeated, moved, or another's put in; the first, with the size, more often than others."""
    out = form.parts(data)
    at, to, kind = rng.choice((0, rng.randrange(len(out)))), rng.randrange(len(out)), rng.randrange(8)
    name, content = out[at]
    if kind == 0:
        del out[at]
    elif kind == 1:
        out[to:to] = [out[at]] * rng.choice((1, 2, 50))
    elif kind < 4:
        out.insert(to, rng.choice([*form.parts(other), *(() if form.first else MORE)]))
    elif name == b"IDAT" and kind < 6:
        out[at] = name, zlib.compress(noise(zlib.decompress(content), rng))
    else:
        out[at] = name, rng.choice((noise(content, rng), lie(content, rng, rng.randrange(min(len(content), 13) + 1))))
    return form.whole(data, out)


def repainted(kind: str, data: bytes, other: bytes, rng: Rng) -> bytes:
    """A picture, changed by its form where that is known. The first bytes of most hold their sizes."""
    choice = rng.randrange(4)
    if kind in FORMS and choice < 2:
        with contextlib.suppress(IndexError, zlib.error):  # not of that form any more
            return rechunked(FORMS[kind], data, other, rng)
    if kind == "tif" and choice < 3:  # an entry of the first directory: tag, type, count, value
        start = int.from_bytes(data[4:8], "little")
        entries = int.from_bytes(data[start : start + 2], "little")
        return lie(data, rng, min(start + 2 * rng.randrange(6 * entries + 1), len(data)))
    return lie(data, rng, rng.randrange(min(len(data), 64) + 1)) if choice == 2 else noise(data, rng, other)


@cache
def pictures() -> dict[str, list[bytes]]:
    """Small pictures by suffix, in every mode and packing that a format has; and of formats that are not read."""
    base = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 4), np.uint8))
    modes = [
        base,
        base.convert("LA"),
        *(base.convert("RGB").convert(m) for m in ("1", "L", "P", "RGB", "CMYK", "YCbCr", "I", "F")),
    ]
    modes.append(Image.fromarray(np.asarray(base)[..., 0].astype(np.uint16) * 257))
    exif = Image.Exif()
    exif[0x0112] = 6
    ways: list[dict[str, Any]] = [{}, {"save_all": True, "append_images": [base, modes[3]]}, {"exif": exif}]
    more: dict[str, list[dict[str, Any]]] = {
        "png": [{"transparency": 3}], "gif": [{"transparency": 3}], "webp": [{"lossless": True}], "jpg": [{"progressive": True}], "bmp": [],
        "tif": [{"compression": c} for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4")],
    }  # fmt: skip
    odd = ("ppm", "ico", "tga", "pcx", "jp2", "avif", "sgi", "dds", "im", "mpo", "icns")
    out: dict[str, list[bytes]] = {}
    for suffix in (*more, *odd):
        found: dict[bytes, None] = {}
        for image in modes if suffix in more else modes[5:6]:
            for option in [*ways, *more[suffix]] if suffix in more else ways[:1]:
                content = io.BytesIO()
                if {"jpeg": "RGB", "group4": "1"}.get(option.get("compression", ""), image.mode) != image.mode:
                    continue
                with contextlib.suppress(Exception):  # a mode or packing that the format has not
                    image.save(content, Image.registered_extensions()[f".{suffix}"], **option)
                    found[content.getvalue()] = None
        out[suffix] = list(found)
    return {k: v for k, v in out.items() if v}


# Parts


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
        changes = [{"step": 10, "changes": {"rhythm": {"log": 2}}}, {"step": 10, "diverged": "x"}]
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

        from gancli import train
        from gancli.report import curves

        real = curves.draw
        digits_once()
        put(curves, draw=lambda *given: real(*given) if self.drawn else None)
        put(train, fit=nothing)
        put(train.Sitting, evaluate=nothing)
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
        from gancli.model import load

        run, journal = str(here), "metrics.jsonl"
        self.drawn = (here / journal).read_bytes() != self.files[journal]
        everything(
            lambda: doctor.command(run, runs_dir=self.place),
            lambda: sample.command(run, n=2, out=here / "x.npz", runs_dir=self.place, quiet=True),
            lambda: load(here / "model"),
            lambda: resume.command(run, runs_dir=self.place, quiet=True, download=False),
        )


class Configs(Part):
    """`gan train --config FILE --preset NAME --set A.B=V --dry-run`, up to nets on the meta device."""

    items = b"""
        seed=3 batch_size=8 task.model.z=9 task.loss=hinge data.source=digits stop.until='fid<8' data.image_size=[8,8] data.flip=true
        task.model={name='dcgan'} optimiser.betas=[0.5,0.9] task.penalties=[{name='r1',weight=0.5}] data={source='digits'}
        data.source={name='folder',path='x'} machine.device='cpu' machine.threads=1 optimisers.G={name='adam'} stop.epochs=3
    """.split()

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.plain = {"a.toml": presets()["sagan"].read_bytes(), "sets": b"seed=3"}  # its nets make torch load the most
        self.texts = [re.sub(rb"(?m)^#.*\n", b"", p.read_bytes()) for p in presets().values()]
        self.words = sorted(
            {m[0] for t in self.texts for m in WORD.finditer(t)} | {k.encode() for k in Config.model_fields}
        )

    def prepare(self) -> None:
        from gancli import model, plan

        def rehearse(made: plan.Plan) -> dict[str, Any]:
            with torch.device("meta"), model._few_parameters("the configuration"):
                vars(type(made.cfg.task))["nets"](made.cfg.task, made.shape)
            return {}

        digits_once()
        put(plan, rehearse=rehearse)

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


def pixels(here: Path) -> int:
    """Of the largest picture below a folder, as its header says it."""
    found = [0]
    for path in here.rglob("*"):
        with contextlib.suppress(OSError, decode.BrokenImageError):
            head = decode.header(path.read_bytes())
            found.append(head.height * head.width)
    return max(found)


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

# Reading in a child


@dataclass
class Result:
    """What was found so far in a part."""

    inputs: int = 0
    seconds: float = 0.0
    read: int = 0
    refused: int = 0
    crashes: int = 0
    hangs: int = 0
    memory: int = 0  # inputs that took too much
    grown: float = 0.0  # MB, the most that one took
    slowest: float = 0.0  # s of the processor
    found: dict[str, int] = field(default_factory=dict)  # kinds of failures

    def count(self, outcome: str, seconds: float, grown: float, why: str) -> None:
        self.inputs += 1
        self.grown, self.slowest = max(self.grown, grown), max(self.slowest, seconds)
        setattr(self, outcome, getattr(self, outcome) + 1)
        if why:
            self.found[why] = self.found.get(why, 0) + 1


Trial = Callable[[Files], None]
Drawn = Callable[[int, Trial], Any]  # gives the inputs from a number on


class Child:
    """Reads one input after the other, and tells of each by two lines of JSON: before and after."""

    def __init__(self, part: Part, place: Path, out: int, until: float, known: dict[str, int]) -> None:
        self.part, self.place, self.out, self.until, self.known = part, place, out, until, dict(known)
        self.faults = (place / "faults.txt").open("w")
        sys.stdout = sys.stderr = Path(os.devnull).open("w", errors="backslashreplace")  # noqa: SIM115
        os.dup2(sys.stderr.fileno(), 2)  # libtiff writes there by itself
        os.environ["GAN_CACHE_DIR"] = str(place / "cache")
        faulthandler.enable(self.faults)
        warnings.resetwarnings()
        part.prepare()
        self._lay(part.plain)
        part.read(self._here())
        self.before = memory("VmRSS")
        most = int(memory("VmSize") * 2**20) + SPACE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def _lay(self, files: Files) -> None:
        shutil.rmtree(self.place / "laid", ignore_errors=True)
        for name, content in {".x": b"", **files}.items():
            path = self.place / "laid" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _here(self) -> Path:
        """What is laid, over a copy of the template: readers may write to it."""
        here = self.place / "input"
        shutil.rmtree(here, ignore_errors=True)
        if self.part.template is not None:
            shutil.copytree(self.part.template, here)
        shutil.copytree(self.place / "laid", here, dirs_exist_ok=True)
        os.chdir(here)
        return here

    def trial(self, files: Files) -> None:
        if time.monotonic() > self.until:
            os._exit(0)
        self._lay(files)
        here, outcome, text, why = self._here(), "read", "", ""
        self._tell(None)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        faulthandler.dump_traceback_later(LIMIT, exit=True, file=self.faults)
        since = time.process_time()
        try:
            self.part.read(here)
        except GanError:
            outcome = "refused"
        except BaseException as error:  # noqa: BLE001
            outcome, text, why = "crashes", traceback.format_exc(), kind_of(error)
        faulthandler.cancel_dump_traceback_later()
        seconds, grown = time.process_time() - since, memory("VmHWM") - self.before
        if not why and grown > GROWN and grown > GROWN + BYTES * pixels(here) / 2**20:
            outcome, why = "memory", f"more than {GROWN:.0f} MB"
        if why:
            self.known[why] = self.known.get(why, 0) + 1
            if self.known[why] <= KEPT:
                keep(self.place, f"{why}\n{grown:.0f} MB, {seconds:.2f} s\n{text}")
        self._tell((outcome, seconds, grown, why))
        if outcome == "memory":
            os._exit(0)  # what it holds is not to be the next one's

    def _tell(self, said: Any) -> None:
        os.write(self.out, (json.dumps(said) + "\n").encode())


def memory(which: str) -> float:
    """MB of this process: VmRSS, VmHWM (the peak) or VmSize."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(which))
    return int(line.split()[1]) / 1024


def kind_of(error: BaseException) -> str:
    """What was raised, and where in the house."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [f for f in frames if "gancli" in Path(f.filename).parts][-1:] or frames[-1:]
    return f"{type(error).__name__} in {Path(last[0].filename).name}:{last[0].name}"


def keep(place: Path, why: str) -> None:
    """The input that is laid, and what was wrong with it."""
    there = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent / "found"))
    shutil.copytree(place / "laid", there / "input")
    (there / "why.txt").write_text(why)


def endless(name: str, part: Part) -> Drawn:
    """Ninety inputs by a generator seeded with the number, ten by hypothesis, and so on."""

    def give(number: int, trial: Trial) -> None:
        while True:
            for n in range(number, number + 90):
                trial(part.make(random.Random(f"{name} {n}")))
            number += 90 + by_hypothesis(part, number, trial)

    return give


def by_hypothesis(part: Part, seed: int, trial: Trial) -> int:
    """Some ten inputs; how many they were."""
    try:
        import hypothesis
        from hypothesis import strategies
    except ImportError:
        return 0
    drawn: list[None] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=10, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    @hypothesis.given(strategies.randoms(use_true_random=False))
    def one(rng: Rng) -> None:
        drawn.append(None)
        trial(part.make(rng))

    one()
    return len(drawn)


def fuzz(
    part: Part, drawn: Drawn, place: Path, result: Result, seconds: float, most: int = 10**12, save: Any = nothing
) -> None:
    """Read inputs until the time is up or there are `most`, in a child that is started again after one that ended it."""
    for folder in (place, place.parent / "found"):
        folder.mkdir(parents=True, exist_ok=True)
    begin, before, again = time.monotonic(), result.seconds, -1

    def noted() -> None:
        result.seconds = before + time.monotonic() - begin
        save()

    while time.monotonic() < begin + seconds and result.inputs < most:
        reading, writing = os.pipe()
        number = fork(partial(_serve, part, drawn, place, writing, begin + seconds, result))
        os.close(writing)
        since = _heard(reading, result, most, noted)
        if result.inputs >= most:
            os.kill(number, 9)
        code, faults = wait(number), (place / "faults.txt").read_text()
        if since is None and code > 0:
            raise RuntimeError(f"the child left with {code}: {faults}")
        if since is not None and result.inputs < most:
            took = time.monotonic() - since
            hung = took >= LIMIT
            if hung and again != result.inputs:  # once more: the machine may have been busy
                again = result.inputs
                continue
            why = "hang" if hung else f"exit {code}"
            result.count("hangs" if hung else "crashes", took, 0.0, why)
            keep(place, f"{why} after {took:.1f} s\n{faults}")
    noted()


def _heard(reading: int, result: Result, most: int, noted: Callable[[], Any]) -> float | None:
    """Count what a child tells until it leaves; since when it has been at the input that it did not tell of."""
    since = None
    with os.fdopen(reading) as told:
        for line in told:
            said = json.loads(line)
            since = time.monotonic() if said is None else None
            if said is not None:
                result.count(*said)
                if result.inputs % 100 == 0:
                    noted()
                if result.inputs >= most:
                    break
    return since


def _serve(part: Part, drawn: Drawn, place: Path, out: int, until: float, result: Result) -> None:
    try:
        drawn(result.inputs, Child(part, place, out, until, result.found).trial)
    except Exception:
        (place / "faults.txt").write_text(traceback.format_exc())
        raise


def corpus(root: Path, place: Path) -> Result:
    """Read every file of a folder, each as a folder of one picture."""
    files, result = [p for p in sorted(root.rglob("*")) if p.is_file()], Result()

    def give(number: int, trial: Trial) -> None:
        for path in files[number:]:
            trial({path.name: path.read_bytes()})

    fuzz(Images(place), give, place / "corpus", result, 1e9, most=len(files))
    return result


def table(results: dict[str, Result]) -> str:
    rows = [
        "| Part | Inputs | Seconds | Read | Refused | Crashes | Hangs | Too much memory | Largest growth | Slowest |",
        "|-|-|-|-|-|-|-|-|-|-|",
    ]
    for name, r in results.items():
        counts = " | ".join(
            f"{round(n):,}" for n in (r.inputs, r.seconds, r.read, r.refused, r.crashes, r.hangs, r.memory)
        )
        rows.append(f"| {name} | {counts} | {r.grown:.0f} MB | {r.slowest:.1f} s |")
    return "\n".join(rows)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--part", choices=[*PARTS, "all"], default="all")
    ask.add_argument("--minutes", type=float, default=60, help="for what is asked for, over all calls")
    ask.add_argument("--place", type=Path, help="where inputs are laid and kept; not given: a temporary folder")
    ask.add_argument("--results", type=Path, default=Path("fuzz.json"))
    ask.add_argument("--corpus", type=Path, help="a folder, each file of which is read as a picture")
    ask.add_argument("--table", action="store_true", help="only print the table")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    place = (asked.place or Path(tempfile.mkdtemp())).absolute()
    known = json.loads(asked.results.read_text()) if asked.results.exists() else {}
    results = {name: Result(**r) for name, r in known.items()}

    def save() -> None:
        asked.results.write_text(json.dumps({n: asdict(r) for n, r in results.items()}, indent=1) + "\n")

    names = [] if asked.table or asked.corpus else list(PARTS) if asked.part == "all" else [asked.part]
    if asked.corpus:
        results["corpus"] = corpus(asked.corpus, place)
        save()
    for name in names:
        result, part = results.setdefault(name, Result()), PARTS[name](place)
        left = 60 * asked.minutes / len(names) - result.seconds
        fuzz(part, endless(name, part), place / name, result, left, save=save)
    for name, result in results.items():
        print("".join(f"{name}: {n} x {why}\n" for why, n in sorted(result.found.items())), end="")
    print(table(results))


if __name__ == "__main__":
    main()
