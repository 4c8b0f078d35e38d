"""`gan data` in plain words, and what the console prints of values and of slow work."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console as Rich

from gancli.core.sinks import Progress
from gancli.report import console as speaking
from gancli.report.bar import training_bar
from gancli.report.console import Console
from tests.conftest import Gan


def pictures(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    """Grey pictures of (height, width)."""
    folder.mkdir(parents=True)
    for i, (height, width) in enumerate(sizes):
        Image.fromarray(np.full((height, width), 9 * i, np.uint8)).save(folder / f"{i}.png")
    return folder


def test_words_instead_of_python(gan: Gan, tmp_path: Path) -> None:
    root = tmp_path / "pics"
    pictures(root / "cat", [(16, 16)] * 10)
    pictures(root / "dog", [(16, 16)] * 12)
    (root / "readme.txt").write_text("x")
    lines = gan("data", root).out.splitlines()
    assert f"source      folder {root}" in lines
    assert "shape       16x16, grayscale" in lines
    assert "classes     0 cat 10, 1 dog 12" in lines
    assert "attributes  none" in lines
    assert lines[lines.index("notes") + 1 :] == [
        "  files that are no pictures: 1",
        "  held out as the validation set: 1 of 20",
    ]
    assert not set("{}[]") & set("".join(lines))
    assert "classes     0 178, 1 182" in gan("data", "digits").out


def test_attributes_are_ranges(gan: Gan, tmp_path: Path) -> None:
    root = pictures(tmp_path / "bars", [(8, 8)] * 20)
    rows = [f"{i}.png,{i - 1.5},0" for i in range(20)]
    (root / "labels.csv").write_text("\n".join(["file,slant,width", *rows]) + "\n")
    line = next(line for line in gan("data", root).out.splitlines() if line.startswith("attributes"))
    assert line.startswith("attributes  slant ")
    assert " to " in line
    assert line.endswith(", width 0 to 0")


def test_unsuitable_pictures_are_warned_of(gan: Gan, tmp_path: Path) -> None:
    root = pictures(tmp_path / "odd", [(70, 80)] * 14 + [(20, 24)] * 9 + [(70, 300)] * 4)
    said = gan("data", root)
    assert "warning: 9 of 27 pictures are much smaller than 64x64 and are enlarged" in said.err
    assert "warning: 4 of 27 pictures are over three times as long as wide: only their middle is seen" in said.err
    assert len(gan("data", root, "--json").json()["warnings"]) == 2
    alike = pictures(tmp_path / "wide", [(10, 40)] * 20)
    assert "warning" not in gan("data", alike).err


def test_results_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    long = ["a rather long line of words that says something", "and another one that says something more"]
    Console().result({"rate": 1.5, "spread": [1, 2.5], "names": ["a", "b"], "parts": {"x": 1, "yy": 2}, "notes": long})
    assert capsys.readouterr().out.splitlines() == [
        "rate    1.5",
        "spread  1 to 2.5",
        "names   a, b",
        "parts",
        "  x   1",
        "  yy  2",
        "notes",
        f"  {long[0]}",
        f"  {long[1]}",
    ]


def test_slow_work_says_how_far_it_is_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(speaking.time, "monotonic", lambda: now[0])
    console = Console()
    for done in range(0, 10_000, 500):
        console.bar("sampling", done, 10_000)
        now[0] += 8
    assert capsys.readouterr().err.splitlines() == [f"sampling {n:,} of 10,000" for n in (2_000, 4_000, 6_000, 8_000)]
    quick = Console()
    quick.bar("sampling", 10_000, 10_000)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("width", [80, 100])
def test_lines_are_wrapped_at_words_on_a_terminal_alone(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "warning: " + ", ".join(f"stop.epochs {i} -> {i + 1}" for i in range(20))
    monkeypatch.setenv("COLUMNS", str(width))
    for terminal in (False, True):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        console = Console()
        console.err = Rich(file=sys.stderr, force_terminal=terminal, width=width, color_system=None)
        console.note(text)
        lines = sys.stderr.getvalue().splitlines()  # type: ignore[attr-defined]
        assert (len(lines) > 1) == terminal
        assert " ".join(line.strip() for line in lines) == text


@pytest.mark.parametrize("nets", [["D", "G"], ["D_A", "D_B", "G"], ["D_A", "D_B", "G_AB", "G_BA", "E"]])
@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_training_bar_fits_a_line(width: int, nets: list[str]) -> None:
    losses = tuple(f"loss/{net}" for net in nets)
    progress = Progress(step=0, images=0, epoch=100, total=1000, seconds=0.0, losses=losses)
    bar, task = training_bar(Rich(file=io.StringIO(), width=width, force_terminal=False), progress, "images")
    known = {"epoch": 123.4, "step": 123_456, "rate": 123_456.0, "left": "12:34:56"}
    bar.update(task, completed=500, **known, **dict.fromkeys(losses, -12.345))
    bar.stop()
    lines = Rich(file=io.StringIO(), width=width).render_lines(bar.get_renderable())
    assert len(lines) == 1
    text = "".join(segment.text for segment in lines[0])
    assert "123.4" in text
    assert text.rstrip().endswith("left 12:34:56"), "nothing is cut off"
    assert ("_loss -12.345" in text) == (width >= 80)
    assert ("d_loss -12.345 g_loss -12.345" in text) == (width >= 80 and nets == ["D", "G"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--channels", "2"), "channels: input should be 1, 3 or 4"),
        (("--image-size", "9999"), "less than or equal to 4096"),
    ],
)
def test_no_other_shapes_than_a_run_can_have(gan: Gan, words: tuple[str, str], says: str) -> None:
    said = gan("data", "digits", *words)
    assert said.code == 2
    assert says in said.err


def test_a_preview_in_no_folder_and_on_a_full_disk(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = gan("data", "digits", "--preview", tmp_path / "no" / "x.png")
    assert said.code == 5
    assert said.err.endswith(f"  ->  mkdir -p {tmp_path / 'no'}\n")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gancli.core.descriptors.write_all", full)
    assert gan("data", "digits", "--preview", tmp_path / "x.png").err.endswith("  ->  free some disk\n")


def test_a_bench_is_of_the_images_asked_for(gan: Gan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gancli.training.benchmark.measure", lambda plan, _steps: {"shape": plan.split.train.images.shape[1:]}
    )
    asked = ["--set", "data.image_size=[16,16]", "--set", "data.channels=3"]
    assert gan("bench", "--data", "digits", "--json", *asked).json()["shape"] == [3, 16, 16]
