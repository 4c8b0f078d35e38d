"""Videos of images: GIF, and MP4 by the extra `film`; frames with captions."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gancli.core.errors import UsageError
from gancli.core.images import over_white, pil_image

FORMS = (".gif", ".mp4")
CAPTION = 18  # pixels below an image


def video(frames: Sequence[np.ndarray], form: str, milliseconds: int = 60) -> bytes:
    """Encode frames of the same size.

    Args:
        frames: uint8 [C, H, W]; RGBA is laid over white.
        form: ".gif", which loops, or ".mp4".
        milliseconds: for which each frame is shown.

    Returns:
        The content of the file.

    Raises:
        UsageError: the form is unknown, or its package is not installed.
    """
    if form not in FORMS:
        raise UsageError(f"do not know the form {form!r} of a film", f"use {' or '.join(FORMS)}")
    frames = [over_white(frame[None])[0] if len(frame) == 4 else frame for frame in frames]
    return _gif(frames, milliseconds) if form == ".gif" else _mp4(frames, milliseconds)


def _gif(frames: Sequence[np.ndarray], milliseconds: int) -> bytes:
    """Each frame of a color GIF has the 256 colors that suit it best."""
    pictures = [pil_image(f) for f in frames]
    first, *rest = [p if p.mode == "L" else p.quantize(256, Image.Quantize.MEDIANCUT) for p in pictures]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return out.getvalue()


def _mp4(frames: Sequence[np.ndarray], milliseconds: int) -> bytes:
    """H.264 with even sides: an odd one gets a black line."""
    try:
        import av
    except ImportError:
        raise UsageError("mp4 needs the package av", "pip install 'gancli[film]', or use .gif") from None
    out = io.BytesIO()
    height, width = (side + side % 2 for side in frames[0].shape[1:])
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=max(1, round(1000 / milliseconds)))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"crf": "18"}
        for frame in frames:
            rgb = np.zeros((height, width, 3), np.uint8)
            rgb[: frame.shape[1], : frame.shape[2]] = frame.transpose(1, 2, 0)  # one channel is repeated
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def captioned(content: bytes, caption: str, widest: int) -> np.ndarray:
    """Decode an image and write a caption below it.

    Args:
        content: of a PNG file.
        caption: one line.
        widest: wider images are reduced by an integer factor.

    Returns:
        uint8 [C, H + CAPTION, W].

    Raises:
        ValueError: the image cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None
    if (factor := -(-image.width // widest)) > 1:
        image = image.reduce(factor)
    whole = Image.new(image.mode, (image.width, image.height + CAPTION))
    whole.paste(image, (0, 0))
    color = 200 if image.mode == "L" else (200, 200, 200)
    ImageDraw.Draw(whole).text((4, image.height + 2), caption, fill=color, font=ImageFont.load_default(12))
    pixels = np.asarray(whole)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
