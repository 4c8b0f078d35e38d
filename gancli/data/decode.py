"""One picture: from the bytes of a file to uint8 [C, H, W].

PNG, JPEG, BMP, GIF (its first frame), WEBP and TIFF, known by their first bytes. The rules for odd ones:
turned by EXIF: turned upright; transparency: laid over the background; palette: looked up; 1 bit: 0 and 255; 16 bits: divided by 257;
32-bit integers: as 16 bits; floating point: 0 .. 1 becomes 0 .. 255, other values are refused; CMYK, YCbCr: made RGB.
RGB to grey: luma, 0.299 R + 0.587 G + 0.114 B. To a size: the largest middle part of its
proportions is cut out and scaled (bicubic, antialiased).
A picture of more than 64 million pixels is refused before it is decoded; large ones are decoded one at a time, whatever the threads, and
all that follows is done band by band, so that hardly more is held than the decoder's own memory.
"""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MOST_PIXELS = 64_000_000
LARGE = 4_000_000  # pixels, above which a picture is decoded by itself
BAND = 1_000_000  # pixels that are converted at a time
_one_large = threading.Lock()
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
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


def looks_like_image(head: bytes) -> bool:
    """Whether the first 16 bytes are those of a known format."""
    return head.startswith(_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


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
    return Header(height, width, is_grey(image))


@guarded()
def decode(data: bytes, channels: int, size: tuple[int, int], background: Background) -> np.ndarray:
    """Decode a picture.

    Args:
        data: the file's bytes.
        channels: 1 (grey) or 3 (RGB).
        size: (height, width) that the largest middle part of these proportions is scaled to.
        background: what is seen behind transparent pixels.

    Returns:
        uint8 [channels, *size].

    Raises:
        BrokenImageError: it cannot be read.
    """
    image = opened(data)
    with _one_large if image.width * image.height > LARGE else nullcontext():
        image.load()
        pixels = np.asarray(_cover(image, "L" if channels == 1 else "RGB", size, background))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def opened(data: bytes) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise BrokenImageError("the file is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise BrokenImageError("no picture in a known format, or cut short") from None
    if image.width * image.height > MOST_PIXELS:
        raise BrokenImageError(f"{image.width} x {image.height} pixels are more than 64 million")
    if image.width < 1 or image.height < 1:
        raise BrokenImageError("no pixels")
    return image


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


def plain(image: Image.Image, background: Background) -> Image.Image:
    """Any mode -> L, RGB or what converts to them as it is."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode == "I":
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        real = np.asarray(image)
        if not (np.isfinite(real).all() and real.min() >= 0 and real.max() <= 1):
            raise BrokenImageError("floating-point pixels outside of 0 .. 1")
        return Image.fromarray(np.round(real * 255).astype(np.uint8))
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


def _cover(image: Image.Image, mode: str, size: tuple[int, int], background: Background) -> Image.Image:
    """The middle part, upright, of mode L or RGB, scaled to (height, width): columns first, band by band, as one call would do it."""
    from PIL import Image

    turn = orientation(image)
    height, width = (image.width, image.height) if turn in _QUARTER else (image.height, image.width)
    top, left, h, w = middle(height, width, size)
    rows = max(1, BAND // w)
    narrow = Image.new(mode, (size[1], h))
    for y in range(0, h, rows):
        band = _upright(image, turn, (left, top + y, left + w, top + min(h, y + rows)))
        band = plain(band, background).convert(mode)
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
