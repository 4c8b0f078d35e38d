"""Bad arrays: files of `numpy.save` and `numpy.savez` whose headers, shapes, types and names lie."""

from __future__ import annotations

import random
from ast import literal_eval
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from malice_base import NAMES, Bait, deflated, zeros

MAGIC = b"\x93NUMPY"
SHAPES: dict[str, str] = {
    "true": "(True, 8, 8)",
    "negative": "(-8, 8, 8)",
    "fraction": "(8.0, 8, 8)",
    "text": "('8', 8, 8)",
    "none": "(None, 8, 8)",
    "2^28 images of 1x1": f"({2**28}, 1, 1)",
    "2^22 images of 1x1": f"({2**22}, 1, 1)",
    "an image of 60,000 x 60,000": "(1, 60000, 60000)",
    "two of 8192 x 8192": "(2, 8192, 8192)",
    "2^62": f"({2**62}, 8, 8)",
    "2^70": f"({2**70}, 8, 8)",
    "10^400": f"({10**400}, 8, 8)",
    "flat": "(64,)",
    "scalar": "()",
    "no images": "(0, 8, 8)",
    "no pixels": "(8, 0, 8)",
    "forty dimensions": str((1,) * 40),
    "five channels": "(8, 8, 8, 5)",
    "strips": "(4, 1, 4096)",
    "a million channels": "(1, 8, 8, 1000000)",
    "nested": "((8, 8), 8)",
    "a name": "(N, 8, 8)",
    "a call": "(__import__('os').system('touch owned'), 8, 8)",
    "a list": "[8, 8, 8]",
    "many small": f"({2**21}, 1, 1)",
    "few large": "(3, 4096, 4096, 1)",
}
TYPES = {
    "objects": "'|O'",
    "long texts": "'<U1000000'",
    "void": "'|V64'",
    "fields": "[('a', '<f4'), ('b', '|O')]",
    "dates": "'<M8[s]'",
    "complex": "'<c16'",
    "long floats": "'<f16'",
    "big endian": "'>i8'",
    "halves": "'<f2'",
    "booleans": "'|b1'",
    "unsigned": "'<u8'",
    "unknown": "'zz'",
    "number": "7",
    "nested fields": "[('a', [('b', [('c', '<f4')])])]",
    "many fields": str([(f"f{i}", "|u1") for i in range(3000)]),
    "subarray": "('|u1', (8, 8))",
    "align": "{'names': ['a'], 'formats': ['u1'], 'offsets': [4000000]}",
}
FLOATS = {"nan": np.nan, "infinite": np.inf, "minus infinite": -np.inf, "huge": 3e38, "tiny": 1e-45, "negative": -7.0}
HEADERS: dict[str, bytes] = {
    "empty": b"",
    "a list": b"[1]",
    "deep": b"(" * 50_000,
    "deep tuple": b"{'descr': '|u1', 'fortran_order': False, 'shape': " + b"(" * 4000 + b")" * 4000 + b"}",
    "long": b"{'descr': '|u1', 'fortran_order': False, 'shape': (8, 8, 8)" + b" " * 60_000 + b"}",
    "zeros": bytes(60_000),
    "latin": b"\xff" * 100,
    "more keys": b"{'descr': '|u1', 'fortran_order': False, 'shape': (8, 8, 8), 'x': 1}",
    "unhashable": b"{[]: 1}",
    "order of text": b"{'descr': '|u1', 'fortran_order': 'C', 'shape': (8, 8, 8)}",
    "a power": b"{'descr': '|u1', 'fortran_order': False, 'shape': (9**9**9, 8, 8)}",
    "unfinished": b"{'descr': '|u1', 'shape': (",
    "minus": b"-" * 60_000 + b"1",
}
LABELS: dict[str, tuple[str, str]] = {  # shape and type
    "60 million columns": ("(8, 60000000)", "'|u1'"),
    "4,097 columns": ("(8, 4097)", "'<f4'"),
    "4,096 columns": ("(8, 4096)", "'<f4'"),
    "texts of 4,000": ("(8,)", "'<U4000'"),
    "texts of 10^6": ("(8,)", "'<U1000000'"),
    "objects": ("(8,)", "'|O'"),
    "true": ("(True,)", "'|u1'"),
    "three dimensions": ("(8, 8, 8)", "'|u1'"),
    "scalar": ("()", "'|u1'"),
    "too few": ("(7,)", "'|u1'"),
    "no columns": ("(8, 0)", "'|u1'"),
    "dates": ("(8,)", "'<M8[s]'"),
    "complex": ("(8,)", "'<c16'"),
    "bytes": ("(8,)", "'|S9'"),
    "halves": ("(8, 3)", "'<f2'"),
}


