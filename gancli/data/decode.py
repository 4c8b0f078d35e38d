"""One picture: from the bytes of a file to uint8 [C, H, W].

PNG, JPEG, BMP, GIF, WEBP, TIFF, AVIF, JPEG 2000, PNM (PPM, PGM, PBM) and TGA, known by their content. The rules for odd ones:
turned by EXIF: turned upright; transparency: laid over the background, unless four channels are asked for; palette: looked up;
1 bit: 0 and 255; integers of more than 8 bits and floating point: by a range of values (`data/values.py`); CMYK, YCbCr: made RGB;
several images in a file: one of them. RGB to grey: luma, 0.299 R + 0.587 G + 0.114 B. To a size: the largest middle part of its
proportions is cut out and scaled (bicubic, antialiased).
A picture of more than 64 million pixels (AVIF, JPEG 2000: 25 million) is refused before it is decoded; large ones are decoded one at a
time, whatever the threads, and all that follows is done band by band, so that hardly more is held than the decoder's own memory.
"""

from __future__ import annotations

import io
import re
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gancli.data.values import DEEP, Range, Stats, stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA")
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".avif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".tga"),
)
MOST_PIXELS = 64_000_000
LESS_PIXELS = {"AVIF": 25_000_000, "JPEG2000": 25_000_000, "text": 4_000_000}  # whose decoders need much memory or time
PNM_HEADER, PNM_COMMENTS = 4096, 1000  # bytes; lines
MOST_FRAMES = 10_000  # of a file
LARGE = 4_000_000  # pixels, above which a picture is decoded by itself
BAND = 1_000_000  # pixels that are converted at a time
_one_large = threading.Lock()
_STARTS = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "),  # JPEG 2000
)
_TEXT = (b"P1", b"P2", b"P3")  # PNM
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_KINDS = {"F": "floats", "I": "integers"}  # by mode; all others are bytes
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by channels
DEFAULT = {"bytes": Range(), "integers": Range(0, DEEP), "floats": Range(0, 1)}
ORIENTATION = 0x0112
_QUARTER = (5, 6, 7, 8)  # orientations whose rows are columns
_LEFT_RIGHT, _TOP_BOTTOM = (2, 3, 7, 8), (3, 4, 6, 7)  # those whose columns, or rows, of the file run backwards
_TURNS = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")

Background = Literal["white", "black"]


class BrokenImageError(Exception):
    """Why a picture cannot be read."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture, upright."""

    height: int
    width: int
    grey: bool  # of a mode without color
    kind: str = "bytes"  # of its numbers: bytes, integers (of more than 8 bits) or floats
    several: bool = False  # whether the file holds more than one image


def looks_like_image(head: bytes) -> bool:
    """Whether the first 16 bytes are those of a known format."""
    return (
        head.startswith(_STARTS)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"))
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace())
    )


