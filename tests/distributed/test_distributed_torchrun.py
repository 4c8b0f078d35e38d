"""The real `torchrun`: a killed rank, a restart; two hosts in two network namespaces, one of them cut off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .hosts import Hosts, torchrun, train_words, why_not

pytestmark = pytest.mark.filterwarnings("default")


def steps(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def wait_for(run: Path, checkpoints: int, limit: float = 90.0) -> None:
    end = time.monotonic() + limit
    while len([p for p in run.glob("checkpoints/*") if p.name.isdigit()]) < checkpoints:
        assert time.monotonic() < end, "no checkpoint came"
        time.sleep(0.05)


def test_a_killed_rank_is_started_again(tmp_path: Path) -> None:
    """kill -9 of the first rank: torchrun starts both again, they go on from the checkpoint, nothing is lost."""
    run = tmp_path / "runs_dir" / "two"
    words = torchrun("--standalone", "--nproc-per-node=2", "--max-restarts=1")
    with subprocess.Popen([*words, *train_words("two", 150)], stderr=subprocess.PIPE, text=True) as job:
        wait_for(run, 1)
        os.kill(int((run / ".lock").read_text()), signal.SIGKILL)
        said = job.communicate(timeout=100)[1]
    assert job.returncode == 0, said
    assert steps(run) == list(range(1, 151))
    assert "resumed from step" in (run / "log.txt").read_text()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Hosts() as made:
        yield made


def test_a_host_that_is_cut_off(hosts: Hosts, tmp_path: Path) -> None:
    """The link goes down in the middle of a run: both hosts leave within 30 s; when it is back, the run is resumed."""
    run = tmp_path / "runs_dir" / "hosts"
    first = hosts.start(train_words("hosts", 100_000), attempt=0)
    wait_for(run, 1)
    hosts.cut()
    began = time.monotonic()
    codes = [job.wait(timeout=60) for job in first]
    assert all(codes)
    assert time.monotonic() - began < 30
    hosts.mend()
    last = max(int(p.name) for p in run.glob("checkpoints/*") if p.name.isdigit())
    again = hosts.start(["resume", str(run), "--max-steps", str(last + 25)], attempt=1)
    assert [job.wait(timeout=90) for job in again] == [0, 0]
    assert steps(run) == list(range(1, last + 26))


def test_torch_distributed_is_not_loaded_for_one_rank() -> None:
    code = (
        "import sys, gancli.training.session, gancli.cli.train, gancli.distributed.ranks as r; assert r.here().world == 1;"
        "assert 'gancli.distributed.group' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
