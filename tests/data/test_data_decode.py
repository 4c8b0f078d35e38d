"""One picture: the odd modes, the rules, the bombs."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from gancli.data.decode import DEFAULT, BrokenImageError, decode, header, looks_like_image, measure, middle
from gancli.data.values import Range, Stats


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def all_of(
    data: bytes, channels: int = 3, size: tuple[int, int] | None = None, background: str = "white"
) -> np.ndarray:
    head = header(data)
    return decode(data, channels, size or (head.height, head.width), background)  # type: ignore[arg-type]


GREY16 = Image.fromarray(np.array([[0, 257, 65535]], np.uint16))
TWO = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
TWO.putpixel((0, 0), (10, 20, 30, 255))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_every_format_by_its_content(kind: str) -> None:
    data = saved(Image.new("RGB", (5, 3), (0, 255, 0)), kind)
    assert looks_like_image(data[:16])
    x = all_of(data)
    assert x.shape == (3, 3, 5)
    assert x.dtype == np.uint8
    assert x[1].min() > 240
    assert x[0].max() < 20


@pytest.mark.parametrize(
    ("image", "kind", "background", "expected"),
    [
        (Image.new("1", (1, 1), 1), "PNG", "white", (255, 255, 255)),
        (Image.new("L", (1, 1), 7), "PNG", "white", (7, 7, 7)),
        (Image.new("LA", (1, 1), (7, 0)), "PNG", "white", (255, 255, 255)),
        (Image.new("LA", (1, 1), (7, 255)), "PNG", "black", (7, 7, 7)),
        (Image.new("RGBA", (1, 1), (9, 9, 9, 0)), "PNG", "black", (0, 0, 0)),
        (Image.new("RGBA", (1, 1), (200, 0, 0, 255)), "PNG", "white", (200, 0, 0)),
        (Image.new("RGB", (1, 1), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE), "PNG", "white", (1, 2, 3)),
        (Image.new("RGB", (1, 1), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE), "GIF", "white", (1, 2, 3)),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF", "white", (255, 0, 0)),
        (Image.fromarray(np.array([[0.5]], np.float32)), "TIFF", "white", (128, 128, 128)),
        (Image.fromarray(np.array([[65535]], np.uint16)), "PNG", "white", (255, 255, 255)),
        (Image.fromarray(np.array([[514]], np.int32)), "TIFF", "white", (2, 2, 2)),
    ],
)
def test_odd_modes(image: Image.Image, kind: str, background: str, expected: tuple[int, int, int]) -> None:
    assert tuple(all_of(saved(image, kind), background=background)[:, 0, 0]) == expected


def test_sixteen_bits_are_divided_by_257() -> None:
    assert all_of(saved(GREY16), channels=1).ravel().tolist() == [0, 1, 255]


def test_the_transparent_color_of_a_png_is_transparent() -> None:
    data = saved(Image.new("L", (2, 2), 40), transparency=40)
    assert all_of(data, channels=1, background="black").max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_turns_upright(kind: str) -> None:
    image = Image.new("L", (16, 8))
    image.paste(255, (0, 0, 8, 8))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: left becomes top
    data = saved(image.convert("RGB"), kind, exif=exif)
    head = header(data)
    assert (head.height, head.width) == (16, 8)
    x = all_of(data, channels=1)[0]
    assert x.shape == (16, 8)
    assert x[:6].min() > 200
    assert x[-6:].max() < 55


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("size", [(12, 12), (9, 16), (40, 50)])
def test_band_by_band_is_as_all_at_once(size: tuple[int, int], turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a picture turned in every way that EXIF knows; the peer is Pillow, which turns, cuts and scales the whole."""
    image = Image.effect_noise((37, 23), 90).convert("RGB")
    image.paste((255, 0, 0), (0, 0, 11, 5))
    exif = Image.Exif()
    exif[0x0112] = turn
    data = saved(image, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    top, left, h, w = middle(upright.height, upright.width, size)
    whole = upright.crop((left, top, left + w, top + h)).resize(size[::-1], Image.Resampling.BICUBIC)
    monkeypatch.setattr("gancli.data.decode.BAND", 100)
    assert (all_of(data, size=size) == np.asarray(whole).transpose(2, 0, 1)).all()


def test_exif_that_is_no_turn() -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert all_of(saved(Image.new("L", (4, 2)), exif=exif), channels=1).shape == (1, 2, 4)


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (Image.new("1", (2, 2)), True),
        (Image.new("L", (2, 2)), True),
        (Image.new("LA", (2, 2)), True),
        (GREY16, True),
        (Image.new("L", (2, 2)).convert("P"), True),
        (Image.new("RGB", (2, 2), (9, 0, 0)).convert("P", palette=Image.Palette.ADAPTIVE), False),
        (Image.new("RGB", (2, 2)), False),
        (TWO, False),
    ],
)
def test_grey_is_told_by_mode(image: Image.Image, grey: bool) -> None:
    assert header(saved(image)).grey is grey


