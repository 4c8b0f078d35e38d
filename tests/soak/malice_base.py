"""What the bad data sets of `data_attacks.py` have in common."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp\r\nexec rm -rf ~ # "
NAMES = {
    "above": "../../up",
    "absolute": "/tmp/gan-owned",
    "dot": ".",
    "dots": "..",
    "escapes": ESCAPES,
    "null": "a\0b",
    "long": "n" * 60_000,
    "empty": "",
    "blank": " ",
    "slash": "a/b",
    "backslash": "a\\..\\b",
    "shell": "$(touch owned)",
    "tilde": "~/x",
    "option": "--out",
    "drive": "C:x",
    "direction": "\u202egnp.exe",
    "markup": "[red]x[/red]",
    "percent": "%s%n",
    "braces": "{0.__class__}",
    "surrogate": "\udcff",
}


@dataclass(frozen=True)
class Bait:
    """A bad data set."""

    name: str
    make: Callable[
        [Path, Path], Path
    ]  # given an empty folder and one that is not to be touched; returns what `--data` names
    budget: float = 0.0  # MB that such data may take, as docs/reliability.md says
    seconds: float = 0.0  # of processor time that such data may take: there really are so many pixels
    features: bool = False  # whether it is a file of features


def png(i: int = 0, side: int = 8, color: bool = False) -> bytes:
    """A good picture."""
    shape = (side, side, 3) if color else (side, side)
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(i).integers(0, 256, shape, np.uint8)).save(out, "PNG")
    return out.getvalue()


def pictures(place: Path, n: int = 8) -> Path:
    """A folder of good pictures, 0.png, 1.png, ..."""
    place.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (place / f"{i}.png").write_bytes(png(i))
    return place


def zipped(path: Path, members: dict[str, bytes | Iterable[bytes]], pictures_: int = 0) -> Path:
    """A zip of these members, of which some may be streams, and of good pictures."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i in range(pictures_):
            archive.writestr(f"{i}.png", png(i))
        for name, content in members.items():
            with archive.open(zipfile.ZipInfo(name) if "\0" not in name else name, "w", force_zip64=True) as member:
                for part in [content] if isinstance(content, bytes) else content:
                    member.write(part)
    return path


def deflated(path: Path, members: Iterable[tuple[str, bytes | Iterable[bytes]]]) -> Path:
    """As `zipped`, all compressed, names used as they are and as often as they come."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
            info._compresslevel = 1  # type: ignore[attr-defined]
            with archive.open(info, "w", force_zip64=True) as member:
                for part in [content] if isinstance(content, bytes) else content:
                    member.write(part)
    return path


def many(part: bytes, times: int) -> Iterator[bytes]:
    """A part again and again, about a megabyte at a time."""
    block = max(1, (1 << 20) // max(1, len(part)))
    while times > 0:
        yield part * min(block, times)
        times -= block


def zeros(size: int) -> Iterator[bytes]:
    return many(bytes(1 << 16), -(-size // (1 << 16)))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(
    width: int, height: int, bits: int = 8, color: int = 0, rows: bytes | None = None, more: bytes = b""
) -> bytes:
    """A PNG with this header, as much data as `rows` has, and chunks between."""
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    data = b"" if rows is None else chunk(b"IDAT", rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + data + chunk(b"IEND", b"")
