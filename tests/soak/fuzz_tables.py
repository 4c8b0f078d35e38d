"""Tables of labels in every form and layout, and arrays in .npy and .npz as other programs write them, read as `gan data` does."""

from __future__ import annotations

import io
import json
import random
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_base import Files, Part, everything
from fuzz_changes import Rng, changed, lie, noise, pictures, rejson, relines, reworded

from gancli.core.data import Reading
from gancli.core.registry import build

COUNT = 6  # pictures
OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {"labels": "label"}, {"labels": "none"}, {"labels": "\ud800"}, {"unlabeled": "keep"}, {"unlabeled": "drop"},
    {"range": "auto"}, {"range": (0.0, 4095.0)}, {"frames": "all"}, {"channels": 4}, {"channels": 1},
)  # fmt: skip


def look(path: Path, here: Path) -> None:
    """Inspect and read, with the options that lie beside."""
    from gancli.data import find
    from gancli.data.inspect import inspect

    options = json.loads((here / ".options").read_text())
    if isinstance(options.get("range"), list):
        options["range"] = tuple(options["range"])
    how = replace(Reading(here, here / ".cache", size=(8, 8)), **options)
    source: Any = build("data", find.source_for(str(path)))
    everything(lambda: inspect(source, how).as_json(), lambda: find.read(source, how))


def _options(rng: Rng) -> Files:
    return {".options": json.dumps(rng.choice(OPTIONS)).encode()}


class Tables(Part):
    """A folder or zip of pictures in some layout, with a table of labels in some form, both changed."""

    layouts = ("", "cat/", "train/", "test/", "Validation/", "sub/deep/", "trainA/", "@eaDir/", "é/", "-/")

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.pixels = [pictures()["png"][i] for i in range(4)]
        self.plain = {**self._laid(random.Random(0), plain=True), ".options": b"{}"}

    def make(self, rng: Rng) -> Files:
        files = self._laid(rng)
        if rng.random() < 0.2:
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w") as archive:
                for name, data in files.items():
                    archive.writestr(zipfile.ZipInfo(name.removeprefix("x/")), data)
            files = {"a.zip": content.getvalue()}
        return {**files, **_options(rng)}

    def _laid(self, rng: Rng, plain: bool = False) -> Files:
        places = [""] if plain else rng.choices(self.layouts, k=rng.choice((1, 1, 2, 3)))
        names = [f"{rng.choice(places)}{i}.png" for i in range(COUNT)]
        name, table = self._table(names, rng)
        for _ in range(0 if plain else rng.choice((0, 1, 1, 2, 5))):
            table = self._changed(name, table, rng)
        at = rng.choice(("", "", *places))
        pixels = {f"x/{n}": self.pixels[i % 4] for i, n in enumerate(names)}
        return {**pixels, f"x/{at}{name}": table}

    def _table(self, names: list[str], rng: Rng) -> tuple[str, bytes]:
        """A table that names the pictures, in one of the forms that are read."""
        cell = rng.choice((str, lambda i: ["cat", "dog"][i % 2], lambda i: f"{i % 2}.0", lambda i: f"0.{i}"))
        part = rng.choice((None, None, "split"))
        rows = [[n, cell(i), f"words {i}", *([("train", "test")[i % 2]] if part else [])] for i, n in enumerate(names)]
        heads = [
            rng.choice(("file", "file_name", "id", "")),
            rng.choice(("label", "class", "x")),
            "text",
            *([part] if part else []),
        ]
        kind = rng.randrange(8)
        stem = rng.choice(("labels", "metadata", "train", "annotations", "dataset"))
        if kind < 3:
            separator = rng.choice((",", ";", "\t", "|"))
            lines = [*([heads] if rng.random() < 0.8 else []), *rows]
            ending = rng.choice(("\n", "\r\n", "\r"))
            return f"{stem}.{rng.choice(('csv', 'tsv', 'txt'))}", ending.join(
                separator.join(line) for line in lines
            ).encode()
        if kind == 3:  # CelebA
            lines = [f"{n}  {(-1) ** i} 1" for i, n in enumerate(names)]
            return "list_attr_celeba.txt", "\n".join([str(len(names)), "Smiling Young", *lines]).encode()
        if kind == 4:
            return f"{stem}.jsonl", "\n".join(json.dumps(dict(zip(heads, row, strict=True))) for row in rows).encode()
        forms: tuple[Any, ...] = (
            {"labels": [[n, i % 2] for i, n in enumerate(names)]}, {"labels": None}, dict(zip(names, map(cell, range(COUNT)), strict=True)),
            {"cat": names[::2], "dog": names[1::2]}, [dict(zip(heads, row, strict=True)) for row in rows],
            {"images": [{"file": n, "about": {"label": i % 2}} for i, n in enumerate(names)]}, {n: [0.5, i] for i, n in enumerate(names)},
        )  # fmt: skip
        return f"{stem}.json", json.dumps(rng.choice(forms)).encode()

    def _changed(self, name: str, table: bytes, rng: Rng) -> bytes:
        if name.endswith(".jsonl"):
            return relines(table, rng)
        if name.endswith(".json") and rng.random() < 0.8:
            return rejson(table, rng)
        return reworded(table, rng) if rng.random() < 0.8 else noise(table, rng)

    def read(self, here: Path) -> None:
        look(next(p for p in sorted(here.iterdir()) if not p.name.startswith(".")), here)


