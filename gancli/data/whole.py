"""Whole pictures as a model is applied to them: all pixels, alpha and metadata are kept, and written again with the output.

What `data/decode.py` says of odd files holds here too, with three differences: nothing is cut or scaled; transparent pixels are seen
over the background, and alpha is kept beside them; 16-bit grayscale keeps its 16 bits.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from gancli.data import decode
from gancli.data.decode import Background

FORMS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
OPAQUE = (".jpg", ".jpeg", ".bmp")  # forms without alpha
DEEP = 65535


@dataclass(frozen=True)
class Picture:
    """A picture, upright."""

    pixels: np.ndarray  # uint8, or of 16-bit grayscale uint16, [C, H, W] with C = 1 or 3
    alpha: np.ndarray | None = None  # uint8 [H, W]
    about: dict[str, Any] = field(default_factory=dict)  # icc_profile, exif, dpi: as Pillow's `save` takes them

    @property
    def deep(self) -> bool:
        """Whether it has 16 bits."""
        return bool(self.pixels.dtype == np.uint16)

    def in_channels(self, channels: int) -> np.ndarray:
        """The pixels as float32 [channels, H, W] in [-1, 1]: gray is repeated, color becomes its luma."""
        x = self.pixels.astype(np.float32) * np.float32(2 / (DEEP if self.deep else 255)) - np.float32(1)
        if channels == len(x):
            return x
        if channels == 1:
            return np.tensordot(np.array(LUMA, np.float32), x, 1)[None]
        return np.repeat(x, channels, axis=0)


LUMA = (0.299, 0.587, 0.114)


@decode.guarded()
def read(data: bytes, background: Background = "white") -> Picture:
    """Decode a picture.

    Args:
        data: the file's bytes.
        background: what is seen behind transparent pixels.

    Raises:
        BrokenImageError: it cannot be read.
    """
    image = decode.opened(data)
    image.load()
    about = {key: image.info[key] for key in ("icc_profile", "dpi") if image.info.get(key)}
    turned = decode.upright(image)
    if exif := _exif(image):
        about["exif"] = exif
    image = turned
    if image.mode.startswith("I;16") or image.mode == "I":
        return Picture(np.clip(np.asarray(image).astype(np.int64), 0, DEEP).astype(np.uint16)[None], None, about)
    alpha = decode.alpha_of(image)
    grey = decode.is_grey(image)
    seen = decode.plain(image, background, mode="L" if grey else "RGB")
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa"):
        about.pop("icc_profile", None)  # of other colors than those that are written
    pixels = np.asarray(seen)
    return Picture(pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1)), alpha, about)


def _exif(image: Image.Image) -> bytes:
    """The EXIF data without the orientation, as the picture is written upright; empty if there are none."""
    try:
        found = image.getexif()
        found.pop(decode.ORIENTATION, None)
        return found.tobytes() if len(found) else b""
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a broken file can raise anything
        return b""


def encode(picture: Picture, suffix: str = ".png", recipe: dict[str, Any] | None = None) -> bytes:
    """Encode a picture.

    Args:
        picture: what to write.
        suffix: of the file's name, one of `FORMS`; what has no alpha gets the picture without it.
        recipe: provenance, stored as JSON in the text chunk `gan` of a PNG.

    Returns:
        The content of the file.
    """
    about = dict(picture.about)
    form = FORMS[suffix]
    if form == "PNG":
        about["pnginfo"] = PngImagePlugin.PngInfo()
        if recipe is not None:
            about["pnginfo"].add_text("gan", json.dumps(recipe))
        about["compress_level"] = 6
    elif form in ("JPEG", "WEBP"):
        about["quality"] = 95
    out = io.BytesIO()
    _image(picture, suffix).save(out, form, **about)
    return out.getvalue()


def _image(picture: Picture, suffix: str) -> Image.Image:
    pixels, alpha = picture.pixels, None if suffix in OPAQUE else picture.alpha
    if picture.deep and (suffix not in (".png", ".tif", ".tiff") or len(pixels) > 1 or alpha is not None):
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    planes = [*pixels, *([] if alpha is None else [alpha])]
    return Image.fromarray(planes[0] if len(planes) == 1 else np.ascontiguousarray(np.stack(planes, 2)))
