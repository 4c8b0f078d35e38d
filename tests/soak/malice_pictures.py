"""Bad pictures: sizes that are not there, bombs in their chunks, text without end, frames without number."""

from __future__ import annotations

import io
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
from malice_base import Bait, chunk, pictures, png_of, zeros
from PIL import Image


def _file(name: str, content: bytes, folder: Path, _: Path) -> Path:
    place = pictures(folder / "set", 4)
    (place / name).write_bytes(content)
    return place


def _rows(size: int) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join([*(packer.compress(part) for part in zeros(size)), packer.flush()])


def _large(count: int, side: int, form: str, folder: Path, _: Path) -> Path:
    """Good pictures, large and empty."""
    place = folder / "set"
    place.mkdir()
    out = io.BytesIO()
    Image.new("RGB", (side, side)).save(out, form)
    for i in range(count):
        (place / f"{i}.{form.lower()}").write_bytes(out.getvalue())
    return place


def _animated(frames: int, form: str, folder: Path, _: Path) -> Path:
    place = pictures(folder / "set", 4)
    many = [Image.fromarray(np.full((2, 2), i % 256, np.uint8)) for i in range(frames)]
    many[0].save(place / f"a.{form.lower()}", form, save_all=True, append_images=many[1:])
    return place


def _headers() -> dict[str, tuple[str, bytes]]:
    """Pictures by what their headers say."""
    big = (60_000, 2**31 - 1)
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20), 1))
    color = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(60 << 20), 1))
    out: dict[str, tuple[str, bytes]] = {}
    for side in (0, 1, 65_535, *big):
        out[f"a PNG of {side:,} x 8"] = ("a.png", png_of(side, 8, rows=_rows(1000)))
        out[f"a PNG of {side:,} a side"] = ("a.png", png_of(side, side, rows=_rows(1000)))
        out[f"a GIF of {side:,} a side"] = (
            "a.gif",
            b"GIF89a" + struct.pack("<HHBBB", min(side, 65_535), min(side, 65_535), 0x80, 0, 0) + bytes(9) + b";",
        )
        out[f"a BMP of {side:,} a side"] = (
            "a.bmp",
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(99),
        )
        out[f"a PGM of {side:,} a side"] = ("a.pgm", b"P5 %d %d 255\n" % (side, side) + bytes(99))
        out[f"a text PGM of {side:,} a side"] = ("a.pgm", b"P2 %d %d 255\n" % (side, side) + b"1 " * 99)
        out[f"a TGA of {side:,} a side"] = (
            "a.tga",
            struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, min(side, 65_535), min(side, 65_535), 24, 0)
            + bytes(99),
        )
        out[f"a TIFF of {side:,} a side"] = ("a.tif", _tiff(side))
    out["a PNG of 8,000 x 8,000 zeros"] = ("a.png", png_of(8000, 8000, rows=_rows(8001 * 8000)))
    out["a PNG of 8,000 x 8,000 in 16 bits"] = ("a.png", png_of(8000, 8000, bits=16, rows=_rows(16_001 * 8000)))
    out["a PNG with 1 GB of rows"] = ("a.png", png_of(8, 8, rows=_rows(1 << 30)))
    out["a PNG with 100 MB of text"] = ("a.png", png_of(8, 8, rows=zlib.compress(bytes(72)), more=bomb))
    out["a PNG with 60 MB of profile"] = ("a.png", png_of(8, 8, rows=zlib.compress(bytes(72)), more=color))
    out["a PNG of 200,000 chunks"] = (
        "a.png",
        png_of(8, 8, rows=zlib.compress(bytes(72)), more=chunk(b"teXt", b"a\0b") * 200_000),
    )
    out["a PNG of 40,000 texts"] = (
        "a.png",
        png_of(8, 8, rows=zlib.compress(bytes(72)), more=chunk(b"tEXt", b"a\0b") * 40_000),
    )
    out["a TIFF whose pages are a loop"] = ("a.tif", _tiff(8, again=True))
    out["a PGM with a long header"] = ("a.pgm", b"P5 " + b"# x\n" * 1_000_000 + b"8 8 255\n" + bytes(64))
    out["a text PGM of long numbers"] = ("a.pgm", b"P2 8 8 255\n" + b"9" * 10_000_000)
    out["a link to a picture as text"] = ("a.svg", b'<svg><image href="file:///etc/passwd"/></svg>')
    out["EPS that is a program"] = (
        "a.eps",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(x) (w) file showpage\n",
    )
    out["EPS called PNG"] = ("a.png", out["EPS that is a program"][1])
    return out


def _tiff(side: int, again: bool = False) -> bytes:
    """A gray TIFF; with `again` its only page is followed by itself."""
    tags = [
        (256, 4, side),
        (257, 4, side),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 200),
        (277, 3, 1),
        (278, 4, side),
        (279, 4, 64),
    ]
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, k, 1, v & 0xFFFFFFFF) for t, k, v in tags)
    body = b"II*\0" + struct.pack("<I", 8) + table + struct.pack("<I", 8 if again else 0)
    return body.ljust(200, b"\0") + bytes(64)


def images() -> list[Bait]:
    """All of them, in a fixed order."""
    out = [Bait(name, partial(_file, *given), 150.0 * ("in 16 bits" in name)) for name, given in _headers().items()]
    out += [
        Bait(f"16 {form} of {side:,} a side", partial(_large, 16, side, form), seconds=15.0)
        for side, form in ((4000, "PNG"), (4000, "JPEG"), (2000, "BMP"))
    ]
    out += [
        Bait(f"a {form} of {n:,} frames", partial(_animated, n, form))
        for form, n in (("GIF", 3000), ("TIFF", 1000), ("PNG", 1000), ("WEBP", 300))
    ]
    return out
