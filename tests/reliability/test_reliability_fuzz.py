"""Rows 16 to 18 of the fault table: what fuzzing found, a short fuzz of all that is read, and whether the fuzz sees faults."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz
import fuzz_changes
import fuzz_parts
import fuzz_pictures
import numpy as np
import pytest
from fuzz import Result, Trial
from fuzz_base import Files, Part
from fuzz_parts import Checkpoints

from gancli.core.errors import CheckpointError, DataError, GanError

PICTURE = fuzz_changes.pictures()["png"][0]
DIGITS, DEEP = b"9" * 5000, b"[" * 3000


def lay(here: Path, files: Files) -> Path:
    for name, content in files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes(content)
    return here


# What was found: each of these once ended in a traceback


CONFIGS: dict[str, tuple[bytes, bytes]] = {  # a file, and an item of --set
    "nested deeper than Python calls": (b"seed = " + DEEP, b""),
    "a number longer than Python reads": (b"seed = " + DIGITS, b""),
    "the same with --set": (b"", b"seed=" + DIGITS),
    "nested with --set": (b"", b"seed=" + DEEP),
    "data that is no table": (b"", b"data=digits"),
    "data that is a number": (b"", b"data.source=1e-3"),
    "a size of one number": (b"", b"data.image_size=[8]"),
    "a size of nothing": (b"", b"data.image_size=[0,8]"),
    "a name longer than a path": (b"", b"data.source=" + b"x" * 5000),
    "a home that nobody has": (b"", b"data.source=~nobody-of-that-name"),
    "the same in a table": (b"", b"data.source={name='folder',path='~nobody-of-that-name'}"),
    "more threads than can be": (b"", b"runtime.threads=1" + b"0" * 30),
    "a preset that is a table": (b"", b"preset={name='x'}"),
    "a latent vector beyond 64 bits": (b"", b"task.model.z=9223372036854775808"),
    "a latent vector that no net can have": (b"", b"task.model.z=9223372036854775807"),
    "epochs beyond a float": (b"", b"stop.epochs=1e308"),
    "a rate without an end": (b"", b"optimizer.lr=inf"),
    "more categories than can be drawn": (b"", b"task.condition={name='infogan',classes=2147483648}"),
    "widths that no net can have": (b"", b"task.model.g_widths=[16777217]"),
    "widths beyond 64 bits": (b"", b"task.model.g_widths=[1" + b"0" * 40 + b"]"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_odd_configurations(name: str, tmp_path: Path) -> None:
    text, item = CONFIGS[name]
    with pytest.raises(GanError):
        fuzz_parts.Configs(tmp_path).read(lay(tmp_path / "x", {"a.toml": text, "sets": item}))


def zipped(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return content.getvalue()


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def headed(head: bytes) -> Files:
    """An archive with an array of that header."""
    return {"a.npz": zipped({"images.npy": b"\x93NUMPY\x01\0" + len(head).to_bytes(2, "little") + head})}


def labelled(name: str, text: str) -> Files:
    return {"x/a.png": PICTURE, "x/b.png": PICTURE, f"x/{name}": text.encode()}


IMAGES = {"images.npy": npy(np.zeros((2, 8, 8), np.uint8))}
REFUSED: dict[str, Files] = {
    "a damaged labels file in a zip": {
        "a.zip": zipped({"a.png": PICTURE, "labels.csv": b"file,label\na.png,1\n"}).replace(b"labels", b"labelz", 1)
    },
    "a header that is no Python": headed(b"{'descr': '|u1'"),
    "a type with too long a number": headed(
        b"{'descr': '%su1', 'fortran_order': False, 'shape': (6, 8, 8), }" % DIGITS
    ),
    "more images than a float counts": headed(
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1%s, 8, 8), }\n" % (b"0" * 400)
    ),
    "letters that are none": {
        "a.npz": zipped({**IMAGES, "labels.npy": npy(np.array(["a", "b"])).replace(b"b\0\0\0", b"b\0\0\xff")})
    },
    "attributes beyond float64": labelled("labels.json", json.dumps({"a.png": [10**400], "b.png": [0]})),
}
READ: dict[str, Files] = {
    "attributes beyond float32": labelled(
        "labels.csv", "file,slant\na.png,1e300\nb.png,0\n"
    ),  # no attribute: said as a warning
    "a member without a name": {"a.zip": zipped({"": PICTURE, "a.png": PICTURE})},
    "two signs before a number": labelled("labels.csv", "file,label\na.png,--5\nb.png,1\n"),
    "a number of 5,000 digits as a class": labelled("labels.csv", f"file,label\na.png,{DIGITS.decode()}\nb.png,1\n"),
    "half a pair as a class": labelled("labels.json", '{"a.png": "\\ud800", "b.png": "x"}'),
}


@pytest.mark.parametrize("name", [*REFUSED, *READ])
def test_odd_archives_and_labels(name: str, tmp_path: Path) -> None:
    part, here = fuzz_pictures.Archives(tmp_path), lay(tmp_path / "x", {**REFUSED, **READ}[name])
    if name in READ:
        part.read(here)
    else:
        with pytest.raises(DataError):
            part.read(here)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    return Checkpoints(tmp_path_factory.mktemp("fuzz"))


Change = Callable[[Any], Any]
RUNS: dict[
    str, tuple[str, Change, bool]
] = {  # a file, what is done to its table or its lines, whether the run is refused
    "a divergence without a step": ("history.jsonl", lambda lines: lines[1].pop("step"), True),
    "a divergence at a step of text": ("history.jsonl", lambda lines: lines[1].update(step="x"), True),
    "a score of odd images": ("scores.jsonl", lambda lines: lines[0].update(images={}), False),
    "an epoch that is a list": ("metrics.jsonl", lambda lines: lines[0].update(epoch=[1]), False),
    "data in no folder": ("data.json", lambda table: table.update(data_dir=True), False),
    "more threads than can be": ("config.json", lambda table: table["runtime"].update(threads=10**30), True),
    "an optimizer that is a number": ("checkpoints/000020/state.json", lambda table: table.update(optimizer=3), True),
    "an optimizer without nets": ("checkpoints/000020/state.json", lambda table: table.update(optimizer={}), True),
    "steps in a list": ("checkpoints/000020/state.json", lambda table: table["optimizer"]["G"].update(step=[0]), True),
    "a net that is less than nothing": (
        "config.json",
        lambda table: table["task"]["model"].update(d_widths=[-1]),
        True,
    ),
    "steps beyond float32": (
        "checkpoints/000020/state.json",
        lambda table: table["optimizer"]["G"].update(step=1e308),
        True,
    ),
    "epochs without an end": ("config.json", lambda table: table["stop"].update(epochs=float("inf")), True),
    "half a pair as a quality": ("config.json", lambda table: table["stop"].update(until="\ud800<8"), True),
    "a window of tables": ("checkpoints/000020/state.json", lambda table: table.update(window={"x": [{}, 1]}), True),
    "a model of an endless step": ("model/config.json", lambda table: table["tick"].update(step=float("inf")), True),
    "seconds beyond a float": ("checkpoints/000020/timings.json", lambda table: table.update(seconds=10**400), True),
    "classes of text": ("checkpoints/000020/model.json", lambda table: table["spec"].update(classes="x"), True),
}


@pytest.mark.parametrize("name", RUNS)
def test_odd_runs(name: str, checkpoints: Checkpoints, tmp_path: Path) -> None:
    file, change, refused = RUNS[name]
    before = checkpoints.files[file]
    table = [json.loads(line) for line in before.splitlines()] if file.endswith("l") else json.loads(before)
    change(table)
    lines = table if file.endswith("l") else [table]
    out = {file: "".join(json.dumps(line) + "\n" for line in lines).encode()}
    assert checkpoints.template is not None
    here = shutil.copytree(checkpoints.template, tmp_path / "run")
    lay(here, out | (checkpoints.sealed(out) if file.startswith("checkpoints") else {}))
    if refused:
        with pytest.raises(GanError):
            checkpoints.read(here)
    else:
        checkpoints.read(here)


# A short fuzz; the long one is tests/soak/fuzz.py


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("checkpoint", 40),
        ("config", 100),
        ("images", 200),
        ("archives", 200),
        ("tables", 200),
        ("arrays", 200),
    ],
)
def test_what_is_changed_is_read_or_refused(name: str, inputs: int, checkpoints: Checkpoints, tmp_path: Path) -> None:
    part = checkpoints if name == "checkpoint" else fuzz_parts.PARTS[name](tmp_path)
    result = Result()
    fuzz.fuzz(part, fuzz.endless(name, part), tmp_path / name, result, 1e6, most=inputs)
    assert not result.found, [why.read_text() for why in (tmp_path / "found").glob("*/why.txt")]
    assert result.inputs == inputs
    assert result.read
    assert result.refused


def test_the_same_number_is_the_same_input() -> None:
    part = fuzz_pictures.Images(Path())
    first: list[Files] = []
    with pytest.raises(StopIteration):
        fuzz.endless("images", part)(7, _taker(first, 3))
    again: list[Files] = []
    with pytest.raises(StopIteration):
        fuzz.endless("images", part)(8, _taker(again, 2))
    assert first[1:] == again


def _taker(out: list[Files], most: int) -> Trial:
    def take(files: Files) -> None:
        out.append(files)
        if len(out) == most:
            raise StopIteration

    return take


# Does it see faults


class Faulty(Part):
    """A reader that does what its input says."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.plain = {"deed": b"read"}

    def make(self, rng: fuzz_changes.Rng) -> Files:
        raise AssertionError("its inputs are given")

    def read(self, here: Path) -> None:
        deed = (here / "deed").read_text()
        if deed == "refuse":
            raise CheckpointError("refused")
        if deed == "fail":
            raise ZeroDivisionError
        if deed == "hang":
            time.sleep(60)
        if deed == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == "grow":
            assert b"x" * (400 << 20)


