"""What fuzzing does to files: bytes, text, JSON, tensors, and pictures by what is known of their form."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from PIL import Image

LARGEST = 1 << 20  # bytes of an input
Rng = random.Random
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
        "avif": [], "jp2": [{"irreversible": True}], "ppm": [], "tga": [{"compression": "tga_rle"}],
        "tif": [{"compression": c} for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4")],
    }  # fmt: skip
    odd = ("ico", "pcx", "sgi", "dds", "im", "mpo", "icns")
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