def npy(
    shape: str,
    descr: str = "'|u1'",
    fortran: bool = False,
    size: int = 0,
    head: bytes | None = None,
    version: bytes = b"\1\0",
) -> Iterator[bytes]:
    """A file of `numpy.save` with this header, and zeros."""
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}".encode() if head is None else head
    if version == b"\1\0" and len(text) > 65_000:
        version = b"\2\0"
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    yield MAGIC + version + len(text).to_bytes(2 if version == b"\1\0" else 4, "little") + text
    yield from zeros(size) if size % (1 << 16) == 0 else [bytes(size)]


def _npz(arrays: Iterable[tuple[str, Iterable[bytes]]], folder: Path, _: Path) -> Path:
    return deflated(
        folder / "x.npz",
        [(f"{name}.npy", list(parts) if not isinstance(parts, bytes) else parts) for name, parts in arrays],
    )


def _of(name: str, *arrays: tuple[str, Iterable[bytes]]) -> Bait:
    return Bait(name, partial(_npz, [(n, list(parts)) for n, parts in arrays]))


def _streamed(shape: str, descr: str, size: int, fortran: bool, folder: Path, _: Path) -> Path:
    return deflated(folder / "x.npz", [("images.npy", npy(shape, descr, fortran, size))])


def _file(shape: str, descr: str, size: int, folder: Path, _: Path) -> Path:
    """An .npy of holes."""
    with (folder / "x.npy").open("wb") as file:
        file.writelines(npy(shape, descr))
        file.truncate(file.tell() + size)
    return folder / "x.npy"


def _raw(content: bytes, name: str, folder: Path, _: Path) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


GOOD = ("images", list(npy("(8, 8, 8)", size=512)))


def _values(name: str, value: float, where: str) -> Bait:
    images = np.zeros((8, 8, 8), np.float32)
    labels = np.zeros((8, 2), np.float32)
    (images if where == "images" else labels).flat[3] = value
    arrays = [
        ("images", [*npy("(8, 8, 8)", "'<f4'"), images.tobytes()]),
        ("labels", [*npy("(8, 2)", "'<f4'"), labels.tobytes()]),
    ]
    return _of(f"{name} among {where}", *arrays)


def _features(name: str, make: Iterable[bytes], member: str = "features") -> Bait:
    return Bait(f"features: {name}", partial(_npz, [(member, list(make))]), features=True)