class Arrays(Part):
    """An .npy, a folder of them or an .npz, with names and types of other programs, headers and contents changed."""

    names = (
        ("images", "labels"), ("x_train", "y_train"), ("train_images", "train_labels"), ("arr_0", "arr_1"), ("data", "targets"),
        ("0000", "0001"), ("photos", "kinds"), ("X", "y"),
    )  # fmt: skip

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.plain = {"x/images.npy": self._npy(np.zeros((COUNT, 8, 8), "u1")), ".options": b"{}"}

    def _npy(self, array: np.ndarray) -> bytes:
        content = io.BytesIO()
        np.save(content, array)
        return content.getvalue()

    def make(self, rng: Rng) -> Files:
        shape = rng.choice(
            (
                (COUNT, 8, 8),
                (COUNT, 8, 8, 3),
                (COUNT, 3, 8, 8),
                (COUNT, 8, 8, 4),
                (300, 64),
                (8, 8),
                (8, 8, 3),
                (0, 8, 8),
            )
        )
        values = np.linspace(rng.choice((0, -1, -1000, 0)), rng.choice((1, 255, 4095, 1e30)), int(np.prod(shape)))
        images = values.reshape(shape).astype(rng.choice(("u1", "u2", "i4", "i8", "f2", "f4", "f8", "?", ">u2", "c8")))
        images = np.asfortranarray(images) if rng.random() < 0.2 else images
        n = len(images)
        ways = (
            np.arange(n) % 2, np.eye(2)[np.arange(n) % 2], np.arange(n)[:, None], np.array(["a", "b"] * (n // 2 + 1))[:n],
            np.full((n, 3), 0.5),
        )  # fmt: skip
        labels = rng.choice(ways)
        first, second = rng.choice(self.names)
        arrays = {first: images, second: labels}
        if rng.random() < 0.3:
            arrays |= {first.replace("train", "test"): images[:2], second.replace("train", "test"): labels[:2]}
        files = {f"{name}.npy": self._changed(self._npy(array), rng) for name, array in arrays.items()}
        kind = rng.randrange(3)
        if kind == 0:
            return {f"{first}.npy": files[f"{first}.npy"], **_options(rng)}
        if kind == 1:
            return {**{f"x/{name}": content for name, content in files.items()}, **_options(rng)}
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name), data)
        whole = content.getvalue()
        return {"a.npz": lie(whole, rng, rng.randrange(len(whole))) if rng.random() < 0.3 else whole, **_options(rng)}

    def _changed(self, data: bytes, rng: Rng) -> bytes:
        """The header, a table of Python's that begins 10 bytes in, or anything else; or nothing."""
        kind = rng.randrange(10)
        if kind > 3:
            return data
        if kind < 2:
            return noise(data, rng)
        end = 10 + int.from_bytes(data[8:10], "little")
        head = reworded(data[10:end], rng)
        if kind == 2:  # a shape or type of its own, in a header that is whole
            head = str(changed({"descr": "|u1", "fortran_order": False, "shape": [COUNT, 8, 8]}, rng)).encode(
                errors="surrogatepass"
            )
            head = head.replace(b"[", b"(").replace(b"]", b",)") + b"\n"
        return data[:8] + (len(head) % 65536).to_bytes(2, "little") + head + data[end:]

    def read(self, here: Path) -> None:
        look(next(p for p in sorted(here.iterdir()) if not p.name.startswith(".")), here)
