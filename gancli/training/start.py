"""The folder of a new run, and the configuration of a run that is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gancli.core import plugins
from gancli.core.config import Config, Layer, Stop, differences, merge, resolve
from gancli.core.errors import UsageError
from gancli.data import find
from gancli.distributed.ranks import job_id, restarted
from gancli.evaluation.results import parse_bound
from gancli.runs import folder, journal
from gancli.runs.files import disk, quoted
from gancli.training import transfer
from gancli.training.checkpointing import BY_A_RESUME, environment
from gancli.training.fitting import possible
from gancli.training.prepare import BY_LENGTH, Plan, Request
from gancli.training.validation import check

MOST = 1e15  # images


def start(request: Request, plan: Plan, runs: Path, name: str | None) -> folder.Run:
    """Create the folder of a new run and write its configuration.

    Raises:
        UsageError, ResourceError: before anything is trained.
    """
    check(plan)
    possible(plan.cfg, plan.spec)
    transfer.check(plan.cfg, plan.spec)
    run = folder.create(runs, f"{plan.data_name}-{plan.cfg.preset or plan.cfg.task.name}", name)
    _describe(request, plan, run)
    return run


def _describe(request: Request, plan: Plan, run: folder.Run) -> None:
    used = plugins.used_by(plan.cfg)
    known = {
        "ranks": plan.ranks.world,
        **({"plugins": used} if used else {}),
        **({"job": job_id()} if job_id() else {}),
    }
    with disk("the run", run.path):
        run.write_json("environment.json", {**environment(plan), **known})
        run.write_json("data.json", _data_facts(request, plan))
        run.write_json("config.json", plan.cfg.dump())


def begin(request: Request, plan: Plan, runs: Path, name: str | None) -> tuple[folder.Run, bool]:
    """A new run and False; or, where torchrun has restarted its processes, the existing run of that name and True."""

    def work() -> tuple[str, bool]:
        there = folder.Run(runs / name) if name else None
        known = (
            there.json("environment.json").get("job") if there and (there.path / "environment.json").is_file() else None
        )
        if there is None or not there.path.is_dir() or not restarted(known):
            return str(start(request, plan, runs, name).path), False
        if not (there.path / "config.json").is_file():
            _describe(request, plan, there)
        return str(there.path), True

    path, resumed = plan.ranks.on_first_rank(work)
    return folder.Run(Path(path)), resumed


def _data_facts(request: Request, plan: Plan) -> dict[str, Any]:
    return {
        "fingerprint": plan.fingerprint,
        "train": len(plan.split.train),
        "validation": len(plan.split.validation),
        "test": len(plan.split.test),
        "choices": plan.choices,
        "data_dir": str(request.data_dir.resolve()),
    }


def _fitted(run: folder.Run, stop: Stop, minutes: float) -> int:
    """The total number of training images, if the run goes on for so many minutes at its speed until now."""
    line = (journal.read(run.journal) or [{}])[-1]
    images, seconds = line.get("images", 0), line.get("seconds", 0)
    known = isinstance(seconds, int | float) and seconds > 1 and images
    rate = images / seconds if known else (stop.images or 0) / 60 / (stop.max_minutes or minutes)
    return int(images) + max(1, round(min(rate * 60 * minutes, MOST)))


def extend(run: folder.Run, layers: list[Layer], data: str | None = None) -> Config:
    """The configuration of a run with the changes that a resume may make.

    Args:
        run: its folder.
        layers: the changes.
        data: where its data is now; that it is the same is checked by the fingerprint. None: where it was.

    Raises:
        UsageError: something else would change.
        DataError: the data is not where it was.
    """
    old = run.config()
    changes = merge(layers)
    new = resolve(merge([old.dump(), changes])) if changes else old
    asked = changes.get("stop", {})
    if old.stop.fitted and asked.keys() & BY_LENGTH:
        new = new.replace(stop=new.stop.replace(fitted=False))
    elif old.stop.fitted and "max_minutes" in asked and new.stop.max_minutes:
        new = new.replace(stop=new.stop.replace(images=_fitted(run, old.stop, new.stop.max_minutes)))
    changed = differences(old, new)
    wrong = {k: v for k, v in changed.items() if not k.startswith(BY_A_RESUME) or k.endswith(".name")}
    if wrong:
        said = ", ".join(f"{k} ({was!r} -> {now!r})" for k, (was, now) in list(wrong.items())[:5])
        raise UsageError(
            f"a resumed run cannot change {said}",
            f"start a new one: gan train --config {quoted(run.path / 'config.json')}",
        )
    if new.stop.until:
        parse_bound(new.stop.until)
    source = find.elsewhere(new.data.source, data, f"gan resume {run.word}")
    return new.replace(data=new.data.replace(source=source))
