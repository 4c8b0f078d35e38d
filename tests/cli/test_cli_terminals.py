"""Every verb in narrow terminals, with few characters, without a home: results are whole, and no verb needs what training does not."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from gancli.report.output import Output
from gancli.report.text import encodable
from tests.conftest import TINY, Gan, Said

ENCODINGS = ("utf-8", "latin-1", "ascii")
COLUMNS = (60, 80, 200)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """`gan` with standard streams of an encoding, strict as those of a locale are."""
    from gancli.cli import main

    def call(encoding: str, *words: str | Path) -> Said:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        monkeypatch.setattr(sys, "argv", ["gan", *map(str, words)])
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as exit_:
            main()
        texts = []
        for stream in streams:
            stream.flush()
            texts.append(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]
        monkeypatch.undo()
        return Said(int(exit_.value.code or 0), *texts)

    return call


def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    """No home: none at all, or one that nobody can write (a file, since tests may run as root)."""
    monkeypatch.delenv("GAN_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "home").write_text("")
    if kind == "none":
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("nobody")))
    elif kind == "unwritable":
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
    else:
        monkeypatch.setenv("GAN_CACHE_DIR", str(tmp_path / "cache_dir"))


PLACES = (
    "none",
    "unwritable",
    "pipe",
    "color",
)  # no home, one that cannot be written; output to a pipe, or with NO_COLOR
COMBINATIONS = list(product(range(3), range(3), range(4)))
SLOW: dict[str, tuple[int, list[list[str]]]] = {  # verb -> exit code, and words
    "apply": (2, [["apply", "small", "s.png"]]),
    "augment": (2, [["augment", "small", "--out", "more"]]),
    "bench": (0, [["bench", "--data", "digits", "--steps", "1", *TINY]]),
    "compare": (0, [["compare", "small", "small"]]),
    "evaluate": (0, [["evaluate", "small", "--n", "40", "--metrics", "fid,prc,memorization"]]),
    "export": (0, [["export", "small", "--to", "hub", "--out", "hub"]]),
    "film": (0, [["film", "small", "--out", "f.gif"]]),
    "project": (0, [["project", "small", "s.png", "--steps", "1"]]),
    "resume": (0, [["resume", "small"]]),
    "sweep": (0, [["sweep", "swept", "--data", "digits", "--seeds", "1", "--max-steps", "1", "--n", "40", "--metrics", "fid", *TINY]]),
    "sample": (0, [["sample", "small", "--n", "4", "--out", "four.png"]]),
    "train": (0, [["train", "--data", "digits", "--max-steps", "1", *TINY]]),
}  # fmt: skip
QUICK: dict[str, tuple[int, list[list[str]]]] = {
    "cache": (0, [["cache"]]),
    "data": (0, [["data", "pictures"]]),
    "doctor": (0, [["doctor", "small"]]),
    "init": (0, [["init", "own.toml", "--preset", "dcgan"]]),
    "list": (0, [["list"], ["list", "runs"], ["list", "loss", "hinge"], ["list", "intervals"]]),
}
SERVERS = {"studio"}  # that do not end
UNCUT = ("data", "train", "bench", "cache")  # lines with paths and values, which are never cut


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an evaluated run and some pictures."""
    place = tmp_path_factory.mktemp("terminals")
    from gancli.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_CACHE_DIR", str(place / "cache"))
        patch.chdir(place)
        for words in (
            [
                "train",
                "--data",
                "digits",
                "--name",
                "small",
                "--max-steps",
                "2",
                "--set",
                "intervals.sample=32",
                "-q",
                *TINY,
            ],
            ["evaluate", "small", "--n", "40", "--metrics", "fid,prc", "-q", "--json"],
        ):
            patch.setattr(sys, "argv", ["gan", *words])
            with pytest.raises(SystemExit) as exit_:
                main()
            assert not exit_.value.code
    for i, name in enumerate(("naïve", "猫")):
        (place / "pictures" / name).mkdir(parents=True)
        for k in range(8):
            Image.new("L", (8, 8), 30 * k + i).save(place / "pictures" / name / f"{k}.png")
    Image.new("L", (8, 8)).save(place / "s.png")
    return place


def test_every_verb_is_tested() -> None:
    import typer

    from gancli.cli import app

    assert {*SLOW, *QUICK} == set(typer.main.get_command(app).commands) - SERVERS  # type: ignore[attr-defined]


def enter(
    made: Path, tmp_path: Path, patch: pytest.MonkeyPatch, combination: tuple[int, int, int]
) -> tuple[int, str, str]:
    """A copy of the folder, and the terminal of a combination: columns, encoding, place."""
    place = tmp_path / "here"
    if not place.exists():
        shutil.copytree(made, place)
    columns, encoding, where = (of[i] for of, i in zip((COLUMNS, ENCODINGS, PLACES), combination, strict=True))
    patch.chdir(place)
    patch.setenv("COLUMNS", str(columns))
    patch.setenv("GAN_RUNS_DIR", str(place / "runs"))
    patch.setenv("GAN_DATA_DIR", str(tmp_path / "nowhere"))
    patch.setenv("GAN_TRAIN_DOWNLOAD", "0")
    if where == "color":
        patch.setenv("FORCE_COLOR", "1")
        patch.setenv("NO_COLOR", "1")
    homeless(patch, tmp_path, where)
    return columns, encoding, where