@contextmanager
def guarded() -> Iterator[None]:
    """A broken file can raise anything; what is too little memory now may be enough another time."""
    try:
        yield
    except (BrokenImageError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001
        raise BrokenImageError(_reason(error)) from None


@guarded()
def header(data: bytes) -> Header:
    """The header of a picture's file.

    Args:
        data: the file's bytes.

    Raises:
        BrokenImageError: it cannot be read.
    """
    image = opened(data)
    height, width = image.height, image.width
    if image.format != "TIFF" and _turned(image):  # Pillow gives TIFF's size upright
        height, width = width, height
    return Header(height, width, is_grey(image), _kind(image), bool(getattr(image, "is_animated", False)))


@guarded()
def frames(data: bytes) -> int:
    """How many images a file holds, up to `MOST_FRAMES`.

    Raises:
        BrokenImageError: it cannot be read.
    """
    image, n = opened(data), 1
    while n < MOST_FRAMES:
        try:
            image.seek(n)
        except EOFError:
            break
        n += 1
    return n


@guarded()
def measure(data: bytes, frame: int = 0) -> tuple[Stats, np.dtype[np.generic]]:
    """Least and greatest number of a picture, and the numbers' type.

    Raises:
        BrokenImageError: it cannot be read.
    """
    image = opened(data, frame)
    with _one_large if image.width * image.height > LARGE else nullcontext():
        image.load()
        values = np.asarray(image if _kind(image) != "bytes" or image.mode == "L" else image.convert("RGB"))
        return stats(values), np.dtype(np.uint16 if image.mode.startswith("I;16") else values.dtype)


@guarded()
def decode(
    data: bytes,
    channels: int,
    size: tuple[int, int],
    background: Background,
    ranges: Mapping[str, Range] = DEFAULT,
    frame: int = 0,
) -> np.ndarray:
    """Decode a picture.

    Args:
        data: the file's bytes.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        size: (height, width) that the largest middle part of these proportions is scaled to.
        background: what is seen behind transparent pixels.
        ranges: of values, by the kind of numbers.
        frame: which image, of a file that holds several.

    Returns:
        uint8 [channels, *size].

    Raises:
        BrokenImageError: it cannot be read.
    """
    image = opened(data, frame)
    with _one_large if image.width * image.height > LARGE else nullcontext():
        image.load()
        pixels = np.asarray(_cover(image, _MODES[channels], size, background, ranges))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


@contextmanager
def lenient(wanted: bool) -> Iterator[None]:
    """Where it is wanted, files that are cut short are read as far as they go; the rest is gray. For the whole process meanwhile."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = wanted or before
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def opened(data: bytes, frame: int = 0) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise BrokenImageError("the file is empty")
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC:
        raise BrokenImageError("HEIC is not read; convert it to PNG or JPEG")
    _check_pnm(data)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS if _maybe_tga(data) else FORMATS[:-1])
    except UnidentifiedImageError:
        raise BrokenImageError("no picture in a known format, or cut short") from None
    most = LESS_PIXELS.get("text" if data[:2] in _TEXT else image.format or "", MOST_PIXELS)
    if frame:
        image.seek(frame)
    if image.width * image.height > most:
        raise BrokenImageError(f"{image.height}x{image.width} pixels are more than {most // 10**6} million")
    if image.width < 1 or image.height < 1:
        raise BrokenImageError("no pixels")
    return image


def _check_pnm(data: bytes) -> None:
    """Refuse a PNM with a long header or many comments, which Pillow takes minutes for."""
    if data[:1] != b"P" or data[1:2] not in b"123456" or not data[2:3].isspace():
        return
    if len(data) > PNM_HEADER and len(re.sub(rb"#[^\r\n]*", b"", data[:PNM_HEADER]).split(maxsplit=3)) < 3:
        raise BrokenImageError(f"a header of more than {PNM_HEADER:,} bytes")
    if data[:2] in _TEXT and data.count(b"#") > PNM_COMMENTS:
        raise BrokenImageError(f"more than {PNM_COMMENTS:,} comments")


def _maybe_tga(data: bytes) -> bool:
    """Whether it may be TGA, which has no signature at its start: types, and bits per pixel, are those that there are."""
    return len(data) > 18 and data[1] < 2 and data[2] in (1, 2, 3, 9, 10, 11) and data[16] in (8, 16, 24, 32)


def _kind(image: Image.Image) -> str:
    return _KINDS.get(image.mode[:1] if image.mode.startswith("I;16") else image.mode, "bytes")


def _reason(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text and text[0] else type(error).__name__


def orientation(image: Image.Image) -> int:
    """How EXIF says that it is to be turned: 1 (not at all) to 8. Broken EXIF is no EXIF."""
    try:
        said = image.getexif().get(ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a broken file can raise anything
        return 1
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def _turned(image: Image.Image) -> bool:
    """Whether EXIF asks for a quarter turn. A PNG's EXIF behind the pixels is not looked for here, as that would decode them."""
    return (image.format != "PNG" or "exif" in image.info) and orientation(image) in _QUARTER


def is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def plain(
    image: Image.Image, background: Background, ranges: Mapping[str, Range] = DEFAULT, mode: str = "RGB"
) -> Image.Image:
    """Any mode -> L, RGB or RGBA."""
    from PIL import Image

    kind = _kind(image)
    if kind != "bytes":
        return Image.fromarray(ranges[kind].to_uint8(np.asarray(image))).convert(mode)
    made = (image if mode == "RGBA" else _opaque(image, background)).convert(mode)
    own = ranges["bytes"]
    if own == DEFAULT["bytes"]:
        return made
    values = np.array(made)
    colors = values[..., :3] if values.ndim == 3 else values
    colors[...] = own.to_uint8(colors.astype(np.float32))
    return Image.fromarray(values)


def _opaque(image: Image.Image, background: Background) -> Image.Image:
    """Over the background, where it is transparent."""
    from PIL import Image

    if "transparency" not in image.info and image.mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
        return image
    if image.mode == "La":
        image = image.convert("LA")
    below = Image.new("RGBA", image.size, background)
    below.alpha_composite(image.convert("RGBA"))
    return below.convert("RGB")


def middle(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest middle part of a picture that has the proportions of another size.

    Args:
        height: of the picture.
        width: of the picture.
        size: (height, width).

    Returns:
        (top, left, height, width) in whole pixels.
    """
    h = min(height, max(1, round(width * size[0] / size[1])))
    w = min(width, max(1, round(height * size[1] / size[0])))
    return (height - h) // 2, (width - w) // 2, h, w


def _cover(
    image: Image.Image, mode: str, size: tuple[int, int], background: Background, ranges: Mapping[str, Range]
) -> Image.Image:
    """The middle part, upright, of mode L, RGB or RGBA, scaled to (height, width): columns first, band by band, as one call would do it."""
    from PIL import Image

    turn = orientation(image)
    height, width = (image.width, image.height) if turn in _QUARTER else (image.height, image.width)
    top, left, h, w = middle(height, width, size)
    rows = max(1, BAND // w)
    narrow = Image.new(mode, (size[1], h))
    for y in range(0, h, rows):
        band = _upright(image, turn, (left, top + y, left + w, top + min(h, y + rows)))
        band = plain(band, background, ranges, mode)
        narrow.paste(band.resize((size[1], band.height), Image.Resampling.BICUBIC), (0, y))
    return narrow.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def upright(image: Image.Image) -> Image.Image:
    """The whole picture as EXIF means it."""
    from PIL import Image

    turn = orientation(image)
    return image if turn == 1 else image.transpose(Image.Transpose[_TURNS[turn - 2]])


def alpha_of(image: Image.Image) -> np.ndarray | None:
    """The alpha channel, uint8 [H, W]; None for a picture without transparency."""
    if "transparency" not in image.info and image.mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
        return None
    return np.asarray((image.convert("LA") if image.mode == "La" else image).convert("RGBA"))[:, :, 3]


def _upright(image: Image.Image, turn: int, box: tuple[int, int, int, int]) -> Image.Image:
    """A part of the picture that EXIF means: (left, top, right, bottom) of it, looked up where the file has it."""
    from PIL import Image

    x, y = (box[0], box[2]), (box[1], box[3])
    if turn in _QUARTER:
        x, y = y, x
    if turn in _LEFT_RIGHT:
        x = (image.width - x[1], image.width - x[0])
    if turn in _TOP_BOTTOM:
        y = (image.height - y[1], image.height - y[0])
    part = image.crop((x[0], y[0], x[1], y[1]))
    return part if turn == 1 else part.transpose(Image.Transpose[_TURNS[turn - 2]])