@pytest.mark.parametrize(("size", "to"), [((1, 1), (8, 8)), ((100, 10), (8, 8)), ((10, 100), (7, 5)), ((9, 9), (9, 9))])
def test_scaled_to_cover(size: tuple[int, int], to: tuple[int, int]) -> None:
    assert (all_of(saved(Image.new("RGB", size, (5, 5, 5))), size=to) == 5).all()


def test_the_middle_is_cut_out() -> None:
    image = Image.new("L", (30, 10))
    image.paste(255, (10, 0, 20, 10))
    assert all_of(saved(image), channels=1, size=(10, 10)).min() == 255


def bomb(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8001, 8000), (9000, 10000), (60000, 60000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(BrokenImageError, match="pixels"):
        header(bomb(*size))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
@pytest.mark.filterwarnings("ignore")
def test_every_cut_is_refused_or_whole(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    whole = all_of(data)
    refused = 0
    for end in range(0, len(data), 7):
        try:
            x = all_of(data[:end])
        except BrokenImageError:
            refused += 1
        else:
            assert x.shape == whole.shape
    assert refused > len(data) / 7 * 0.5


@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_never_raise_anything_else() -> None:
    random = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        data = saved(Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8)), kind)
        for _ in range(100):
            bad = bytearray(data)
            bad[random.integers(len(bad))] ^= 1 << random.integers(8)
            with contextlib.suppress(BrokenImageError):
                assert decode(bytes(bad), 3, (12, 12), "white").shape == (3, 12, 12)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"P5 " + b"# x\n" * 400_000 + b"8 8 255\n" + bytes(64), "a header of more than 4,096 bytes"),
        (b"P2 8 8 255\n" + b"# x\n" * 400_000 + b"1 " * 64, "more than 1,000 comments"),
        (b"P2 4000 4000 255\n" + b"1 " * 64, "more than 4 million"),
    ],
)
def test_pnm_that_takes_minutes_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BrokenImageError, match=why):
        decode(data, 1, (8, 8), "white")


def test_pnm_with_a_comment_is_read() -> None:
    for data in (b"P5 # x\n8 8 255\n" + bytes(64), b"P2\n# x\n8 8 255\n" + b"1 # y\n" * 64, b"P4 8 8\n" + bytes(8)):
        assert decode(data, 1, (8, 8), "white").shape == (1, 8, 8)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG", b"GIF89a", b"BM" + bytes(60)])
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(BrokenImageError):
        header(data)


def test_floats_are_cut_off_at_the_range() -> None:
    data = saved(Image.fromarray(np.array([[3.0, -1.0]], np.float32)), "TIFF")
    assert decode(data, 1, (1, 2), "white").tolist() == [[[255, 0]]]
    assert decode(data, 1, (1, 2), "white", {**DEFAULT, "floats": Range(-1, 3)}).tolist() == [[[255, 0]]]
    assert measure(data) == (Stats(-1, 3, 1, 2), np.dtype(np.float32))


@pytest.mark.parametrize("place", ["open", "Image.getexif", "Image.crop"])
def test_too_little_memory_is_no_broken_picture(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.new("L", (4, 4)), "JPEG")

    def failing(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(f"PIL.Image.{place}", failing)
    with pytest.raises(MemoryError):
        decode(data, 1, (4, 4), "white")
    if place != "Image.crop":
        with pytest.raises(MemoryError):
            header(data)
