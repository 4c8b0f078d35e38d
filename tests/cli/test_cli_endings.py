"""How commands end: interrupted, on a full disk, with what is next."""

from __future__ import annotations

import atexit
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure

from gancli.core.data import Spec
from gancli.core.sinks import Progress
from gancli.core.specs import Images, Tokens
from gancli.report.console import Console
from gancli.runs import folder
from tests.conftest import TINY, Gan


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_where_there_is_nothing_to_save(
    gan: Gan, run: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    monkeypatch.setattr(folder, "find", lambda *_: signal.raise_signal(number))
    said = gan("sample", run)
    assert (said.code, said.err.strip()) == (code, "stopped: interrupted; saved checkpoints are intact")


def test_a_bar_gives_the_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Any] = []
    monkeypatch.setattr(atexit, "register", left.append)
    console = Console()
    console.live = True
    console.bar("sampling", 1, 10)
    assert left == [console.end]
    console.end()


def test_curves_that_cannot_be_drawn_end_no_run(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    said = gan("train", "--data", "digits", "--max-steps", "60", "--name", "full", *TINY)
    assert said.code == 0, said.err
    assert "curves could not be drawn: No space left" in said.err
    assert "curves.png" not in said.err


@pytest.mark.parametrize(("limit", "next_"), [("--max-steps", "--max-steps N"), ("--images", "--epochs N")])
def test_what_was_not_reached_can_be_gone_on_to(gan: Gan, tmp_path: Path, limit: str, next_: str) -> None:
    where = tmp_path / "runs_dir/short"
    said = gan("train", "--data", "digits", limit, "64", "--until", "fid<0.0001", "--name", "short", *TINY)
    assert f"fid<0.0001 was not reached  ->  gan resume {where} {next_}\n" in said.err
    more = gan(
        "resume", where, "--epochs" if limit == "--images" else limit, "66" if limit == "--max-steps" else "0.01"
    )
    assert more.code == 0, more.err
    assert f"done: {'--max-steps reached' if limit == '--max-steps' else 'all images seen'}" in more.err


def test_a_dry_run_checks_what_is_to_be_reached(gan: Gan) -> None:
    said = gan("train", "--data", "digits", "--until", "fid@inception<5", "--dry-run", *TINY)
    assert (said.code, "--until fid@inception<5" in said.err) == (2, True)


def test_the_version_is_asked_for_by_no_variable(gan: Gan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_VERSION", "0.1.0")
    assert gan("list", "loss").code == 0


def test_a_stopped_run_has_its_curves(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.report.reporter import Reporter

    def stop(_self: Reporter, progress: Progress, _logs: Any) -> None:
        if progress.step == 120:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Reporter, "step", stop)
    said = gan("train", "--data", "digits", "--max-steps", "500", "--name", "r", *TINY)
    assert said.code == 130, said.err
    assert (tmp_path / "runs_dir/r/curves.png").is_file()
    assert "curves   " in (tmp_path / "runs_dir/r/log.txt").read_text()


@pytest.mark.parametrize("spec", [Images(channels=1, height=8, width=8), Tokens(length=8, vocabulary=9)])
def test_what_is_left_is_said_and_what_it_will_bring(spec: Spec, capsys: pytest.CaptureFixture[str]) -> None:
    from gancli.report import reporter
    from gancli.report.console import Console

    many = SimpleNamespace(train=range(1000))
    plan: Any = SimpleNamespace(spec=spec, cfg=SimpleNamespace(task=SimpleNamespace(promises=())), split=many)
    told = reporter.Reporter(Console(), plan)
    told.begin(Progress(10, 1_000, 1_000, 100_000, 5.0))
    told._since -= 10  # ten seconds ago
    told.step(Progress(110, 11_000, 1_000, 100_000, 15.0), {})
    told.step(Progress(111, 11_100, 1_000, 100_000, 15.0), {})
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("at ")]
    assert lines == [f"at 1,000 {spec.unit}/s: 1,000 steps, in 1:29; expect colors and blurred shapes"]
