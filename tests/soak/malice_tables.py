"""Bad tables of labels: of any size, depth and width, in CSV, JSON and JSON lines, in folders and in zips."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from malice_base import ESCAPES, NAMES, Bait, many, pictures, zipped

N = 8
FORMS = ("labels.csv", "labels.json", "labels.jsonl")
CELLS: dict[str, str] = {
    "nan": "NaN",
    "infinite": "Infinity",
    "1e400": "1e400",
    "huge": "9" * 400,
    "digits": "9" * 5000,
    "half a pair": '"\\ud800"',
    "null": "null",
    "true": "true",
    "list": "[]",
    "table": "{}",
    "deep list": "[" * 900 + "]" * 900,
    "deeper": "[" * 100_000 + "]" * 100_000,
    "zero byte": '"a\\u0000b"',
    "deep tables": '{"a":' * 900 + "1" + "}" * 900,
    "float max": "3.5e38",
    "numbers": str([1.5] * 5000),
    "texts": json.dumps(["x"] * 5000),
    "minus": "-0.0",
}


def _content(form: str, cell: str) -> bytes:
    """A good table but for the label of the first picture, which is given as JSON."""
    if form == "labels.csv":
        try:
            plain = json.loads(cell)
        except (ValueError, RecursionError):
            plain = cell
        text = plain if isinstance(plain, str) else cell
        return ("file,label\n" + "".join(f'{i}.png,"{text if i == 0 else "b"}"\n' for i in range(N))).encode(
            "utf-8", "surrogatepass"
        )
    if form == "labels.json":
        return (
            '{"labels": ['
            + ",".join(f'["{i}.png", {cell if i == 0 else chr(34) + "b" + chr(34)}]' for i in range(N))
            + "]}"
        ).encode("utf-8", "surrogatepass")
    return "".join(
        f'{{"file": "{i}.png", "label": {cell if i == 0 else chr(34) + "b" + chr(34)}}}\n' for i in range(N)
    ).encode("utf-8", "surrogatepass")


def _beside(name: str, parts: Iterable[bytes] | bytes, folder: Path, _: Path) -> Path:
    place = pictures(folder / "set", N)
    with (place / name).open("wb") as file:
        for part in [parts] if isinstance(parts, bytes) else parts:
            file.write(part)
    return place


def _within(name: str, parts: Iterable[bytes] | bytes, folder: Path, _: Path) -> Path:
    return zipped(folder / "x.zip", {name: parts}, N)


def _made(name: str, stream: str, kept: str, folder: Path, victim: Path) -> Path:
    """A large table, made anew each time."""
    return {"folder": _beside, "zip": _within}[kept](name, LARGE[stream][1](), folder, victim)


def _numbers(columns: int, rows: int = N) -> Iterator[bytes]:
    yield b"file," + b",".join(b"c%d" % i for i in range(columns)) + b"\n"
    for i in range(rows):
        yield b"%d.png," % i + b"1," * (columns - 1) + b"1\n"


def _again(columns: int, rows: int) -> Iterator[bytes]:
    """More rows than pictures, each of many columns."""
    yield b"file," + b",".join(b"c%d" % i for i in range(columns)) + b"\n"
    yield from many(b"0.png," + b"1," * (columns - 1) + b"1\n", rows)


LARGE = {
    "a million columns": ("labels.csv", partial(_numbers, 10**6)),
    "4,096 columns": ("labels.csv", partial(_numbers, 4095)),
    "4,000 columns and many rows": ("labels.csv", partial(_again, 4000, 4000)),
    "240 MB of rows": ("labels.csv", lambda: chain([b"file,label\n"], many(b"0.png,a\n", 30 << 20))),
    "30 MB of rows": ("labels.csv", lambda: chain([b"file,label\n"], many(b"0.png,a\n", 3_900_000))),
    "30 MB of empty lines": ("labels.csv", lambda: chain([b"file,label\n"], many(b"\n", 30 << 20))),
    "a line of 240 MB": ("labels.csv", lambda: chain([b"file,label\n0.png,"], many(b"a", 240 << 20))),
    "a header of 30 MB": ("labels.csv", lambda: many(b"a,", 15 << 20)),
    "a quote that never ends": ("labels.csv", lambda: chain([b'file,label\n0.png,"'], many(b"a\n", 15 << 20))),
    "blanks of 30 MB": ("labels.csv", lambda: many(b" ", 30 << 20)),
    "carriage returns of 30 MB": ("labels.csv", lambda: many(b"\r", 30 << 20)),
    "separators of 30 MB": ("labels.csv", lambda: many(b",;\t|\n", 6 << 20)),
    "240 MB of pairs": (
        "labels.json",
        lambda: chain([b'{"labels": ['], many(b'["0.png", 1],', 18 << 20), [b'["0.png", 1]]}']),
    ),
    "100 million numbers": (
        "labels.json",
        lambda: chain([b'{"labels": [["0.png", ['], many(b"1,", 100_000_000), [b"1]]]}"]),
    ),
    "a row of 40 million columns": ("labels.csv", lambda: chain([b"file,label\n0.png,1"], many(b",1", 40_000_000))),
    "30 MB of open lists": ("labels.json", lambda: many(b"[", 30 << 20)),
    "30 MB of open tables": ("labels.json", lambda: many(b'{"labels":', 3 << 20)),
    "30 MB of keys": ("labels.json", lambda: chain([b"{"], many(b'"0.png":1,', 3 << 20), [b'"0.png":1}'])),
    "30 MB of blanks": ("labels.json", lambda: chain([b'{"labels": ['], many(b" ", 30 << 20), [b"]}"])),
    "a text of 30 MB": ("labels.json", lambda: chain([b'{"labels": [["0.png", "'], many(b"a", 30 << 20), [b'"]]}'])),
    "nested containers": ("labels.json", lambda: many(b'{"labels":', 20_000)),
    "nested lists of files": ("labels.json", lambda: chain([b"{"], many(b'"data":{', 5000))),
    "30 MB of lines": ("labels.jsonl", lambda: many(b'{"file":"0.png","label":1}\n', 1_100_000)),
    "lines of wide tables": (
        "labels.jsonl",
        lambda: many(json.dumps({"file": "0.png", **{f"c{i}": 1 for i in range(4000)}}).encode() + b"\n", 600),
    ),
    "lines of new columns": (
        "labels.jsonl",
        lambda: (
            json.dumps({"file": "0.png", **{f"c{i}-{j}": 1 for j in range(1000)}}).encode() + b"\n" for i in range(1500)
        ),
    ),
    "vectors of 200,000": (
        "labels.jsonl",
        lambda: (json.dumps({"file": f"{i}.png", "value": [1] * 200_000}).encode() + b"\n" for i in range(N)),
    ),
    "lines of lists": ("labels.jsonl", lambda: many(b"[[[[[]]]]]\n", 1 << 20)),
}
TEXTS: dict[str, bytes] = {
    "nothing": b"",
    "a mark": b"\xef\xbb\xbf",
    "UTF-16": "file,label\n0.png,a\n".encode("utf-16"),
    "no UTF-8": b"file,label\n0.png,\xff\xfe\n",
    "zeros": bytes(1000),
    "one line": b"file,label",
    "one column": b"file\n0.png\n",
    "uneven": b"file,label\n0.png,a,b\n1.png\n",
    "quotes": b'"""""\n"',
    "no names": b",,,\n,,,\n",
    "the same names": b"file,a,a,a\n0.png,1,2,3\n",
    "a command": b"file,label\n=cmd|' /C calc'!A0,1\n",
    "files that are not there": b"file,label\nx.png,1\n",
    "a file twice": b"file,label\n0.png,a\n0.png,b\n",
    "names that lead out": b"file,label\n../0.png,a\n/etc/passwd,b\n",
    "escapes": f"file,{ESCAPES}\n0.png,{ESCAPES}\n".encode(),
    "a vertical tab": b"file,label\n0.png,a\x0bb\x0cc\x1cd\xc2\x85e\n",
    "numbers": b"0,1\n2,3\n",
    "splits": b"file,split\n0.png,train\n1.png,test\n2.png,sideways\n",
}


