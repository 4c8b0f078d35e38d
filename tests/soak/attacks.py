"""Run folders of strangers: `python tests/soak/attacks.py [--minutes 60] [--place DIR]`, and the attacks that the tests make.

An attack changes a copy of a small run: a link, pipe, device, hard link or file of holes in the place of each of its files and folders,
JSON of other types, depths and numbers, escape sequences in everything that is printed. Then `gan` resumes, samples, evaluates, compares,
lists and checks the run. It must end each command within 5 s of processor time and 300 MB of memory more than for the unchanged run, with
an exit code of its own, without a traceback and without a control character in what it prints or logs, and nothing outside of the run may
have changed: no file, no byte, no permission. Without a time all attacks are made once; with one, random combinations follow.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from faults import Bench, fork, wait

from gancli.runs import checkpoint

SECONDS = 5.0  # of processor time for a command
WALL = 300.0  # seconds, on a machine that does other things, too
GROWN = 300.0  # MB above what the command needs for the unchanged run
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
    lines = path.read_text().splitlines() if name.endswith("l") else [path.read_text()]
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


def _whole(name: str, content: str, run: Path, victim: Path) -> None:
    (run / name).write_text(content + "\n")
    _seal(run)


def _seal(run: Path) -> None:
    """The manifest that fits the files of the newest checkpoint, where it is one: what lies behind the sums is to be reached."""
    try:
        manifest = json.loads((run / POINT / "manifest.json").read_text())
    except (ValueError, RecursionError):
        return
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return
    for name in manifest["files"]:
        content = (run / POINT / name).read_bytes()
        manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.pop("sha256", None)
    (run / POINT / "manifest.json").write_bytes(checkpoint._sealed(manifest))


def _large(run: Path, victim: Path) -> None:
    """Nets of 400 million parameters, in every file that says what they are."""
    for name in ("config.json", "model/config.json", f"{POINT}/model.json", f"{POINT}/manifest.json"):
        text = (run / name).read_text().replace('"g_widths": [\n', '"g_widths": [\n20000, 20000,\n')
        (run / name).write_text(text)
    with contextlib.suppress(ValueError, KeyError):
        manifest = json.loads((run / POINT / "manifest.json").read_text())
        manifest["config"] = json.loads((run / "config.json").read_text())
        (run / POINT / "manifest.json").write_text(json.dumps(manifest))
        _seal(run)


def _lines(name: str, line: Callable[[int], dict[str, Any]], count: int, run: Path, victim: Path) -> None:
    (run / name).write_text("".join(json.dumps(line(i)) + "\n" for i in range(count)))


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
    out.append(Attack("nets of 400 million parameters", _large))
    out.append(Attack("a command as the name of a file", partial(_extra, "x\n$(touch owned)\n\x1b[31m")))
    out.append(Attack("folders that look like old checkpoints", _pruned))
    return out


def _tree(place: Path) -> dict[str, Any]:
    """Every file below a folder with its content, permissions and number of names."""
    out: dict[str, Any] = {}
    for path in sorted(place.rglob("*")):
        found = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        out[str(path.relative_to(place))] = (found.st_mode, hashlib.sha256(content).hexdigest())
    return out


class Arena:
    """A small run, a folder of somebody else, and the commands that are tried."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        for name in ("CACHE", "DATA", "RUNS"):
            os.environ[f"GAN_{name}_DIR"] = str(place / name.lower())
        os.environ |= {"COLUMNS": "200", "GAN_TRAIN_DOWNLOAD": "0"}
        self.bench = Bench(place / "bench", 20)
        run = self.bench.new()
        self.bench.go(run)
        self.template, self.run, self.victim = run.path, place / "runs" / "evil", place / "victim"
        self.other = place / "runs" / "good"
        shutil.copytree(run.path, self.other)
        self.most: dict[str, float] = {}
        assert self.command("evaluate", self.template)[0] == 0
        (self.template / "history.jsonl").write_text('{"step": 10, "changes": {"intervals": {"log": 3}}}\n')
        scores = [{"step": s, "images": 16 * s, "fid@x": 9.5, "best": True} for s in (10, 20)]
        (self.template / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in scores))
        shutil.copy(self.template / "evaluation.json", self.other)
        for verb in self.verbs():
            self.lay()
            assert self.command(verb, self.run)[0] in (0, 2), verb

    def verbs(self) -> tuple[str, ...]:
        return "list", "doctor", "compare", "sample", "evaluate", "resume"

    def _words(self, verb: str, run: Path) -> list[str]:
        return {
            "list": ["list", "runs", "--runs-dir", str(run.parent)],
            "doctor": ["doctor", str(run)],
            "compare": ["compare", str(run), str(self.other)],
            "sample": ["sample", str(run), "--n", "2", "--out", str(self.place / "out.npz")],
            "evaluate": ["evaluate", str(run), "--n", "16", "--metrics", "fid", "--features", "random-conv"],
            "resume": ["resume", str(run), "--max-steps", "30", "--threads", "1", "--quiet"],
        }[verb]

    def lay(self, *made: Attack) -> None:
        """A fresh copy of the run, changed, and of the folder that is not to be touched."""
        for place in (self.run, self.victim):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.template, self.run)
        (self.victim / "photos" / "000001").mkdir(parents=True)
        (self.victim / "photos" / "000001" / "manifest.json").write_text("{}")
        (self.victim / "photos" / "000001" / "nets.safetensors").write_text("holiday")
        (self.victim / "bashrc").write_text("# shell\n")
        (self.victim / "secret.txt").write_text("private\n")
        (self.victim / "secret.txt").chmod(0o600)
        for attack in made:
            attack.apply(self.run, self.victim)

    def command(self, verb: str, run: Path) -> tuple[int, str, float, float]:
        """Exit code (or minus a signal), everything printed, processor seconds, MB at the peak."""
        said = self.place / "said.txt"

        def work() -> None:
            handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, 1), os.dup2(handle, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            sys.argv = ["gan", *self._words(verb, run)]
            Path("/proc/self/clear_refs").write_text("5")
            from gancli.cli import main

            code: Any = 1
            try:
                main()
            except SystemExit as error:
                code = error.code or 0
            finally:
                sys.stdout.flush(), sys.stderr.flush()
                peak = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("VmHWM"))
                used = resource.getrusage(resource.RUSAGE_SELF)
                facts = {"seconds": used.ru_utime + used.ru_stime, "peak": int(peak.split()[1]) / 1024}
                (self.place / "facts.json").write_text(json.dumps(facts))
                os._exit(code)

        (self.place / "facts.json").unlink(missing_ok=True)
        try:
            code = wait(fork(work), WALL)
        except TimeoutError:
            return -signal.SIGKILL, "it hung", WALL, 0.0
        facts = json.loads((self.place / "facts.json").read_text())
        self.most.setdefault(verb, facts["peak"])
        return code, said.read_bytes().decode(errors="replace"), facts["seconds"], facts["peak"]

    def trial(self, *made: Attack, verbs: Sequence[str] = ()) -> Iterator[str]:
        """What goes wrong when the commands, all or those of `verbs`, meet a run that was changed so."""
        for verb in verbs or self.verbs():
            self.lay(*made)
            before = {place: _tree(place) for place in (self.victim, self.other)}
            code, text, seconds, peak = self.command(verb, self.run)
            if code in (1, -signal.SIGKILL) or "Traceback" in text:
                yield f"{verb}: exit code {code}: {text[-300:]}"
            if seconds > SECONDS:
                yield f"{verb}: {seconds:.1f} s"
            if peak > self.most[verb] + GROWN:
                yield f"{verb}: {peak:.0f} MB, where {self.most[verb]:.0f} MB are usual"
            if any(_acts(c) for c in text + self._logged()):
                yield f"{verb}: control characters are printed"
            yield from (f"{verb}: {place.name} changed" for place, tree in before.items() if _tree(place) != tree)

    def _logged(self) -> str:
        log = self.run / "log.txt"
        lines = (
            log.read_text(errors="replace")
            if log.is_file() and not log.is_symlink() and log.stat().st_size < 1 << 20
            else ""
        )
        return "" if "private" in lines else lines


def _acts(c: str) -> bool:
    return c != "\n" and not c.isprintable() and c != "\0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()) / "attacks")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    asked = parser.parse_args()
    until, arena, found = time.monotonic() + 60 * asked.minutes, Arena(asked.place), 0
    every = [attack for attack in attacks() if asked.only in attack.name]
    rng, number = random.Random(time.time()), 0
    while number < len(every) or time.monotonic() < until:
        made = [every[number]] if number < len(every) else rng.sample(every, min(len(every), rng.choice((2, 3))))
        number += 1
        try:
            wrong = list(arena.trial(*made))
        except (OSError, ValueError, KeyError) as error:  # two attacks that do not go together
            wrong = [] if len(made) > 1 else [f"the attack itself fails: {error!r}"]
        found += bool(wrong)
        for text in wrong:
            print(f"{' and '.join(a.name for a in made)}: {text}", flush=True)
        if number % 50 == 0:
            print(f"{number} run folders, {found} finds", flush=True)
    print(f"{number} run folders, {found} finds, {len(arena.verbs())} commands each")


if __name__ == "__main__":
    main()
