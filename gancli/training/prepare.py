"""From a request to a plan of a run: data, preset, configuration, precision.

Every automatic choice is listed in `Plan.choices`, printed and recorded.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from gancli.core import migration
from gancli.core.config import Config, Data, Layer, differences, merge, presets, read_preset, resolve
from gancli.core.data import Reading, Source, Spec, Split
from gancli.core.errors import DataError, UsageError
from gancli.core.registry import as_table, build, parts, validated
from gancli.core.specs import Images
from gancli.core.task import Task, converted
from gancli.data import cache, find, remarks
from gancli.data.loader import Loader
from gancli.distributed.ranks import ALONE, Ranks
from gancli.evaluation.results import parse_bound
from gancli.training import fitting, precision, transfer, trial
from gancli.training.memory import keep_freed
from gancli.training.rehearsal import rehearse
from gancli.training.state import State, new_state

PATIENCE = 5.0  # seconds of timing steps, to fit schedules to minutes
BY_LENGTH = {"images", "epochs", "max_steps", "until"}  # keys of `stop`: one of them, and --max-minutes is but a limit


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    layers: list[Layer]  # file, environment, flags, --set, in this order
    preset: str | None = None
    data_dir: Path = Path("data")
    cache_dir: Path = Path("cache")
    download: bool = True


@dataclass
class Plan:
    cfg: Config
    split: Split[Any]
    fingerprint: str
    loader: Loader
    reading: Reading
    preset: Config  # what the preset alone would have been
    choices: list[str] = field(default_factory=list)
    ranks: Ranks = ALONE

    @property
    def spec(self) -> Spec:
        return self.loader.spec

    @property
    def data_name(self) -> str:
        """The name of the data set; for a folder or an archive, its file name."""
        path = getattr(self.cfg.data.source, "path", None)
        return (
            self.cfg.data.source.name
            if path is None
            else re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem).strip("-.") or "data"
        )

    def changed(self) -> dict[str, tuple[Any, Any]]:
        """What differs from the preset: key -> (preset's value, this run's value)."""
        ours = differences(self.preset, self.cfg)
        found = {
            "data.repeat": (None, 1),
            "stop.fitted": (False, True),
            "runtime.precision": ("auto", self.cfg.runtime.precision),
        }  # not chosen by the user
        return {k: v for k, v in ours.items() if not k.startswith("data.source") and found.get(k) != v}

    def state(self) -> State:
        """A new state at step 0. From here on the allocator keeps freed memory for the next steps."""
        keep_freed()
        return new_state(self.cfg.task, self.cfg, self.spec, self.loader.device, self.loader.dtype)


def cache_dir() -> Path:
    """GAN_CACHE_DIR, or a folder in the user's cache; a user without a home has one that cannot be written."""
    if given := os.environ.get("GAN_CACHE_DIR"):
        return Path(given)
    try:
        home = Path.home() / ".cache"
    except RuntimeError:
        home = Path("/nonexistent/.cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home) / "gan"


def make(request: Request, reading: Reading, ranks: Ranks = ALONE) -> Plan:
    """The plan of a new run: reads the data and resolves the configuration.

    Args:
        request: what the user asked for.
        reading: how the data are read.
        ranks: the processes that train together.

    Raises:
        DataError: the data are missing or broken.
        UsageError: an option is unknown or does not fit the data.
    """
    asked = merge(request.layers)
    source, choices = ranks.once_per_host(lambda: _source(asked, reading))
    validated(Data, {**asked.get("data", {}), "source": source}, "data")
    if request.preset:
        read_preset(request.preset)
    begun = transfer.origin(asked)
    reading = reading if begun is None else begun.reading(reading, asked)
    split = ranks.once_per_host(lambda: find.read(source, reading))
    wanted = request.preset or asked.get("preset")
    preset = wanted or (begun.preset if begun else "")
    if not preset:
        preset, base = _recipe_for(split, asked)
        choices.append(f"{f'preset {preset}' if preset else 'task ' + base['task']['name']}, for {_described(split)}")
    else:
        base = read_preset(preset, _classes(split), _facts(split))
    base = base if begun is None else merge([base, begun.layer(asked, wanted)])
    given: Layer = {"preset": preset, "data": {"source": source.model_dump(mode="json")}}
    plain = resolve(base, given)
    chosen = fitting.for_data(plain, asked, split.train, choices)
    cfg = resolve(base, chosen, *(migration.config(layer, _classes(split)) for layer in request.layers), given)
    if cfg.stop.until:
        parse_bound(cfg.stop.until)
    if size := fitting.size_for(cfg, converted(split, cfg.task).train.spec, asked):
        cfg, split, said = fitting.scaled(
            cfg, split, size, lambda how: ranks.once_per_host(lambda: find.read(source, how)), reading
        )
        choices.append(said)
    split = converted(split, cfg.task)
    if cfg.data.channels == 4 and not isinstance(split.train.spec, Images):
        raise UsageError(
            f"four channels are for tasks that learn from images, and the data are {split.train.spec.name}",
            "leave --channels away: gan apply keeps the alpha of each image",
        )
    loader, fingerprint = _loader(cfg, split, ranks), _fingerprint(split, ranks)
    length, open_task = cfg.stop.total(loader.epoch), cfg.task
    if length < 1:
        raise UsageError(f"{cfg.stop.epochs:g} epochs of {loader.epoch:,} images are not one image", "use --images")
    accepted(cfg, loader.spec)
    cfg, plain = (c.replace(task=c.task.resolved(length, loader.spec)) for c in (cfg, plain))
    cfg, loader = _precise(cfg, loader, reading, ranks, choices)
    for remark in fitting.remarks(cfg, split):
        reading.note(remark)
    for doubt in remarks.rare(split.train) if cfg.task.choices(loader.spec).classes else ():
        reading.warn(doubt)
    plan = Plan(cfg, split, fingerprint, loader, reading, plain, choices, ranks)
    if cfg.stop.max_minutes and not asked.get("stop", {}).keys() & BY_LENGTH:
        _fit_to_minutes(plan, open_task, cfg.stop.max_minutes)
    return plan


def _fit_to_minutes(plan: Plan, task: Task, minutes: float) -> None:
    """Make the run as long as the minutes last, if it is longer: what depends on its length, such as learning rates, then ends with it.

    Args:
        plan: of the run; changed in place.
        task: as configured, with what depends on the length still open.
        minutes: the limit.
    """
    cfg = plan.cfg
    rate = -float(plan.ranks.maximum([-rehearse(plan, PATIENCE)["images_per_s"]])[0])
    images = max(cfg.batch_size, round(rate * 60 * minutes))
    if images >= cfg.stop.total(plan.loader.epoch):
        return
    plan.cfg = cfg.replace(stop=cfg.stop.replace(images=images, fitted=True), task=task.resolved(images, plan.spec))
    plan.choices.append(f"schedules for {images:,} images, about what {minutes:g} minutes are enough for here")


def accepted(cfg: Config, spec: Spec) -> None:
    """Raises UsageError if the task does not train on such data."""
    if not isinstance(spec, cfg.task.accepts):
        wanted = getattr(cfg.task.accepts, "name", "other data")
        raise UsageError(f"the task {cfg.task.name!r} learns from {wanted}, and the data are {spec.name}")


def again(cfg: Config, reading: Reading, ranks: Ranks = ALONE) -> Plan:
    """The plan of an existing run: the same configuration, with the data read again.

    Raises:
        DataError: the data are missing or broken.
    """
    split = converted(ranks.once_per_host(lambda: find.read(cfg.data.source, reading)), cfg.task)
    cfg, loader = _precise(cfg, _loader(cfg, split, ranks), reading, ranks, [])
    return Plan(cfg, split, _fingerprint(split, ranks), loader, reading, cfg, ranks=ranks)


def _precise(cfg: Config, loader: Loader, reading: Reading, ranks: Ranks, chosen: list[str]) -> tuple[Config, Loader]:
    """The compute dtype: where none was asked for, bfloat16 if a trial shows a gain on every rank, else float32."""
    name = cfg.runtime.precision
    if name == "auto":
        can = precision.multiplies_bf16(loader.device)
        gain = _gain(cfg.replace(batch_size=ranks.rows(cfg.batch_size)[1]), loader, reading) if can else 0.0
        name = "bf16" if -ranks.maximum([-gain])[0] >= trial.WORTH else "fp32"
        if name == "bf16":
            chosen.append(f"compute dtype bfloat16, with which a step is {gain:.1f} times as fast here")
    return cfg.replace(runtime=cfg.runtime.replace(precision=name)), loader.of(precision.DTYPES[name])


def _gain(cfg: Config, loader: Loader, reading: Reading) -> float:
    """The trial's result, cached: the same command must always choose the same precision."""
    what = cfg.model_dump(mode="json", include={"task", "batch_size", "runtime"})
    here = (torch.get_num_threads(), torch.__version__, dict(torch.cpu.get_capabilities()))
    key = cache.key_of("gain", what, loader.spec.model_dump(mode="json"), *here)
    known = cache.recall(reading, key)
    if known is None:
        known = {"gain": trial.gain(cfg, loader)}
        if known["gain"]:
            cache.remember(reading, key, known)
    return float(known["gain"])


def _fingerprint(split: Split[Any], ranks: Ranks) -> str:
    """The fingerprint of the training set. Raises DataError if the ranks have read different data."""
    found: str = split.train.fingerprint
    short = float(zlib.crc32(found.encode()))
    largest, smallest = ranks.maximum([short, -short])
    if largest != -smallest:
        raise DataError("the ranks have read different data", "put the same data on every host")
    return found


def _loader(cfg: Config, split: Split[Any], ranks: Ranks) -> Loader:
    device = precision.device(ranks.device(cfg.runtime.device))
    precision.set_threads(cfg.runtime.threads)
    precision.choose_kernels(cfg.runtime, device)
    _parted(cfg, ranks)
    if cfg.batch_size > 10 * len(split.train):
        raise UsageError(f"--batch-size {cfg.batch_size} is more than ten epochs of {len(split.train)} images")
    data = split.train.augmented(cfg.data.flip, cfg.data.enlarge)
    data = data.balanced() if cfg.data.balance else data
    return Loader(data, cfg.seed, device, torch.float32, cfg.data.repeat or 1)


def _parted(cfg: Config, ranks: Ranks) -> None:
    """Raises UsageError if the batch cannot be divided over ranks or micro-batches, or if that would split a group."""
    n, (_, own), k = cfg.batch_size, ranks.rows(cfg.batch_size), cfg.task.group_size
    part = min(cfg.runtime.micro_batch or own, own)
    if part < n and any(rows % k for rows in (n, own, part)):
        raise UsageError(
            f"parts of {part} of a batch of {n} cut what belongs together, {k} images", f"use multiples of {k}"
        )


def _source(asked: Layer, reading: Reading) -> tuple[Source, list[str]]:
    wanted = asked.get("data", {}).get("source")
    choices: list[str] = []
    if wanted is None:
        wanted, why = find.default(reading)
        choices.append(f"data {why}")
    elif isinstance(wanted, str):
        wanted = find.source_for(wanted)
    elif isinstance(wanted, dict) and isinstance(wanted.get("name"), str) and wanted["name"] not in parts("data"):
        # --data FOLDER, and some of its options
        wanted = {**wanted, **find.source_for(wanted["name"], wanted.keys() - {"name"})}
    source = build("data", wanted)
    assert isinstance(source, Source)
    path = getattr(source, "path", None)
    return source if path is None else source.replace(path=find.absolute(path)), choices


def _recipe_for(split: Split[Any], asked: Layer) -> tuple[str, Layer]:
    """The default preset for the data and the task options asked for, and its table.

    Of several tasks that have these options and accept such data, it is the default for its kind of data; its preset has
    its name. Where there is no such preset, the name is empty.

    Raises UsageError if no task, or more than one, trains on such data.
    """
    spec, task = split.train.spec, asked.get("task", {})
    table = task if isinstance(task, dict) and "name" not in task else as_table("task", task)
    named, options = table.get("name"), table.keys() - {"name"}
    known = {name: cast("type[Task]", part) for name, part in parts("task").items()}
    takes = [name for name, part in known.items() if options <= part.model_fields.keys()]
    usual = str(Config.model_fields["task"].default)
    if isinstance(spec, Images) and named in (None, usual) and (usual in takes or not takes):
        small = spec.channels == 1 and spec.height * spec.width <= 32 * 32
        name = "textbook" if small else "best"
        return name, read_preset(name, _classes(split), _facts(split))
    fit = [name for name in takes or known if isinstance(spec, (known[name].accepts, Images))]
    if len(fit) > 1:
        fit = [name for name in fit if known[name].is_default] or fit
    if named is None and len(fit) != 1:
        there = f"there are: {', '.join(fit)}" if fit else "gan list task names the tasks"
        raise UsageError(f"{len(fit) or 'no'} tasks learn from {spec.name}", f"{there}; name one: --set task.name=NAME")
    name = named or fit[0]
    return (name, read_preset(name, _classes(split))) if name in presets() else ("", {"task": {"name": name}})


def _facts(split: Split[Any]) -> dict[str, float]:
    """What the cases of a preset may depend on."""
    spec, images = split.train.spec, {"images": float(len(split.train))}
    if not isinstance(spec, Images):
        return images
    return {**images, "side": max(spec.height, spec.width), "channels": spec.channels}


def _described(split: Split[Any]) -> str:
    spec = split.train.spec
    if not isinstance(spec, Images):
        return str(spec.name)
    return f"{'grayscale' if spec.channels == 1 else 'color'} images of {spec.height}x{spec.width}"


def _classes(split: Split[Any]) -> int:
    return int(getattr(split.train.spec, "classes", 0))
