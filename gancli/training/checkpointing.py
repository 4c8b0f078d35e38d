"""What a checkpoint and a model folder contain: saving and restoring a state."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gancli.core import migration, plugins
from gancli.core.config import Config, differences, flat, merge, nest, resolve
from gancli.core.descriptors import amount
from gancli.core.errors import CheckpointError, DataError, ResourceError, UsageError
from gancli.core.files import Folder
from gancli.core.host import cores, memory
from gancli.core.printable import printable
from gancli.core.sinks import Note
from gancli.export.cards import head
from gancli.inference.generator import Model, describe
from gancli.inference.loading import planned
from gancli.runs import checkpoint, folder, history, journal, tensors
from gancli.runs.files import MAX_JSON, as_json, disk, quoted, table
from gancli.training import snapshot
from gancli.training.prepare import Plan
from gancli.training.state import State

LONGEST = 1e10  # seconds of training
MAY_CHANGE = ("stop.", "runtime.", "intervals.")  # that changes nothing of what is learned in a step
BY_A_RESUME = (  # what else a resume may change, which history.jsonl records
    *MAY_CHANGE,
    *("batch_size", "optimizer.", "optimizers.", "ema.", "data.flip", "data.enlarge", "data.repeat"),
    *(
        "data.range",
        "data.labels",
        "data.unlabeled",
        "data.frames",
    ),  # the fingerprint tells whether the data are others
    *("data.source.skip_broken", "data.source.truncated"),
)


def commit(run: folder.Run, plan: Plan, state: State) -> None:
    """Write a checkpoint and the model folder, then prune old checkpoints.

    Raises:
        DivergedError: the state is not finite.
        ResourceError: the disk refuses. Older checkpoints are kept in either case.
    """
    groups = snapshot.tensors(state)
    snapshot.check_finite(groups)
    made = state.model(plan.cfg.task, facts=facts(plan))
    files: dict[str, Callable[[], checkpoint.Pieces]] = {
        f"{name}.safetensors": partial(tensors.encode, group) for name, group in groups.items() if group
    }
    files["state.json"] = lambda: [as_json(snapshot.numbers(state))]
    files["model.json"] = lambda: [as_json(describe(made))]
    files["timings.json"] = lambda: [as_json({"seconds": round(state.seconds, 3)})]
    needed = sum(tensor.nbytes for group in groups.values() for tensor in group.values())
    record = {"config": plan.cfg.dump(), "data": plan.fingerprint, "versions": versions(), "machine": machine(plan)}
    checkpoint.commit(run.checkpoints, state.step, files, record, needed)
    checkpoint.prune(run.checkpoints, plan.cfg.intervals.keep, best(run))
    export(run, plan, state, made)


def export(run: folder.Run, plan: Plan, state: State, made: Model) -> None:
    """Write the model folder. `config.json`, which names the step, is written last."""
    weights = tensors.encode(made.weights, {"format": "pt"})
    with disk("the model", run.model, sum(map(len, weights))):
        model = Folder(run.path) / run.model.name
        model.make()
        model.write("model.safetensors", *weights)
        model.write("README.md", card(run, plan, state).encode())
        model.write("config.json", as_json(describe(made)))


def _model_step(run: folder.Run) -> int | None:
    with suppress(CheckpointError, KeyError, OverflowError, TypeError, ValueError):
        model = Folder(run.path) / run.model.name
        return int(table(model.read("config.json", MAX_JSON), "config.json")["tick"]["step"])
    return None


def best(run: folder.Run) -> list[int]:
    """The step with the best validation score so far, if there is any: its checkpoint is never pruned."""
    return [line["step"] for line in _evaluations(run) if line.get("best")][-1:]


def _evaluations(run: folder.Run) -> list[dict[str, Any]]:
    return [line for line in journal.read(run.scores) if isinstance(line.get("step"), int)]


def room(run: folder.Run, state: State) -> None:
    """Raises ResourceError, before the first step, if there is no room for a checkpoint or a folder cannot be written."""
    needed = 4 * sum(4 * net.flat.numel() for net in state.nets.values())  # weights, average, two moments
    with disk("the run", run.path):
        free = shutil.disk_usage(run.path).free
    if free < needed:
        raise ResourceError(
            f"no room for a checkpoint in {run.path}: {needed / 1e6:.3g} MB needed, {free / 1e6:.3g} MB free",
            "free some disk, or choose another --runs-dir",
        )
    for place in (run.checkpoints, run.samples, run.model):
        if place.exists() and not os.access(place, os.W_OK | os.X_OK):
            raise ResourceError(f"{place} cannot be written", "check its owner and its rights")


def restore(run: folder.Run, plan: Plan, state: State, note: Note, allow_data_change: bool = False) -> None:
    """Restore the newest valid checkpoint into a new state. Without any checkpoint the run starts from the beginning.

    Args:
        run: its folder.
        plan: data and configuration.
        state: new, of the same configuration; changed in place.
        note: called with lines of words.
        allow_data_change: accept data other than before.

    Raises:
        CheckpointError: no checkpoint is valid, or it is of another architecture.
        DataError: the data differ from those of the run.
    """
    if not checkpoint.listed(run.checkpoints):
        _same_data(run, plan, run.json("data.json").get("fingerprint"), 0, allow_data_change, note)
        note("no checkpoint yet: starting from the beginning")
        return
    point = checkpoint.newest(run.checkpoints, note)
    _same_config(run, point.path, point.manifest, plan)
    _same_data(run, plan, point.manifest.get("data"), point.step, allow_data_change, note)
    groups: snapshot.Groups = {k: {} for k in ("nets", "ema", "optimizer", "memory")}
    wanted = snapshot.tensors(state)
    most = max(4 * tensors.most_bytes(wanted["nets"]), tensors.most_bytes(state.memory))
    for name in groups:
        if f"{name}.safetensors" in point:
            content = point.read(f"{name}.safetensors", most)
            groups[name] = tensors.decode(content, f"{point.path}/{name}.safetensors")
    for name in groups:
        tensors.compare(groups[name], wanted[name], f"{point.path}/{name}.safetensors")
    snapshot.restore(state, groups, migration.state(point.table("state.json")))
    if state.step != point.step:
        raise CheckpointError(f"{point.path}/state.json is of step {state.step}")
    seconds = point.table("timings.json").get("seconds", 0) if "timings.json" in point else 0
    if isinstance(seconds, int | float) and 0 <= seconds < LONGEST:
        state.seconds = float(seconds)
    note(f"resumed from step {state.step:,} ({state.images:,} images)")
    _same_machine(point, plan, note)
    if _model_step(run) != state.step:  # killed between the checkpoint and the model folder
        export(run, plan, state, state.model(plan.cfg.task, facts=facts(plan)))


def same_config(run: folder.Run, plan: Plan) -> None:
    """Raises UsageError if config.json was edited by hand. Checked before nets are built, which might be enormous."""
    for path in checkpoint.listed(run.checkpoints):
        with suppress(CheckpointError):
            _same_config(run, path, checkpoint.manifest_of(path), plan)
            break


def check_size(run: folder.Run, plan: Plan) -> None:
    """Check, before nets are allocated, that a run which may be a stranger's does not ask for larger ones than it has saved.

    Raises:
        CheckpointError: it does, or no checkpoint is valid.
        ResourceError: it has saved none, and training would need more than a quarter of the memory.
    """
    nets = planned(plan.cfg.task, plan.spec, str(run.path / "config.json"))
    size = sum(t.numel() * t.element_size() for net in nets.values() for t in net.state_dict().values())
    there = checkpoint.listed(run.checkpoints)
    if there and size > max(map(checkpoint.size_of_nets, there[: checkpoint.MOST_SKIPPED])):
        checkpoint.newest(run.checkpoints, lambda _text: None)
        raise CheckpointError(
            f"{run.path / 'config.json'} asks for nets of {amount(size)}, and no checkpoint holds as much",
            "put the run's config.json back",
        )
    if not there and 4 * size > memory() // 4:  # weights, average, two moments
        raise ResourceError(
            f"{run.path / 'config.json'} asks for nets that need {amount(4 * size)}, more than a quarter of the memory, "
            "and the run has no checkpoint",
            f"if it is yours, start again: gan train --config {quoted(run.path / 'config.json')}",
        )


def _same_config(run: folder.Run, path: Path, manifest: dict[str, Any], plan: Plan) -> None:
    """Compare the configuration with the one that the checkpoint was written with, and with the changes that were asked for since."""
    before = manifest.get("config")
    known = migration.run_config(before, getattr(plan.spec, "classes", 0)) if isinstance(before, dict) else {}
    try:
        different = differences(resolve(known), plan.cfg)
    except UsageError as error:
        raise CheckpointError(f"{path} does not fit this gan: {error.cause}", error.remedy) from None
    declared = {*differences(run.config(), plan.cfg), *(k for c in history.changes(run.path) for k in flat(c))}
    wrong = [k for k in different if not k.startswith(MAY_CHANGE) and k not in declared]
    if wrong:
        was, now = different[wrong[0]]
        raise UsageError(
            f"{wrong[0]} is {now!r}, but {path} was trained with {was!r}", "put the run's config.json back"
        )


def _same_data(run: folder.Run, plan: Plan, before: Any, step: int, allowed: bool, note: Note) -> None:
    later = [line["data"] for line in history.read(run.path) if "data" in line and line.get("step") == step]
    if plan.fingerprint == (later[-1] if later else before):
        return
    if not allowed:
        raise DataError(
            "the data is not what this run was trained on", "restore it, or go on with it: --allow-data-change"
        )
    note("the data is not what this run was trained on: going on with it, as allowed")
    history.append(run.path, {"step": step, "data": plan.fingerprint})


def _same_machine(point: checkpoint.Checkpoint, plan: Plan, note: Note) -> None:
    before, now = point.manifest.get("machine"), machine(plan)
    if isinstance(before, dict):
        before = {"ranks": 1, **before}
        changed = [f"{k} {before.get(k)} -> {v}" for k, v in now.items() if before.get(k) != v]
        if changed:
            note(f"bits may differ from here on: {', '.join(changed)}")


def facts(plan: Plan) -> dict[str, Any]:
    """The origin of a model, kept in its config.json."""
    used = plugins.used_by(plan.cfg.task, plan.spec)
    return {
        **({"plugins": used} if used else {}),
        "preset": plan.cfg.preset,
        "data": plan.data_name,
        "images": len(plan.split.train),
        "classes": list(getattr(plan.split.train, "classes", ())),
        "attributes": list(getattr(plan.split.train, "attribute_names", ())),
    }


def card(run: folder.Run, plan: Plan, state: State) -> str:
    """The model folder's README."""
    known = {key: printable(str(value)) for key, value in facts(plan).items()}
    name, what = printable(run.name), "The generator (EMA weights)" if state.ema else "The generator"
    asks = plan.cfg.task.asks
    example = f"{asks.verb} {name} {asks.example.replace('SUFFIX', '.png')}"
    top = head(name, asks, plan.cfg.task.name, known["preset"], known["data"])
    return (
        f"{top}\n# {name}\n\n{what} of a GAN trained by `gan`: preset `{known['preset']}`, data `{known['data']}` "
        f"({len(plan.split.train):,} images), {state.step:,} steps, {state.images:,} images seen.\n\n"
        f"    {example}\n\n"
        "`model.safetensors` holds the weights in float32, `config.json` the architecture.\n\n"
        f"{_scored(run, plan, state.step)}Scores: `gan evaluate`.\n"
    )


