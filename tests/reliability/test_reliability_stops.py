"""Rows 19 to 21 and 23 of the fault table: what is not finite, what does not fit, what ends in one line."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults import Bench, Heard, differing, kept, wait

from gancli.core.errors import CheckpointError, DivergedError, GanError, ResourceError
from gancli.core.sinks import Sinks
from gancli.runs import checkpoint, folder, history
from gancli.training import loop as fitting


def newest(run: folder.Run) -> Path:
    return checkpoint.listed(run.checkpoints)[0]


# Rows 19 and 20


@pytest.mark.parametrize("net", ["G", "D"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stops_before_the_update(
    bench: Bench, run: folder.Run, net: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, states = fitting.step, []

    def poisoned(task: Any, state: Any, loader: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 25:
            states.append(state)
            p = next(state.nets[net].module.parameters())
            p.data.view(-1)[0] = value
            state.nets[net].refresh()
        return real(task, state, loader, cfg, *more)

    monkeypatch.setattr(fitting, "step", poisoned)
    with pytest.raises(DivergedError, match=r"step 25.*last checkpoint is kept") as error:
        bench.go(run, 30)
    assert error.value.code == 6
    assert newest(run).name == "000020"
    assert checkpoint.newest(run.checkpoints, print).step == 20


def test_nothing_that_is_not_finite_is_saved(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fitting.step

    def poisoned(task: Any, state: Any, loader: Any, cfg: Any, *more: Any) -> Any:
        logs = real(task, state, loader, cfg, *more)
        if state.step == 30:
            state.ema["G"].flat[0] = float("nan")
        return logs

    monkeypatch.setattr(fitting, "step", poisoned)
    with pytest.raises(DivergedError, match=r"ema: G.* is not finite; not saved|images contain NaN"):
        bench.go(run, 30)
    assert newest(run).name == "000020"


def test_rollback_goes_on_at_half_the_rate_and_a_resume_repeats_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fitting.step

    def fails_at_the_full_rate(task: Any, state: Any, loader: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 17 and state.nets["G"].rule.lr == cfg.optimizer.lr:
            raise DivergedError("the loss of G is nan at step 17; nothing was updated")
        return real(task, state, loader, cfg, *more)

    monkeypatch.setattr(fitting, "step", fails_at_the_full_rate)
    whole, parts, stopping = bench.new(), bench.new(), bench.new()
    heard = bench.go(whole, resumed=False, on_divergence="rollback")
    assert any("going back to step 10, at half the learning rate" in text for text in heard.said)
    assert history.read(whole.path)[-1]["step"] == 10
    bench.go(parts, 20, resumed=False, on_divergence="rollback")
    bench.go(parts, 30)
    assert not differing(kept(parts), kept(whole))
    with pytest.raises(DivergedError):
        bench.go(stopping, resumed=False)


def test_a_run_that_always_diverges_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise DivergedError("the loss of D is nan")

    monkeypatch.setattr(fitting, "step", fails)
    with pytest.raises(DivergedError, match="after going back 5 times"):
        bench.go(bench.new(), resumed=False, on_divergence="rollback")


def test_out_of_memory_says_what_would_fit(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.training import memory

    def greedy(_task: Any, _state: Any, _store: Any, cfg: Any, *_more: Any) -> Any:
        if (cfg.runtime.micro_batch or cfg.batch_size) > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")
        return {}

    monkeypatch.setattr(fitting, "step", greedy)
    monkeypatch.setattr(memory, "step", greedy)
    with pytest.raises(ResourceError, match=r"gan resume .* --set runtime.micro_batch=4"):
        bench.go(run, 30)


def test_out_of_memory_for_real(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """RLIMIT_AS a little above what the process has: a batch of a million does not fit."""
    greedy = Bench(bench.place / "greedy", 3, {"batch_size": 14_000, "task": {"model": {"g_widths": [4000]}}})
    run = greedy.new()

    def limited() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + (250 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    assert wait(greedy.child(run, before=limited, resumed=False)) == 5
    assert "out of memory with batches of 14000" in capfd.readouterr().err


# Rows 21 and 23


def test_a_bug_is_one_line_and_a_traceback_in_the_log(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise IndexError("nobody thought of this")

    monkeypatch.setattr(fitting, "step", broken)
    run = bench.new()
    with pytest.raises(IndexError) as error:
        bench.go(run, resumed=False)
    assert "Traceback" in run.log().read_text()
    assert str(run.log()) in error.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RuntimeError("operator torchvision::nms does not exist"), 5, "torch and torchvision do not fit together"),
        (MemoryError(), 5, "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "x.png"), 5, "x.png: No space left"),
        (BrokenPipeError(), 0, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_one_line_and_an_exit_code(
    gan: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    import gancli.cli

    def app(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(gancli.cli, "app", app)
    monkeypatch.setattr(gancli.cli, "hush", lambda: None)
    answer = gan("train")
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_closed_pipe_and_no_standard_streams(run: folder.Run) -> None:
    """`gan list | head -0`, and standard output and error that are closed."""
    gan = f"{sys.executable} -m gancli"
    piped = subprocess.run(
        ["bash", "-c", f"{gan} list --json | head -c 1; echo ${{PIPESTATUS[0]}}; {gan} list >&- 2>&-; echo $?"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert piped.stdout.split()[-2:] == ["{0", "0"], piped
    assert not piped.stderr


def test_a_terminal_that_goes_away_does_not_end_a_training() -> None:
    from gancli.cli.streams import Enduring

    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise BrokenPipeError

    stream = Enduring(Gone())
    assert stream.write("text") == 4
    stream.flush()
    assert not stream.isatty()


def test_what_is_said_is_heard() -> None:
    heard = Heard()
    Sinks([heard]).warn("x")
    Sinks([heard]).note("y")
    assert heard.said == ["warning: x", "y"]
    assert issubclass(CheckpointError, GanError)
