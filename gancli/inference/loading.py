"""From a run's checkpoint or a bare model folder to a `Model`: nothing but tensors and JSON is read, and nothing is made before it fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from gancli.core import migration
from gancli.core.contracts import Nets, Tick
from gancli.core.data import Spec
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder
from gancli.core.kernels import accelerate
from gancli.core.nets import on_meta
from gancli.core.plugins import changed, missing
from gancli.core.registry import build, load_plugin
from gancli.core.sinks import Note
from gancli.core.task import Task
from gancli.inference.generator import Model
from gancli.inference.standing import set_standing_statistics
from gancli.runs import checkpoint, folder
from gancli.runs.files import MAX_JSON, parse
from gancli.runs.tensors import MAX_TENSORS, compare, decode, most_bytes

MAX_PARAMETERS = 2**33


def load(
    path: str | Path,
    *,
    step: int | None = None,
    ema: bool = True,
    device: str | torch.device = "cpu",
    standing: int = 0,
    note: Note = lambda _text: None,
    plugins: Sequence[str | Path] = (),
    runs_dir: str | Path = "runs",
) -> Model:
    """A trained model.

    Args:
        path: a run folder, a model folder, or the name of a run.
        step: the checkpoint to load; not given: the newest valid one.
        ema: the EMA weights, or the raw ones. `facts["ema"]` says which they are: not every run has EMA weights.
        device: where the model is placed.
        standing: batches of samples from which G's batch statistics are computed anew (`inference.standing`); 0: those
            of training.
        note: called with messages, such as of a damaged checkpoint that was skipped.
        plugins: Python files that define the model's own parts. They are executed.
        runs_dir: where runs are looked for by name.

    Returns:
        The model.

    Raises:
        CheckpointError: the files are missing, damaged or of another program.
        UsageError: there is no such run, the weights or the step are not available, or a part is unknown.
    """
    for file in plugins:
        load_plugin(Path(file))
    place = Path(path) if Path(path).exists() else folder.find(Path(runs_dir), str(path)).path
    model = _found(place, step, ema, device, note)
    for text in changed(model.facts.get("plugins")):
        note(text)
    if standing:
        set_standing_statistics(model, standing)
    return model


def _found(path: Path, step: int | None, ema: bool, device: str | torch.device, note: Note) -> Model:
    folder.Run(path).check()
    if (path / "model.safetensors").is_file() and (path / "manifest.json").exists() is False:
        if step is not None:
            raise UsageError(f"{path} is a model by itself, without steps", "name the run folder for --step")
        return _from_model_folder(path, ema, device)
    if (path / "config.json").is_file():
        return _from_run(folder.Run(path), step, ema, device, note)
    if path.suffix in (".pt", ".pth", ".pkl", ".ckpt", ".bin"):
        raise CheckpointError(
            f"{path} is a pickle, which could run code; gan never reads one", "use a run or model folder"
        )
    raise CheckpointError(f"{path} is neither a run nor a model folder", "name one that gan train made")


def _from_model_folder(path: Path, ema: bool, device: str | torch.device) -> Model:
    table = _table(Folder(path).read("config.json", MAX_JSON), path)
    averaged = table["facts"].get("ema") is not False
    if averaged and not ema:
        raise UsageError(f"{path} holds only the EMA weights", "name the run folder for --no-ema")
    table["facts"]["ema"] = averaged
    most = most_bytes(_wanted(_blueprint(table, str(path))[3]))
    found = decode(Folder(path).read("model.safetensors", most), str(path / "model.safetensors"))
    return _assemble(table, found, f"{path}/model.safetensors", device)


def _from_run(run: folder.Run, step: int | None, ema: bool, device: str | torch.device, note: Note) -> Model:
    """Where a trainer has pruned what was listed before it was read, it is listed once more."""
    there = checkpoint.listed(run.checkpoints)
    said: list[str] = []
    try:
        model = _from_checkpoint(run, step, ema, device, said.append)
    except (CheckpointError, OSError):
        if all(path.exists() for path in there):
            raise
        return _from_checkpoint(run, step, ema, device, note)
    if said and not all(path.exists() for path in there):
        return _from_checkpoint(run, step, ema, device, note)
    for text in said:
        note(text)
    return model


def _from_checkpoint(run: folder.Run, step: int | None, ema: bool, device: str | torch.device, note: Note) -> Model:
    point = checkpoint.newest(run.checkpoints, note) if step is None else checkpoint.at(run.checkpoints, step)
    table = _table(point.read("model.json"), point.path)
    most = most_bytes(_wanted(_blueprint(table, str(point.path))[3]))
    nets = decode(point.read("nets.safetensors", most), f"{point.path}/nets.safetensors")
    table["facts"]["ema"] = ema and "ema.safetensors" in point
    if table["facts"]["ema"]:
        nets |= decode(point.read("ema.safetensors", most), f"{point.path}/ema.safetensors")
    return _assemble(table, nets, f"{point.path}/nets.safetensors", device, partial=False)


def _table(content: bytes, path: Path) -> dict[str, Any]:
    try:
        table = parse(content)
        if table["format"] not in migration.READABLE:
            raise CheckpointError(f"{path}: model format {table['format']}; this gan reads up to {migration.FORMAT}")
        table = migration.model(table)
        facts = table.get("facts", {})
        if not isinstance(facts, dict):
            raise TypeError("facts are no table")
        return {**table, "facts": dict(facts)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: the model's configuration is damaged: {error!r}") from None


def planned(task: Task, spec: Spec, name: str) -> Nets:
    """The nets of a task on the meta device: nothing is allocated, however large they are.

    Args:
        task: that makes them.
        spec: of the data.
        name: of the configuration, for messages.

    Raises:
        CheckpointError: they have more parameters than any that is trained.
    """
    with on_meta(), _few_parameters(name):
        return task.nets(spec)


def _wanted(nets: Nets) -> dict[str, Tensor]:
    return {f"{n}.{k}": v for n, net in nets.items() for k, v in net.state_dict().items()}


def _blueprint(table: dict[str, Any], name: str) -> tuple[Task, Spec, Tick, Nets]:
    """What a configuration describes, its nets on the meta device: nothing is allocated, however much it asks for."""
    try:
        task, spec = build("task", table["task"]), build("spec", table["spec"])
        assert isinstance(task, Task) and isinstance(spec, Spec)  # noqa: PT018
        tick = Tick(0, int(table["tick"]["step"]), int(table["tick"]["images"]))
        if not isinstance(spec, task.accepts):
            raise CheckpointError(f"{name}: the task {task.name!r} does not learn from {spec.name}")
        plan = planned(task, spec, name)
    except UsageError as error:
        remedy = missing(table.get("facts", {}).get("plugins")) or error.remedy
        raise CheckpointError(f"{name} does not fit this gan: {error.cause}", remedy) from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name}: its configuration is damaged: {error!r}") from None
    return task, spec, tick, plan


@contextmanager
def _few_parameters(name: str) -> Iterator[None]:
    """Raises CheckpointError as soon as nets that are being built have more parameters than any that is trained."""
    count = size = 0

    def counted(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count, size
        count, size = count + 1, size + (parameter.numel() if parameter is not None else 0)
        if count > MAX_TENSORS or size > MAX_PARAMETERS:
            raise CheckpointError(f"{name}: its configuration asks for more than {MAX_PARAMETERS:,} parameters")

    hook = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def _assemble(
    table: dict[str, Any], found: dict[str, Tensor], name: str, device: str | torch.device, partial: bool = True
) -> Model:
    """Compare every name, shape and dtype with the blueprint, then allocate. A model folder has only some nets."""
    task, spec, tick, plan = _blueprint(table, name)
    present = {n: net for n, net in plan.items() if not partial or any(k.startswith(f"{n}.") for k in found)}
    compare(found, _wanted(present), name)
    real = task.nets(spec)
    nets = {n: accelerate(real[n].to(device)) for n in present}
    for n, net in nets.items():
        net.load_state_dict({k.removeprefix(f"{n}."): v for k, v in found.items() if k.startswith(f"{n}.")})
        net.eval().requires_grad_(False)
    task.prepare(nets, spec, tick)
    return Model(task, nets, spec, tick, table["facts"])
