"""A sweep: one run for each combination of values and seed, trained and evaluated one after the other.

Everything is in one folder, so that a sweep continues where it was stopped:

    sweep.json        values, seeds, settings of all runs; never changed
    settings/*.json   the configuration of each run, for `gan train --config`
    runs/*/           the runs
    logs/*.txt        what their processes said
    results.json, results.csv, sweep.png   the scores; written after each run

A run is trained by a `gan` process of its own. One that was stopped is resumed, one that failed is reported and left, and the
next is begun.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gancli.core.config import Layer, merge, nest, read_preset, resolve
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder, write_atomic
from gancli.evaluation.results import Evaluation, plain
from gancli.report import groups
from gancli.report.groups import Group
from gancli.report.text import short
from gancli.runs import journal, lock, status
from gancli.runs.files import MAX_JSON, as_json, disk
from gancli.runs.folder import Run

MOST = 10_000  # runs
Note = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    name: str
    settings: Mapping[str, Any]  # what is varied: key -> value
    seed: int


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes:
        path: its folder.
        vary: key of the configuration -> values.
        seeds: one run for each, of each combination.
        base: what all runs have in common, as a layer of the configuration.
        train: more arguments of `gan train`.
        evaluate: arguments of `gan evaluate`.
    """

    path: Path
    vary: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    base: Layer
    train: Sequence[str] = ()
    evaluate: Sequence[str] = ()

    @cached_property
    def jobs(self) -> list[Job]:
        """All runs: all seeds of the first combination, then of the next."""
        keys, out, taken = list(self.vary), list[Job](), set[str]()
        for values in itertools.product(*self.vary.values()):
            stem = "-".join(
                re.sub(r"[^A-Za-z0-9.]+", "-", short(value).replace("+", "")).strip("-.") or "x" for value in values
            )[:60]
            stem = (stem or "run") if stem not in taken else f"{stem}-{len(taken)}"
            taken.add(stem)
            settings = dict(zip(keys, values, strict=True))
            out += [Job(f"{stem}-s{seed}", settings, seed) for seed in self.seeds]
        return out

    def layer(self, job: Job) -> Layer:
        """The configuration of a run."""
        return merge([self.base, *(nest(key, value) for key, value in job.settings.items()), {"seed": job.seed}])

    def check(self) -> None:
        """Resolve every combination whose preset is known. Raises UsageError for the first key or value that is not valid."""
        if not self.seeds or any(not values for values in self.vary.values()):
            raise UsageError("a sweep needs a seed and a value of each key")
        if len(self.jobs) > MOST:
            raise UsageError(f"{len(self.jobs):,} runs are more than {MOST:,}", "vary fewer values")
        for job in self.jobs[:: len(self.seeds)]:
            layer = self.layer(job)
            if preset := layer.get("preset"):
                resolve({"data": {"source": "digits"}}, read_preset(str(preset)), layer)

    def facts(self) -> dict[str, Any]:
        """What `sweep.json` contains."""
        parts = {"vary": dict(self.vary), "seeds": list(self.seeds), "base": self.base}
        return {"format": 1, **parts, "train": list(self.train), "evaluate": list(self.evaluate)}


def begin(sweep: Sweep) -> None:
    """Make the folder of a sweep, or check that it is this sweep's.

    Raises:
        UsageError: a setting is not valid, or the folder is another's.
        ResourceError: the disk refuses.
    """
    sweep.check()
    wanted = json.loads(json.dumps(sweep.facts()))
    if sweep.path.exists():
        found = read(sweep.path)
        if found.facts() != wanted:
            raise UsageError(f"{sweep.path} is another sweep", "name another, or continue it with its name alone")
        return
    with disk("the sweep", sweep.path, then=""):
        for name in ("settings", "runs", "logs"):
            (sweep.path / name).mkdir(parents=True)
        for job in sweep.jobs:
            write_atomic(sweep.path / "settings" / f"{job.name}.json", as_json(sweep.layer(job)))
        write_atomic(sweep.path / "sweep.json", as_json(wanted))


