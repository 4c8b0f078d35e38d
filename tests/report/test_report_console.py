"""The run's log: what was said before it was open, and how a session ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gancli.report.console import Console
from gancli.report.reporter import Reporter
from gancli.runs.folder import Run
from tests.conftest import TINY, Gan


def test_the_log_begins_with_what_was_said_before_it_was_open(tmp_path: Path) -> None:
    console = Console(quiet=True)
    console.note("chose something")
    console.warn("of something")
    console.open(Run(tmp_path))
    console.note("later")
    assert (tmp_path / "log.txt").read_text().splitlines() == [
        "chose something", "warning: of something", f"run {tmp_path}", "later",
    ]  # fmt: skip


def test_a_log_that_cannot_be_written_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.txt").mkdir()
    console = Console()
    console.open(Run(tmp_path))
    console.note("later")
    assert capsys.readouterr().err.count("the run's log cannot be written") == 1


def test_the_log_of_a_run_tells_what_was_chosen(run: Path) -> None:
    log = (run / "log.txt").read_text().splitlines()
    assert any(line.startswith("chose preset textbook, for ") for line in log)
    assert any(line.startswith("data digits: images 1x8x8, 10 classes; 1,438 training, ") for line in log)
    assert any(line.startswith("preset textbook, with ") and "stop.max_steps 20" in line for line in log)
    assert log.index(f"run {run}") > 3
    assert "done: --max-steps reached" in log


def test_the_log_tells_of_a_stop(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reporter, "step", lambda *_: signal.raise_signal(signal.SIGTERM))
    said = gan("train", "--data", "digits", "--max-steps", "50", "--name", "r", *TINY)
    assert said.code == 143
    assert said.err.count("stopped at step 1; saved") == 1, "the terminal is told once"
    assert (tmp_path / "runs_dir/r/log.txt").read_text().endswith("stopped: SIGTERM\n")


def test_the_log_tells_of_a_divergence(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--data", "digits", "--set", "optimizer.lr=1e30", "--max-steps", "50", "--name", "r", *TINY)
    assert said.code == 6, said.err
    last = (tmp_path / "runs_dir/r/log.txt").read_text().splitlines()[-1]
    assert last.startswith("diverged: ")


ESCAPES = "\x1b]0;owned\x07\x1b[31mred\nexec rm -rf ~"


def test_nothing_that_is_printed_acts_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.open(Run(tmp_path))
    console.note(f"skipped checkpoint {ESCAPES}")
    console.warn(ESCAPES)
    console.say(ESCAPES)
    console.sheet(["\x1b[1mrun", "score"], [[ESCAPES, "1"]])
    console.result({ESCAPES: ESCAPES, "list": [ESCAPES], "table": {ESCAPES: {ESCAPES: 1}}})
    out, err = capsys.readouterr()
    log = (tmp_path / "log.txt").read_text()
    for text in (out, err, log):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert r"\x1b[31mred\nexec" in text
        assert not [line for line in text.splitlines() if line.startswith("exec")]
