"""Training as a whole: a run folder, its lock, its checkpoints and its journal around the engine's loop."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch

from gancli import model
from gancli.config import Config, Layer, differences, merge, resolve
from gancli.contracts import Logs
from gancli.engine import snapshot
from gancli.engine.fit import fit
from gancli.engine.state import State
from gancli.errors import DataError, DivergedError, StoppedError, UsageError
from gancli.evaluate import QUICK, Fakes, Judge, metric_of, parse_bound, quick
from gancli.images import grid, png, to_uint8
from gancli.plan import Plan, Request, again, cache_dir, make
from gancli.run import checkpoint, folder, tensors
from gancli.run.files import as_json, disk, replace
from gancli.run.journal import Journal, read, rewind
from gancli.run.lock import locked
from gancli.run.signals import Signals

GRID = 64  # images in a sample grid
MAY_CHANGE = ("stop.", "machine.", "rhythm.")  # what a resumed run may change


class Voice(Protocol):
    """What a sitting says, and to whom: a console, a log, nobody."""

    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def begin(self, cfg: Config, state: State, epoch: int) -> None: ...
    def progress(self, state: State, logs: Logs) -> None: ...
    def epoch(self, state: State, line: dict[str, Any]) -> None: ...
    def end(self) -> None: ...


class Sitting:
    """The loop's `Watch`: keeps the run folder up to date."""

    def __init__(self, run: folder.Run, plan: Plan, voice: Voice, signals: Signals) -> None:
        self.run, self.plan, self.voice, self.signals = run, plan, voice, signals
        self.journal = Journal(run.journal, voice.warn)
        self.scores = Journal(run.scores, voice.warn)
        self.last: dict[str, Any] = {}
        self.warned = False

    def stepped(self, state: State, logs: Logs) -> bool:
        self.voice.progress(state, logs)
        return self.signals.caught != 0

    def line(self, values: dict[str, float]) -> None:
        self.last = values
        self.journal.write(values)

    def epoch(self, state: State) -> None:
        self.voice.epoch(state, {**self.last, **state.meter.read()})

    def sample(self, state: State) -> None:
        """A grid from fixed seeds. A disk that refuses it does not stop the training."""
        made = model.of_state(self.plan.cfg.task, state)
        labels = made.row_labels(GRID)
        images = to_uint8(made.sample(GRID, seed=0, labels=labels))
        recipe = {"run": self.run.name, "step": state.step, "seeds": f"0-{GRID - 1}", "average": bool(state.averages)}
        try:
            self.run.samples.mkdir(exist_ok=True)
            (self.run.samples / f"{state.step:06d}.png").write_bytes(png(grid(images, 8), recipe))
        except OSError as error:
            if not self.warned:
                self.voice.warn(f"cannot write {self.run.samples}: {error.strerror}; training goes on")
            self.warned = True

    def evaluate(self, state: State) -> bool:
        """Score the moment's average; true once `until` has held as often in a row as asked. The best is kept."""
        cfg = self.plan.cfg
        bound = parse_bound(cfg.stop.until) if cfg.stop.until else None
        metrics = sorted({*QUICK, *([metric_of(bound.metric)] if bound else [])})
        result = quick(self.judge, self._fakes(state), metrics)
        scores = {k: s.value for k, s in result.scores.items()}
        met = bound is not None and bound.met(result)
        self.scores.write({"step": state.step, "images": state.images, **scores, **({"met": met} if bound else {})})
        self.voice.note("  ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        last = [line.get("met", False) for line in read(self.run.scores)[-cfg.stop.patience :]]
        return met and len(last) >= cfg.stop.patience and all(last)

    @cached_property
    def judge(self) -> Judge:
        plan = self.plan
        return Judge(
            plan.split,
            plan.cfg.data.source.features,
            n=plan.cfg.rhythm.evaluate_n,
            cache_dir=plan.reading.cache_dir,
            note=self.voice.note,
        )

    def _fakes(self, state: State) -> Fakes:
        n = self.plan.cfg.rhythm.evaluate_n
        made = model.of_state(self.plan.cfg.task, state)
        labels = made.labels_like(self.plan.split.train.labels, n)
        images = to_uint8(made.sample(n, labels=labels))
        return Fakes(images, None, {"run": self.run.name, "step": state.step})

    def save(self, state: State) -> None:
        commit(self.run, self.plan, state)


def commit(run: folder.Run, plan: Plan, state: State) -> None:
    """Write a checkpoint and the model folder, then prune. Raises DivergedError and ResourceError; older ones stay."""
    groups = snapshot.tensors(state)
    snapshot.check_finite(groups)
    made = model.of_state(plan.cfg.task, state, facts=facts(plan))
    files = {f"{name}.safetensors": tensors.encode(group) for name, group in groups.items() if group}
    files["state.json"] = as_json(snapshot.numbers(state))
    files["model.json"] = as_json(model.describe(made))
    files["timings.json"] = as_json({"seconds": round(state.seconds, 3)})
    record = {"config": plan.cfg.dump(), "data": plan.fingerprint, "versions": versions()}
    checkpoint.commit(run.checkpoints, state.step, files, record)
    checkpoint.prune(run.checkpoints, plan.cfg.rhythm.keep)
    with disk("the model", run.model):
        run.model.mkdir(exist_ok=True)
        nets = {f"{n}.{k}": v for n in plan.cfg.task.averaged for k, v in made.nets[n].state_dict().items()}
        replace(run.model / "model.safetensors", tensors.encode(nets, {"format": "pt"}))
        replace(run.model / "config.json", files["model.json"])
        replace(run.model / "README.md", card(run, plan, state).encode())


def facts(plan: Plan) -> dict[str, Any]:
    """What a model should know of its origin."""
    source = plan.cfg.data.source
    return {
        "preset": plan.cfg.preset,
        "data": source.name,
        "images": plan.store.epoch,
        "classes": list(plan.split.train.classes),
        "attributes": list(plan.split.train.attribute_names),
    }


def card(run: folder.Run, plan: Plan, state: State) -> str:
    """The model folder's README."""
    known = facts(plan)
    return (
        f"# {run.name}\n\nThe averaged generator of a GAN trained by `gan`: preset `{known['preset']}`, data `{known['data']}` "
        f"({known['images']:,} images), {state.step:,} steps, {state.images:,} images seen.\n\n"
        f"    gan sample {run.name} --n 64 --out grid.png\n\n"
        "`model.safetensors` holds the weights in float32, `config.json` the architecture. Scores: `gan evaluate`.\n"
    )


def versions() -> dict[str, str]:
    import numpy
    import safetensors

    from gancli import __version__

    return {
        "gancli": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "safetensors": safetensors.__version__,
    }


def environment(plan: Plan) -> dict[str, Any]:
    device = plan.store.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "versions": versions(),
        "system": platform.system(),
        "device": device.type,
        "device_name": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def start(request: Request, plan: Plan, runs: Path, name: str | None) -> folder.Run:
    """Make the run folder of a new run and write what it is. Raises ResourceError before anything is trained."""
    if plan.cfg.stop.until:
        parse_bound(plan.cfg.stop.until)
    run = folder.create(runs, f"{plan.cfg.data.source.name}-{plan.cfg.preset}", name)
    with disk("the run", run.path):
        run.write_json("environment.json", environment(plan))
        run.write_json("data.json", _data_facts(request, plan))
        run.write_json("config.json", plan.cfg.dump())
    return run


def _data_facts(request: Request, plan: Plan) -> dict[str, Any]:
    return {
        "fingerprint": plan.fingerprint,
        "images": plan.store.epoch,
        "held_out": len(plan.split.test.images),
        "choices": plan.choices,
        "data_dir": str(request.data_dir.expanduser().resolve()),
    }


def train(run: folder.Run, plan: Plan, voice: Voice, resumed: bool = False) -> tuple[str, State]:
    """Train until what was asked for is reached. Returns why it stopped, and the state.

    Raises StoppedError after saving on a signal, DivergedError, ResourceError, InUseError.
    """
    with locked(run.path), Signals() as signals:
        state = plan.state()
        if resumed:
            restore(run, plan, state, voice.note)
            rewind(run.journal, state.step, plan.cfg.rhythm.log)
            rewind(run.scores, state.step)
        voice.begin(plan.cfg, state, plan.store.epoch)
        try:
            reason = fit(plan.cfg.task, state, plan.store, plan.cfg, Sitting(run, plan, voice, signals))
        except DivergedError as error:
            raise DivergedError(f"{error.cause}; the last checkpoint is kept", error.remedy) from None
        finally:
            voice.end()
        if signals.caught:
            raise StoppedError(signals.caught, f"stopped at step {state.step}; saved", f"gan resume {run.path}")
    return reason, state


def restore(run: folder.Run, plan: Plan, state: State, note: Callable[[str], None]) -> None:
    """Bring the newest whole checkpoint into a new state. Without any checkpoint the run begins anew."""
    if not checkpoint.listed(run.checkpoints):
        note("no checkpoint yet: starting from the beginning")
        return
    point = checkpoint.newest(run.checkpoints, note)
    if point.manifest.get("data") != plan.fingerprint:
        raise DataError("the data is not what this run was trained on", "restore it, or --allow-data-change")
    groups: snapshot.Groups = {k: {} for k in ("nets", "average", "optimiser", "memory")}
    for file, content in point.files.items():
        if file.endswith(".safetensors"):
            groups[file.removesuffix(".safetensors")] = tensors.decode(content, f"{point.path}/{file}")
    for name, wanted in snapshot.wanted(state, groups).items():
        tensors.compare(groups[name], wanted, f"{point.path}/{name}.safetensors")
    snapshot.restore(state, groups, json.loads(point.files["state.json"]))
    with suppress(KeyError, ValueError, TypeError):
        state.seconds = float(json.loads(point.files["timings.json"])["seconds"])
    note(f"resumed from step {state.step:,} ({state.images:,} images)")


def extend(run: folder.Run, layers: list[Layer]) -> Config:
    """The run's configuration with what a resume may change, recorded. Raises UsageError for anything else."""
    old = run.config()
    changes = merge(layers)
    if not changes:
        return old
    new = resolve(merge([old.dump(), changes]))
    different = differences(old, new)
    wrong = [k for k in different if not k.startswith(MAY_CHANGE)]
    if wrong:
        was, now = different[wrong[0]]
        raise UsageError(
            f"a resumed run cannot change {wrong[0]} ({was!r} -> {now!r})",
            "start a new one: gan train --config <run>/config.json",
        )
    if different:
        with disk("the run's history", run.path), (run.path / "history.jsonl").open("a") as file:
            file.write(json.dumps({"changes": changes}) + "\n")
    return new


__all__ = ["Plan", "Request", "Sitting", "again", "cache_dir", "extend", "make", "restore", "start", "train"]