def arrays() -> list[Bait]:
    """All of them, in a fixed order."""
    out = [_of(f"shape {name}", ("images", npy(shape, size=512))) for name, shape in SHAPES.items()]
    out += [_of(f"type {name}", ("images", npy("(8, 8, 8)", kind, size=512))) for name, kind in TYPES.items()]
    out += [_of(f"header {name}", ("images", npy("", head=head, size=512))) for name, head in HEADERS.items()]
    for what, shape, kind, size in (
        ("2^28 images of 1x1", f"({2**28}, 1, 1)", "'|u1'", 2**28),
        ("2^22 images of 1x1", f"({2**22}, 1, 1)", "'|u1'", 2**22),
        ("an image of 60,000 x 60,000", "(1, 60000, 60000)", "'|u1'", 60_000**2),
        ("two of 8192 x 8192", "(2, 8192, 8192)", "'<f4'", 2**29),
        ("512 MB of zeros", "(32, 4096, 4096)", "'|u1'", 2**29),
        ("3.9 GB of zeros", "(240, 4096, 4096)", "'|u1'", 240 << 24),
        ("floats of 256 MB", "(4, 4096, 4096)", "'<f4'", 2**28),
        ("float64 of 256 MB", "(2, 4096, 4096)", "'<f8'", 2**28),
    ):
        allowed = 15.0 if size <= 2**29 else 0.0  # pixels are scaled and sorted
        held = min(2**28, 64 * literal_eval(shape)[0]) / 2**20  # as images of 8x8; more are memory-mapped
        for fortran in (False, True):
            make = partial(_streamed, shape, kind, size, fortran)
            out.append(Bait(f"{what} that are there{', transposed' * fortran}", make, held, allowed))
        out.append(Bait(f"{what} as holes", partial(_file, shape, kind, size), held, allowed))
    for name, (shape, kind) in LABELS.items():
        sizes = {
            "60 million columns": 480_000_000,
            "4,097 columns": 8 * 4097 * 4,
            "4,096 columns": 8 * 4096 * 4,
            "texts of 4,000": 8 * 16_000,
        }
        size = sizes.get(name, {"texts of 10^6": 32_000_000, "objects": 64, "bytes": 72}.get(name, 8))
        out.append(_of(f"labels {name}", GOOD, ("labels", npy(shape, kind, size=size))))
    for name in ("images", "labels"):
        out += [_values(what, value, name) for what, value in FLOATS.items()]
    codes = {
        "extreme": [-(2**63), 2**63 - 1] * 4,
        "negative": [-1, 3] * 4,
        "each its own": list(range(8)),
        "far": [0, 10**12] * 4,
    }
    for name, values in codes.items():
        out.append(
            _of(f"classes {name}", GOOD, ("labels", [*npy("(8,)", "'<i8'"), np.array(values, np.int64).tobytes()]))
        )
    for name, text in NAMES.items():
        if ("\0" not in text and text.isprintable()) or name == "escapes":
            words = np.array([text[:250] or "x", "b"] * 4)
            out.append(
                _of(f"a class called {name}", GOOD, ("labels", [*npy("(8,)", f"'{words.dtype.str}'"), words.tobytes()]))
            )
        if name not in ("surrogate", "long"):
            out.append(_of(f"an array called {name}", GOOD, (text, npy("(8, 8, 8)", size=512))))
    out.append(_of("two arrays of one name", GOOD, GOOD))
    out.append(_of("20,000 arrays", GOOD, *((f"a{i}", npy("(1,)", size=1)) for i in range(20_000))))
    out.append(_of("a version of the future", ("images", npy("(8, 8, 8)", size=512, version=b"\3\0"))))
    out.append(Bait("a cut .npy", partial(_raw, b"".join(npy("(8, 8, 8)", size=100)), "x.npy")))
    out.append(Bait("an .npz that is none", partial(_raw, b"PK\3\4" + bytes(60), "x.npz")))
    return out


def features() -> list[Bait]:
    """Files of features, in a fixed order."""
    out: list[Bait] = []
    for name in ("true", "2^28 images of 1x1", "2^70", "negative", "scalar", "flat", "no images", "a call"):
        out.append(_features(f"shape {name}", npy(SHAPES[name], "'<f4'", size=2048)))
    for name in ("objects", "long texts", "complex", "void", "fields", "dates", "booleans"):
        out.append(_features(f"type {name}", npy("(40, 8)", TYPES[name], size=2560)))
    for name, size in (("10^6 columns", 10**6), ("20,000 columns", 20_000), ("none", 0)):
        out.append(_features(name, npy(f"(40, {size})", "'<f4'", size=160 * size)))
    for name, head in HEADERS.items():
        out.append(_features(f"header {name}", npy("", head=head, size=512)))
    out.append(Bait("features: 8 GB of holes", partial(_file, f"({2**28}, 8)", "'<f4'", 2**33), features=True))
    for what, value in FLOATS.items():
        table = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
        table[3, 3] = value
        out.append(_features(f"{what} among them", [*npy("(40, 8)", "'<f4'"), table.tobytes()]))
    return out


def random_array(rng: random.Random) -> Bait:
    """An .npz with arrays of random shapes, types, sizes and names."""
    sides = (-1, 0, 1, 2, 3, 4, 8, 28, 64, 1000, 4096, 4097, 2**16, 2**22, 2**31, 2**63)
    made = []
    for name in rng.sample(
        ["images", "labels", "x", "y", "arr_0", "arr_1", "x_train", "y_test", *map(str, range(3))],
        rng.choice((1, 2, 3)),
    ):
        shape = [rng.choice(sides) for _ in range(rng.choice((0, 1, 2, 3, 3, 4, 4, 5)))]
        if rng.random() < 0.5:
            shape[:1] = [8]
        kind = rng.choice(["'|u1'"] * 4 + ["'<f4'", "'<i8'", "'<f8'", "'<U5'", *TYPES.values()])
        true = 1
        for side in shape:
            true *= side
        size = true * rng.choice((1, 1, 4, 8)) if 0 <= true < 2**26 else rng.choice((0, 512, 2**20))
        made.append((name, list(npy(str(tuple(shape)), kind, rng.random() < 0.2, size))))
    return _of(f"random arrays {[(n, p[0][:120]) for n, p in made]}", *made)