def check(said: Said, words: list[str], code: int, columns: int, where: str) -> None:
    """A result that is whole: no traceback, nothing cut, no color where none is wanted."""
    assert said.code == code, (words, said.err)
    assert "Traceback" not in said.err
    assert "…" not in said.out
    assert where != "color" or not re.search(r"\x1b\[[\d;]*3\dm", said.out + said.err), words
    plainly = re.sub(r"\x1b\[[\d;]*m", "", said.out)
    tables = [line for line in plainly.splitlines() if "  " in line.strip()]
    assert words[0] in UNCUT or max(map(len, tables), default=0) <= columns, (words, said.out)


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_quick_verbs_on_every_terminal(
    plain: Callable[..., Said], made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, combination: tuple[int, int, int]
) -> None:  # fmt: skip
    for code, calls in QUICK.values():
        for words in calls:
            columns, encoding, where = enter(made, tmp_path, monkeypatch, combination)
            check(plain(encoding, *words), words, code, columns, where)


@pytest.mark.parametrize("place", range(4), ids=PLACES)
@pytest.mark.parametrize("verb", SLOW)
def test_every_verb_works_where_training_does(
    plain: Callable[..., Said], made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, place: int
) -> None:
    """Four terminals for each verb, in which it meets every width, every encoding and every place."""
    column = (place + list(SLOW).index(verb)) % 3
    code, calls = SLOW[verb]
    for words in calls:
        columns, encoding, where = enter(made, tmp_path, monkeypatch, (column, -(column + place) % 3, place))
        check(plain(encoding, *words), words, code, columns, where)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_evaluation_is_whole_on_any_terminal(
    plain: Callable[..., Said], run: Path, monkeypatch: pytest.MonkeyPatch, columns: int, encoding: str
) -> None:
    from gancli.evaluation.results import Evaluation
    from gancli.report.scores import number

    monkeypatch.setenv("COLUMNS", str(columns))
    said = plain(encoding, "evaluate", run, "--n", "60", "--metrics", "fid,kid,prc,modes")
    assert said.code == 0, said.err
    found = Evaluation.from_json((run / "evaluation.json").read_bytes())
    words = set(said.out.split())
    for name, score in found.scores.items():
        assert {name, number(score.value), encodable(number(score.error), encoding)} <= words
    assert ("what it says" in said.out) == (columns == 200)


def test_results_are_written_before_anything_is_shown(gan: Gan, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gancli.report.evaluation.picture", lambda *_: (_ for _ in ()).throw(RuntimeError("no font")))
    monkeypatch.setattr("gancli.report.scores.show", lambda *_: (_ for _ in ()).throw(RuntimeError("no terminal")))
    assert gan("evaluate", run, "--n", "40", "--metrics", "fid").code == 1
    assert (run / "evaluation.json").is_file()


def test_signs_have_plain_forms() -> None:
    assert encodable("1 ± 2 ↓ – ü 中", "ascii") == "1 +- 2 v - \\xfc \\u4e2d"
    assert encodable("1 ± 2 ↓ ü", "latin-1") == "1 ± 2 v ü"
    assert encodable("1 ± 2 ↓", None) == "1 ± 2 ↓"


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_nothing_in_a_table_is_cut(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    heads = ["name", "a", "b", "c", "prose"]
    rows = [
        [f"quite-a-long-name-{i}", f"{i}.2345678", "9.87654321", "1e-12", "some words that say it"] for i in range(2)
    ]
    Output().sheet(heads, rows, right=(1, 2, 3), leave_out=(4, 3))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    words = set(out.split())
    assert {"quite-a-long-name-0", "quite-a-long-name-1", "0.2345678", "9.87654321"} <= words
    assert ("some" in words) == (columns != 60)


def test_a_process_without_home_evaluates(run: Path, tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GAN_", "XDG_", "LC_", "LANG", "PYTHONIO"))}
    env |= {"HOME": "/proc/nothing", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "60"}
    words = [sys.executable, "-m", "gancli", "evaluate", str(run), "--n", "40", "--metrics", "fid", "--threads", "1"]
    done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert b"fid@digits-v1" in done.stdout
    assert b"matplotlib" not in done.stderr.lower()
    assert (run / "evaluation.png").is_file()


def test_one_form_of_naming_a_run(gan: Gan, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert gan("sample", "--run", run, "--n", "1", "--out", "a.png").code == 0
    assert gan("sample", run, "--n", "1", "--out", "a.png").code == 0
    for words in (["project", run, "a.png"], ["project", "a.png", "--run", run], ["project", "a.png", "a.png"]):
        said = gan(*words, "--steps", "1")
        assert said.code == 0, said.err
    assert gan("doctor", run, "--run", run).code == 0
    said = gan("doctor", "small", "--run", "other")
    assert (said.code, "name one of them" in said.err) == (2, True)
    said = gan("project", "small")
    assert (said.code, "no image is named" in said.err) == (2, True)