def read(path: Path) -> Sweep:
    """The sweep in a folder. Raises UsageError if there is none."""
    try:
        table = json.loads(Folder(path).read("sweep.json", MAX_JSON))
        if table["format"] != 1:
            raise KeyError("format")
        return Sweep(path, *(table[key] for key in ("vary", "seeds", "base", "train", "evaluate")))
    except (CheckpointError, OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is no sweep", "gan sweep makes one; see gan sweep --help") from None


def run(
    sweep: Sweep, note: Note, then: Callable[[dict[str, Any]], None] = lambda _record: None
) -> list[dict[str, Any]]:
    """Train and evaluate what is missing.

    Args:
        sweep: after `begin`.
        note: called with a line for each run.
        then: called with the record of each run that has ended.

    Returns:
        A record for each run: run, seed, the settings, state, and its scores.

    Raises:
        InUseError: another process works on this sweep.
        UsageError: the first run was refused: so would be all others.
    """
    with lock.locked(sweep.path):
        for i, job in enumerate(sweep.jobs):
            before = evaluation(sweep, job) is not None
            said = "" if before else _carry_out(sweep, job, lambda what, i=i, job=job: note(_line(sweep, i, job, what)))  # type: ignore[misc]
            record = record_of(sweep, job, said)
            if record["state"] == "failed" and not any((sweep.path / "runs").iterdir()):
                raise UsageError(f"the first run was refused: {said}")
            note(_line(sweep, i, job, f"failed: {said}" if said else _scores(sweep, job)))
            write_results(sweep)
            then(record)
        return [record_of(sweep, job) for job in sweep.jobs]


def _line(sweep: Sweep, i: int, job: Job, text: str) -> str:
    return f"{i + 1}/{len(sweep.jobs)} {job.name}: {text}"


def _scores(sweep: Sweep, job: Job) -> str:
    found = evaluation(sweep, job)
    assert found is not None
    return ", ".join(f"{name.partition('@')[0]} {short(score.value)}" for name, score in list(found.scores.items())[:3])


def _carry_out(sweep: Sweep, job: Job, note: Note) -> str:
    """Train, or resume, and evaluate a run. Returns why it failed, or ""."""
    place = sweep.path / "runs" / job.name
    among = ("--runs-dir", str(sweep.path / "runs"), "--quiet")
    state = status.read(Run(place)).get("state") if place.is_dir() else None
    if state != "finished":
        note("resumed" if state else "training")
        settings = ("--config", str(sweep.path / "settings" / f"{job.name}.json"), "--name", job.name)
        words = ("resume", job.name) if state else ("train", *settings, *sweep.train)
        if said := _process((*words, *among), sweep, job):
            return said
    return _process(("evaluate", job.name, *sweep.evaluate, *among), sweep, job)


def _process(words: Sequence[str], sweep: Sweep, job: Job) -> str:
    """Run `gan`; returns the last line of its errors if it fails. If this process is stopped, it stops first, after a checkpoint."""
    log = sweep.path / "logs" / f"{job.name}.txt"
    unset = {
        key: value for key, value in os.environ.items() if not re.match(r"GAN_(TRAIN|RESUME|EVALUATE|SWEEP)_", key)
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gancli", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, env=unset,
        )  # fmt: skip
        try:
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    if code == 0:
        return ""
    lines = log.read_text(errors="replace").strip().splitlines()
    return (lines[-1] if lines else f"exit code {code}").removeprefix("error: ")


def evaluation(sweep: Sweep, job: Job) -> Evaluation | None:
    """The evaluation of a run; None if there is none."""
    try:
        return Evaluation.from_json(Folder(sweep.path / "runs" / job.name).read("evaluation.json", MAX_JSON))
    except (CheckpointError, OSError):
        return None


def record_of(sweep: Sweep, job: Job, failed: str = "") -> dict[str, Any]:
    """A run as one flat row, for `pandas.DataFrame`."""
    found = evaluation(sweep, job)
    place = sweep.path / "runs" / job.name
    state = "evaluated" if found else "failed" if failed else _state(place)
    scores = {} if found is None else {name: score.value for name, score in found.scores.items()}
    return {"run": job.name, "seed": job.seed, **job.settings, "state": state, **scores}


def _state(place: Path) -> str:
    return str(status.read(Run(place)).get("state", "missing")) if place.is_dir() else "missing"


def done(sweep: Sweep) -> tuple[dict[str, Evaluation], list[Group]]:
    """The evaluations by run, and the runs that differ in their seeds alone."""
    found = {job.name: result for job in sweep.jobs if (result := evaluation(sweep, job)) is not None}
    together: dict[str, list[Job]] = {}
    for job in sweep.jobs:
        if job.name in found:
            together.setdefault(json.dumps(job.settings), []).append(job)
    return found, [Group(_texts(jobs[0].settings), tuple(job.name for job in jobs)) for jobs in together.values()]


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    return {key: short(value) for key, value in settings.items()}


def write_results(sweep: Sweep) -> None:
    """Write results.json, results.csv and sweep.png. Raises ResourceError if the disk refuses."""
    found, together = done(sweep)
    if not found:
        return
    means = {score: {k: asdict(m) for k, m in of.items()} for score, of in groups.table(found, together).items()}
    rows = [record_of(sweep, job) for job in sweep.jobs]
    with disk("the results", sweep.path, then=""):
        write_atomic(sweep.path / "results.json", as_json(plain({"runs": rows, "means": means})))
        write_atomic(sweep.path / "results.csv", groups.as_csv(found, together).encode())
        journals = {name: journal.read(Run(sweep.path / "runs" / name).journal) for name in found}
        groups.plot(found, together, journals, sweep.path / "sweep.png")


def failures(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The names of the runs without an evaluation."""
    return (str(row["run"]) for row in rows if row["state"] != "evaluated")


def sweep(
    path: str | Path,
    vary: Mapping[str, Sequence[Any]],
    seeds: int | Sequence[int] = 3,
    *,
    settings: Layer | None = None,
    evaluate: Sequence[str] = (),
    train: Sequence[str] = (),
    note: Note = print,
    then: Callable[[dict[str, Any]], None] = lambda _record: None,
) -> list[dict[str, Any]]:
    """Train and evaluate one run for each combination of values and seed.

    Args:
        path: folder of the sweep. If it exists, what is missing is done.
        vary: key of the configuration -> values, such as {"task.loss": ["hinge", "rpgan"]}.
        seeds: how many seeds, or the seeds.
        settings: what all runs have in common, by key, such as {"preset": "dcgan", "data.source": "digits", "stop.epochs": 5}.
        evaluate: arguments of `gan evaluate`, such as ["--n", "1000"].
        train: more arguments of `gan train`, such as ["--data-dir", "..."].
        note: called with a line for each run.
        then: called with the record of each run that has ended.

    Returns:
        A record for each run, for `pandas.DataFrame`: run, seed, the settings, state ("evaluated" or why not), and its scores.

    Raises:
        UsageError: a key or value is not valid, or the folder is another sweep's.
    """
    base = merge(nest(key, value) for key, value in (settings or {}).items())
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    made = Sweep(
        Path(path), {key: list(values) for key, values in vary.items()}, chosen, base, list(train), list(evaluate)
    )
    begin(made)
    return run(made, note, then)
