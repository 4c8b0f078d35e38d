"""One picture: from the bytes of a file to uint8 [C, H, W].

PNG, JPEG, BMP, GIF (its first frame), WEBP and TIFF, known by their first bytes. The rules for odd ones:
turned by EXIF: turned upright; transparency: laid over the background; palette: looked up; 1 bit: 0 and 255; 16 bits: divided by 257;
32-bit integers: as 16 bits; floating point: 0 .. 1 becomes 0 .. 255, other values are refused; CMYK, YCbCr: made RGB.
RGB to grey: luma, 0.299 R + 0.587 G + 0.114 B. To a size: the largest middle part of its
proportions is cut out and scaled (bicubic, antialiased).
A picture of more than 64 million pixels is refused before it is decoded; large ones are decoded one at a time, whatever the threads.
"""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MOST_PIXELS = 64_000_000
LARGE = 4_000_000  # pixels; the largest may take 1.5 GB while they are decoded
_one_large = threading.Lock()
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 0x0112

Background = Literal["white", "black"]


class BrokenImageError(Exception):
    """Why a picture cannot be read."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture, upright."""

    height: int
    width: int
    grey: bool  # of a mode without colour


def looks_like_image(head: bytes) -> bool:
    """Whether the first 16 bytes are those of a known format."""
    return head.startswith(_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def header(data: bytes) -> Header:
    """Read the header alone. Raises BrokenImageError."""
    image = _opened(data)
    try:
        height, width = image.height, image.width
        if image.format != "TIFF" and _turned(image):  # Pillow gives TIFF's size upright
            height, width = width, height
        return Header(height, width, _is_grey(image))
    except Exception as error:  # noqa: BLE001 - a broken file can raise anything
        raise BrokenImageError(_reason(error)) from None


def decode(data: bytes, channels: int, size: tuple[int, int], background: Background) -> np.ndarray:
    """The picture as uint8 [channels, *size]. Raises BrokenImageError."""
    image = _opened(data)
    try:
        with _one_large if image.width * image.height > LARGE else nullcontext():
            image.load()
            image = _plain(_upright(image), background).convert("L" if channels == 1 else "RGB")
            pixels = np.asarray(_cover(image, size))
    except BrokenImageError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken file can raise anything
        raise BrokenImageError(_reason(error)) from None
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _opened(data: bytes) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise BrokenImageError("the file is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise BrokenImageError("no picture in a known format, or cut short") from None
    except Exception as error:  # noqa: BLE001 - a broken file can raise anything
        raise BrokenImageError(_reason(error)) from None
    if image.width * image.height > MOST_PIXELS:
        raise BrokenImageError(f"{image.width} x {image.height} pixels are more than 64 million")
    if image.width < 1 or image.height < 1:
        raise BrokenImageError("no pixels")
    return image


def _reason(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text and text[0] else type(error).__name__


def _turned(image: Image.Image) -> bool:
    """Whether EXIF asks for a quarter turn. A PNG's EXIF behind the pixels is not looked for here, as that would decode them."""
    if image.format == "PNG" and "exif" not in image.info:
        return False
    try:
        return image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    except Exception:  # noqa: BLE001 - broken EXIF is no EXIF
        return False


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - broken EXIF is no EXIF
        return image


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def _plain(image: Image.Image, background: Background) -> Image.Image:
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
    """(top, left, height, width) of the largest middle part, in whole pixels, that has the proportions of `size`."""
    h = min(height, max(1, round(width * size[0] / size[1])))
    w = min(width, max(1, round(height * size[1] / size[0])))
    return (height - h) // 2, (width - w) // 2, h, w


def _cover(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL import Image

    if image.size == (size[1], size[0]):
        return image
    top, left, h, w = middle(image.height, image.width, size)
    return image.crop((left, top, left + w, top + h)).resize((size[1], size[0]), Image.Resampling.BICUBIC)