def _scored(run: folder.Run, plan: Plan, step: int) -> str:
    """A sentence with the last validation scores; empty if there are none."""
    line: dict[str, Any] = next((line for line in reversed(_evaluations(run)) if line["step"] <= step), {})
    scores = ", ".join(f"{printable(k)} {v:.4g}" for k, v in line.items() if "@" in k and isinstance(v, int | float))
    n, real = plan.cfg.intervals.evaluate_n, len(plan.split.validation)
    what = f"{n:,} samples against {min(n, real):,} validation images"
    return f"At step {line['step']:,}, {what}: {scores}.\n\n" if scores else ""


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


def machine(plan: Plan) -> dict[str, Any]:
    """What results depend on besides the configuration: device, threads, precision, ranks, version of torch."""
    device = plan.loader.device
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "precision": plan.cfg.runtime.precision,
        "ranks": plan.ranks.world,
        "torch": str(torch.__version__),
    }


def environment(plan: Plan) -> dict[str, Any]:
    device = plan.loader.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "versions": versions(),
        "system": platform.system(),
        "device": device.type,
        "device_name": name,
        "cores": cores(),
        "threads": torch.get_num_threads(),
    }


def record_changes(run: folder.Run, cfg: Config, note: Note, step: int) -> None:
    """Record what this session changed in the configuration in history.jsonl. The caller holds the run's lock."""
    different = differences(run.config(), cfg)
    if not different:
        return
    learned = [f"{k} {was} -> {now}" for k, (was, now) in different.items() if not k.startswith(MAY_CHANGE)]
    if learned:
        note(f"changed from step {step:,} on: {', '.join(learned)}")
    table = [nest(k, now) for k, (_, now) in different.items() if not k.startswith("data.source.")]
    if any(k.startswith("data.source.") for k in different):  # as a whole: another source has other options
        table.append(nest("data.source", cfg.data.source.model_dump(mode="json")))
    history.append(run.path, {"changes": merge(table)})