DEEDS = ("read", "refuse", "fail", "hang", "die", "grow", "read")


def test_faults_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "LIMIT", 2.0)
    result = Result()

    def give(number: int, trial: Trial) -> None:
        for deed in DEEDS[number:]:
            trial({"deed": deed.encode()})

    for most in (2, len(DEEDS)):  # broken off, and gone on with
        fuzz.fuzz(Faulty(tmp_path), give, tmp_path / "faulty", result, 1e6, most=most)
    assert result.found.keys() == {
        "ZeroDivisionError in test_reliability_fuzz.py:read",
        "hang",
        "exit -9",
        "more than 300 MB",
    }
    assert (result.read, result.refused, result.crashes, result.hangs, result.memory) == (2, 1, 2, 1, 1)
    assert 350 < result.grown < 600
    kept = {(f / "input" / "deed").read_text(): (f / "why.txt").read_text() for f in (tmp_path / "found").iterdir()}
    assert kept.keys() == {"fail", "hang", "die", "grow"}
    assert "Traceback" in kept["fail"]
    assert "sleep" in kept["hang"] or "in read" in kept["hang"]
    assert "| faulty | 7 |" in fuzz.table({"faulty": result})


def test_a_corpus_is_read_file_by_file(tmp_path: Path) -> None:
    files = {"a.png": PICTURE, "b/a.png": PICTURE[:50], "c.txt": b"no picture"}
    result = fuzz.corpus(lay(tmp_path / "corpus", files), tmp_path / "place")
    assert (result.inputs, result.read, result.refused) == (3, 1, 2)
    assert not result.found