def tables() -> list[Bait]:
    """All of them, in a fixed order."""
    out = []
    for form in FORMS:
        for name, cell in CELLS.items():
            out.append(Bait(f"{name} in {form}", partial(_beside, form, _content(form, cell))))
        for name, text in NAMES.items():
            cell = json.dumps(text)
            out.append(Bait(f"a class called {name} in {form}", partial(_beside, form, _content(form, cell))))
    for name, content in TEXTS.items():
        for form in FORMS:
            out.append(Bait(f"{name} as {form}", partial(_beside, form, content)))
    for name, (form, _) in LARGE.items():
        out += [Bait(f"{name} in a {kept}", partial(_made, form, name, kept)) for kept in ("folder", "zip")]
    return out


def random_table(rng: random.Random) -> Bait:
    """A table put together from pieces of others."""
    form, pieces = (
        rng.choice(FORMS),
        [
            b"file",
            b"label",
            b"0.png",
            b"1.png",
            b"7",
            b"1e999",
            b'"',
            b"[",
            b"{",
            b"}",
            b"]",
            b":",
            b",",
            b"\n",
            b"null",
            b'"labels"',
        ],
    )
    parts = [rng.choice(pieces) * rng.choice((1, 1, 1, 1, 2, 3, 10_000)) for _ in range(rng.choice((3, 10, 100, 1000)))]
    good = _content(form, rng.choice(list(CELLS.values())))
    at = rng.randrange(len(good))
    content = good[:at] + b"".join(parts) + good[at:] if rng.random() < 0.7 else b"".join(parts)
    return Bait(f"random {form} {content[:200]!r}", partial(rng.choice((_beside, _within)), form, content))
