"""Pictures, archives and labels, made from real ones and read as the command line reads them."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_base import Files, Part, everything
from fuzz_changes import (
    LARGEST,
    Rng,
    lie,
    noise,
    pictures,
    rejson,
    repainted,
    reworded,
)

from gancli.core.data import Reading
from gancli.core.registry import build


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
