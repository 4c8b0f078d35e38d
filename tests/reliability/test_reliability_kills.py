"""Rows 1 to 4, 11 and 12 of the fault table: kills, signals, locks, and that a resume is exact."""

from __future__ import annotations

import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from faults import Bench, Points, count_points, differing, fork, kept, wait

from gancli.core.errors import InUseError, StoppedError
from gancli.runs import checkpoint
from gancli.runs.lock import holder, locked

GAN = [sys.executable, "-m", "gancli"]
TINY = ["--set", "task.model.g_widths=[8]", "--set", "task.model.d_widths=[8]", "--batch-size", "16", "--threads", "1"]


def test_training_twice_is_the_same(bench: Bench, undisturbed: dict[str, bytes]) -> None:
    run = bench.new()
    bench.go(run)
    assert not differing(kept(run), undisturbed)


def test_kill_at_random_times(bench: Bench, undisturbed: dict[str, bytes]) -> None:
    rng = random.Random(1)
    for trial in range(8):
        run = bench.new()
        number = bench.child(run, resumed=False)
        time.sleep(rng.uniform(0.0, 0.35))
        os.kill(number, signal.SIGKILL)
        wait(number)
        bench.go(run, resumed=True)
        assert not differing(kept(run), undisturbed), trial
        bench.forget(run)


def test_kill_at_every_point_of_a_save(bench: Bench, undisturbed: dict[str, bytes]) -> None:
    """Every third open, write, fsync, rename, mkdir and unlink of the steps 11 to 20, with their grid, save and pruning.

    All of them: tests/soak/torture.py.
    """
    base = bench.new()
    bench.go(base, 10)
    everything = count_points(bench, bench.copy(base), 20)
    assert everything > 60
    for at in range(2, everything + 1, 3):
        run = bench.copy(base)
        assert wait(bench.child(run, 20, Points(at, run.path).install)) == -signal.SIGKILL
        bench.go(run)
        assert not differing(kept(run), undisturbed), at
        bench.forget(run)


def test_kill_while_a_checkpoint_is_replaced_by_one_of_the_same_step(bench: Bench) -> None:
    base = bench.new()
    bench.go(base, 10)
    path = checkpoint.listed(base.checkpoints)[0]
    files = {n: (path / n).read_bytes() for n in checkpoint.verify(path).manifest["files"]}

    def again(run: Path, at: int) -> None:
        points = Points(at, run)
        points.install()
        checkpoint.commit(run / "checkpoints", 10, {n: partial(list, [content]) for n, content in files.items()}, {})
        checkpoint.prune(run / "checkpoints", 2)

    at, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        at += 1
        run = bench.copy(base)
        code = wait(fork(lambda run=run, at=at: again(run.path, at)))  # type: ignore[misc]
        assert checkpoint.newest(run.checkpoints, lambda _: None).step == 10, at
        checkpoint.prune(run.checkpoints, 2)
        assert len(list(run.checkpoints.iterdir())) == 1
        bench.forget(run)
    assert at > 30


def test_sigterm_saves_and_goes_on_to_the_same_bits(bench: Bench, undisturbed: dict[str, bytes]) -> None:
    rng = random.Random(2)
    for trial in range(5):
        run = bench.new()
        reading, writing = os.pipe()
        number = fork(lambda run=run, w=writing: (_after_lock(run.path, w), bench.go(run, resumed=False)))  # type: ignore[misc]
        os.read(reading, 1)
        time.sleep(rng.uniform(0.02, 0.3))
        os.kill(number, signal.SIGTERM)
        since = time.monotonic()
        code = wait(number)
        assert code in (143, 0, -signal.SIGTERM), trial
        assert time.monotonic() - since < 5
        bench.go(run, resumed=True)
        assert not differing(kept(run), undisturbed), trial
        os.close(reading)
        os.close(writing)
        bench.forget(run)


def _after_lock(_path: Path, writing: int) -> None:
    os.write(writing, b"x")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_before_the_first_step(bench: Bench, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caught between setup and loop: one step, a save, and out."""
    run, real = bench.new(), type(bench.plan).state

    def state(plan: object) -> object:
        os.kill(os.getpid(), number)
        return real(bench.plan)

    monkeypatch.setattr(type(bench.plan), "state", state)
    with pytest.raises(StoppedError) as stopped:
        bench.go(run, resumed=False)
    assert stopped.value.exit_code == 128 + number
    assert checkpoint.newest(run.checkpoints, lambda _: None).step == 1


def test_ignored_signals_stay_ignored(bench: Bench) -> None:
    """nohup."""
    run = bench.new()

    def hung_up() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGHUP)

    assert wait(bench.child(run, before=hung_up, resumed=False)) == 0


def test_only_one_trains(bench: Bench) -> None:
    """10 races of four; after kill -9 of the one that won the lock is free."""
    run = bench.new()
    for _ in range(10):
        reading, writing = os.pipe()
        gate_in, gate_out = os.pipe()

        def race(gate: int = gate_in, out: int = writing) -> None:
            os.read(gate, 1)
            try:
                with locked(run.path):
                    os.write(out, b"%d\n" % os.getpid())
                    time.sleep(30)
            except InUseError:
                os.write(out, b"no\n")
                raise

        racers = [fork(race) for _ in range(4)]
        os.write(gate_out, b"gogo")
        said = b""
        while said.count(b"\n") < 4:
            said += os.read(reading, 100)
        winner = [int(w) for w in said.split() if w != b"no"]
        assert len(winner) == 1
        assert holder(run.path) == str(winner[0])
        codes = []
        for racer in racers:
            if racer == winner[0]:
                os.kill(racer, signal.SIGKILL)
            codes.append(wait(racer))
        assert sorted(codes) == [-signal.SIGKILL, 7, 7, 7]
        assert holder(run.path) == ""
        with locked(run.path):
            pass
        for handle in (reading, writing, gate_in, gate_out):
            os.close(handle)


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_through_a_terminal(tmp_path: Path, presses: int) -> None:
    """Once: saved, 130. Twice: out at once, and what was saved before is whole."""
    runs = tmp_path / "runs"
    words = ["train", "--data", "digits", "--name", "r", "--runs-dir", str(runs), "--set", "intervals.save=320", *TINY]
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [*GAN, *words], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=tmp_path,
        preexec_fn=lambda: _own_terminal(slave),  # noqa: PLW1509
    )  # fmt: skip
    os.close(slave)
    said = b""
    pressed = 0
    while child.poll() is None:
        if select.select([master], [], [], 0.05)[0]:
            try:
                said += os.read(master, 10_000)
            except OSError:
                break
        if pressed < presses and checkpoint.listed(runs / "r" / "checkpoints"):
            os.write(master, b"\x03" * (presses - pressed))
            pressed = presses
    assert child.wait(20) == 130, said.decode()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert "Traceback" not in text
    assert "stopped" in text
    assert checkpoint.newest(runs / "r" / "checkpoints", lambda _: None).step > 0
    os.close(master)


def _own_terminal(slave: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
