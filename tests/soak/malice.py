"""The attacks of `attacks.py` on a run folder: what is put in the place of its files, and what they are made to say."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gancli.runs import checkpoint

POINT = "checkpoints/000020"
FILES = (
    "config.json", "environment.json", "data.json", "history.jsonl", "status.json", "metrics.jsonl", "scores.jsonl",
    "monitor.jsonl", "log.txt", "curves.png", "evaluation.json", "evaluation.png", ".lock", "model/config.json",
    "model/model.safetensors", "model/README.md", "samples/000010.png", "samples/000030.png", f"{POINT}/manifest.json",
    f"{POINT}/nets.safetensors", f"{POINT}/state.json", f"{POINT}/timings.json", f"{POINT}/model.json",
    ".config.json.tmp", ".status.json.tmp", "model/.README.md.tmp",
)  # fmt: skip
FOLDERS = (
    "checkpoints", "samples", "model", POINT, "checkpoints/000001", "checkpoints/000030", "checkpoints/.tmp-000030",
    "checkpoints/.old-000030",
)  # fmt: skip
JSONS = tuple(name for name in FILES if name.endswith((".json", ".jsonl")))
ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp\r\nexec rm -rf ~ # "
VALUES: dict[str, str] = {
    "infinite": "Infinity", "nan": "NaN", "1e400": "1e400", "huge": "9" * 400, "digits": "9" * 5000, "negative": "-1",
    "surrogate": '"\\ud800"', "null": "null", "text": '"eight"', "list": "[]", "table": "{}", "true": "true",
    "null byte": '"a\\u0000b"',
    "deep": "[" * 900 + "]" * 900, "deeper": '{"a":' * 30_000 + "1" + "}" * 30_000, "escapes": json.dumps(ESCAPES),
}  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """What is changed in a run, given its folder and one that is not to be touched."""

    name: str
    apply: Callable[[Path, Path], None]


def _replace(kind: str, name: str, run: Path, victim: Path) -> None:
    """Put something in the place of a file or folder."""
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "hole":
        with path.open("wb") as file:
            file.truncate(10 << 30)
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        (path / "inner").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "hard link":
        path.hardlink_to(victim / "secret.txt")
    else:
        path.symlink_to({
            "link": victim / "secret.txt", "link to a folder": victim / "photos", "dangling link": victim / "new",
            "link to a device": Path("/dev/zero"), "link to itself": path, "link to shell": victim / "bashrc",
        }[kind])  # fmt: skip


def _values(name: str, content: str, run: Path, victim: Path) -> None:
    """Give each value of a JSON file, in turn, another one; the first two levels."""
    path = run / name
    lines = small(path).decode().splitlines() if name.endswith("l") else [small(path).decode()]
    table = json.loads(lines[-1])
    rng = random.Random(f"{name} {content[:40]}")
    at = table
    while isinstance(at, dict) and at:
        key = rng.choice(list(at))
        if not isinstance(at[key], dict) or rng.random() < 0.4:
            at[key] = "@@"
            break
        at = at[key]
    lines[-1] = json.dumps(table).replace('"@@"', content)
    path.write_text("\n".join(lines) + "\n")
    _seal(run)


def small(path: Path) -> bytes:
    """The content of a file. Raises ValueError if another attack has made it large, a pipe or a device."""
    if not path.is_file() or path.stat().st_size > 1 << 27:
        raise ValueError(f"{path} is changed by another attack")
    return path.read_bytes()


def _whole(name: str, content: str, run: Path, victim: Path) -> None:
    (run / name).write_text(content + "\n")
    _seal(run)


def _seal(run: Path) -> None:
    """The manifest that fits the files of the newest checkpoint, where it is one: what lies behind the sums is to be reached."""
    try:
        manifest = json.loads(small(run / POINT / "manifest.json"))
    except (ValueError, RecursionError):
        return
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return
    for name in manifest["files"]:
        content = small(run / POINT / name)
        manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.pop("sha256", None)
    with contextlib.suppress(UnicodeEncodeError):  # half a pair, of which no sum can be made
        (run / POINT / "manifest.json").write_bytes(checkpoint._sealed(manifest))


def _large(run: Path, victim: Path) -> None:
    """Nets of 400 million parameters, in every file that says what they are."""
    for name in ("config.json", "model/config.json", f"{POINT}/model.json", f"{POINT}/manifest.json"):
        text = small(run / name).decode().replace('"g_widths": [\n', '"g_widths": [\n20000, 20000,\n')
        (run / name).write_text(text)
    with contextlib.suppress(ValueError, KeyError):
        manifest = json.loads(small(run / POINT / "manifest.json"))
        manifest["config"] = json.loads(small(run / "config.json"))
        (run / POINT / "manifest.json").write_text(json.dumps(manifest))
        _seal(run)


def _lines(name: str, line: Callable[[int], dict[str, Any]], count: int, run: Path, victim: Path) -> None:
    (run / name).write_text("".join(json.dumps(line(i)) + "\n" for i in range(count)))


def _preview(side: int, run: Path, victim: Path) -> None:
    """PNGs whose headers promise so many pixels on a side."""
    head = b"IHDR" + side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + head + zlib.crc32(head).to_bytes(4, "big")
    for step in ("000001", "000002", "9" * 15, "9" * 200):
        (run / "samples" / f"{step}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + bytes(12))


def _options(run: Path, victim: Path) -> None:
    config = json.loads(small(run / "config.json"))
    (run / "config.json").write_text(json.dumps({**config, **{f"k{i}": 1 for i in range(60_000)}}))


def _extra(name: str, run: Path, victim: Path) -> None:
    """A file of this name in the newest checkpoint, and shell in the log."""
    (run / POINT / name).write_text("x")


def _pruned(run: Path, victim: Path) -> None:
    """Folders with numbers for names, which a trainer might take for old checkpoints."""
    for step in ("000001", "000002", "000003"):
        (run / "checkpoints" / step).symlink_to(victim / "photos" / "000001")
    (run / "checkpoints/000004").mkdir()
    (run / "checkpoints/000004/notes.txt").write_text("mine")


def _wide(i: int) -> dict[str, Any]:
    return {"step": i, "images": 16 * i, **{f"k{j}/G": 1.0 for j in range(4000)}}


def attacks() -> list[Attack]:
    """All of them, in a fixed order."""
    kinds = (
        "link",
        "link to a folder",
        "dangling link",
        "link to a device",
        "pipe",
        "hard link",
        "folder",
        "hole",
        "empty",
    )
    out = [Attack(f"{kind} as {name}", partial(_replace, kind, name)) for name in FILES for kind in kinds]
    out.append(Attack("link to shell as log.txt", partial(_replace, "link to shell", "log.txt")))
    inner = ("link to a folder", "dangling link", "link to itself", "pipe", "empty")
    out += [Attack(f"{kind} as {name}", partial(_replace, kind, name)) for name in FOLDERS for kind in inner]
    out += [Attack(f"{what} in {n}", partial(_values, n, text)) for n in JSONS for what, text in VALUES.items()]
    out += [Attack(f"{what} is {n}", partial(_whole, n, text)) for n in JSONS for what, text in VALUES.items()]
    keys: dict[str, Callable[[int], dict[str, Any]]] = {
        "wide": _wide, "dollars": lambda i: {"step": i, "images": i, "loss/$\\frac{": 1.0, "a$b$": i},
        "escapes": lambda i: {"step": i, "images": i, f"loss/{ESCAPES}": 1.0, ESCAPES: 2, "until": ESCAPES},
        "lists": lambda i: {"step": i, "images": i, "warned": [1], "over": {"a": 1}, "best": "yes", "fid@x": "low"},
        "texts": lambda i: {"step": str(i), "images": "many", "warned": "all", "loss/D": "low"},
    }  # fmt: skip
    for name in ("metrics.jsonl", "scores.jsonl", "monitor.jsonl"):
        out += [Attack(f"{what} lines in {name}", partial(_lines, name, line, 20)) for what, line in keys.items()]
        out.append(Attack(f"many lines in {name}", partial(_lines, name, lambda i: {"step": i}, 300_000)))
    out += [Attack(f"{size} pixels in a preview", partial(_preview, size)) for size in (30_000, 9_000, 0)]
    out.append(Attack("many options in config.json", _options))
    out.append(
        Attack("many changes", partial(_lines, "history.jsonl", lambda i: {"step": i, "changes": {"seed": i}}, 90_000))
    )
    out.append(Attack("nets of 400 million parameters", _large))
    out.append(Attack("a command as the name of a file", partial(_extra, "x\n$(touch owned)\n\x1b[31m")))
    out.append(Attack("folders that look like old checkpoints", _pruned))
    return out
