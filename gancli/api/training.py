"""Training from Python: the same as `gan train` and `gan resume`, with callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.api.callbacks import Callback
from gancli.core.config import Layer, data_options, nest, read_table
from gancli.core.data import Reading
from gancli.core.registry import load_plugin
from gancli.report.console import Console
from gancli.report.reporter import Reporter
from gancli.runs import folder, journal
from gancli.training import start
from gancli.training.prepare import Plan, Request, again, cache_dir, make
from gancli.training.session import train as session

if TYPE_CHECKING:
    from gancli.core.config import Data
    from gancli.inference.generator import Model

KEYS = {  # arguments -> keys of the configuration
    "data": "data.source", "image_size": "data.image_size", "channels": "data.channels", "epochs": "stop.epochs",
    "images": "stop.images", "max_steps": "stop.max_steps", "max_minutes": "stop.max_minutes", "until": "stop.until",
    "evaluate_every": "intervals.evaluate", "batch_size": "batch_size", "seed": "seed", "device": "runtime.device",
    "threads": "runtime.threads",
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A run after training.

    Attributes:
        path: of the run folder.
        reason: why the training ended: "images", "steps", "minutes", "quality", or "asked" by a callback.
    """

    path: Path
    reason: str

    def model(self, **options: Any) -> Model:
        """The trained model; `options` are those of `gancli.load`."""
        from gancli.inference.loading import load

        return load(self.path, **options)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl: step, epoch, images, d_loss, g_loss, ..."""
        return journal.read(folder.Run(self.path).journal)

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The validation scores, the lines of scores.jsonl."""
        return journal.read(folder.Run(self.path).scores)


def train(
    data: str | Path | None = None,
    *,
    preset: str | None = None,
    name: str | None = None,
    runs_dir: str | Path = "runs",
    config: str | Path | None = None,
    start_from: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    plugins: Sequence[str | Path] = (),
    data_dir: str | Path | None = None,
    download: bool = True,
    quiet: bool = False,
    **more: Any,
) -> Trained:
    """Train a model, as `gan train` does.

    Args:
        data: name of a data set, or a folder, .zip or .npz; default: MNIST if it is available, else digits.
        preset: training recipe; default: chosen for the data.
        name: of the run folder; default: DATA-PRESET-NUMBER.
        runs_dir: where run folders are.
        config: TOML file, or the config.json of a run.
        start_from: run or model folder whose weights the nets start from.
        options: any keys of the configuration: {"task.loss": "hinge", "optimizer.lr": 1e-4}.
        callbacks: receive the events of the training, and may stop it.
        plugins: Python files that define parts. They are executed.
        data_dir: folder of downloaded data sets.
        download: whether missing ones may be downloaded.
        quiet: print nothing.
        more: epochs, images, max_steps, max_minutes, until, evaluate_every, batch_size, seed, image_size, channels, device,
            threads.

    Returns:
        The run.

    Raises:
        GanError: the data, an option or the training fail; with cause and remedy.
        TypeError: an argument is unknown.
    """
    for file in plugins:
        load_plugin(Path(file))
    console, runs = Console(quiet=quiet), Path(runs_dir)
    folder.check_place(runs, name)
    given = {"data": None if data is None else str(data), **more}
    layers = [*([] if config is None else [read_table(Path(config))]), *_layers(given, options)]
    if start_from is not None:
        layers.append(nest("transfer.weights", str(folder.find(runs, str(start_from)).path.resolve())))
    how = _reading(console, data_dir, download, data_options(layers))
    request = Request(layers, preset, how.data_dir, how.cache_dir, download)
    plan = make(request, how)
    reporter = Reporter(console, plan)
    reporter.announce()
    run, resumed = start.begin(request, plan, runs, name)
    console.open(run)
    return _session(run, plan, reporter, callbacks, resumed)


def resume(
    run: str | Path,
    *,
    runs_dir: str | Path = "runs",
    data: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    plugins: Sequence[str | Path] = (),
    data_dir: str | Path | None = None,
    download: bool = True,
    quiet: bool = False,
    **more: Any,
) -> Trained:
    """Resume a run from its last checkpoint, as `gan resume` does.

    Args:
        run: name or path of the run.
        runs_dir: where run folders are.
        data: where the run's data is now, if it has moved.
        options: keys of the configuration that a resume may change.
        callbacks: as in `train`.
        plugins: as in `train`.
        data_dir: as in `train`.
        download: as in `train`.
        quiet: print nothing.
        more: epochs, images, max_steps, max_minutes, until, evaluate_every, batch_size, device, threads.

    Returns:
        The run.

    Raises:
        GanError: the run, the data or the training fail; with cause and remedy.
        TypeError: an argument is unknown.
    """
    from gancli.evaluation import inputs

    for file in plugins:
        load_plugin(Path(file))
    console, found = Console(quiet=quiet), folder.find(Path(runs_dir), str(run))
    console.note(f"resuming {found.path}")
    cfg = start.extend(found, _layers(more, options), None if data is None else str(data))
    place = inputs.data_dir(found) if data_dir is None else Path(data_dir)
    plan = again(cfg, _reading(console, place, download, cfg.data))
    return _session(found, plan, Reporter(console, plan), callbacks, True)


def _session(run: folder.Run, plan: Plan, reporter: Reporter, callbacks: Sequence[Callback], resumed: bool) -> Trained:
    with reporter.until_stopped(run):
        reason, state = session(
            run, plan, [reporter, *callbacks], resumed, stop=lambda: any(callback.stop for callback in callbacks)
        )
    del state
    reporter.finish(run, reason)
    return Trained(run.path, reason)


def _layers(given: Mapping[str, Any], options: Mapping[str, Any] | None) -> list[Layer]:
    """Layers of the configuration. Raises TypeError for unknown arguments."""
    if unknown := given.keys() - KEYS.keys():
        raise TypeError(f"unknown argument {min(unknown)!r}; there are {', '.join(KEYS)}, and options={{key: value}}")
    layers = [nest(KEYS[name], _plain(name, value)) for name, value in given.items() if value is not None]
    return [*layers, *(nest(key, value) for key, value in (options or {}).items())]


def _plain(name: str, value: Any) -> Any:
    return [value, value] if name == "image_size" and isinstance(value, int) else value


def _reading(console: Console, data_dir: str | Path | None, download: bool, asked: Data) -> Reading:
    place = cache_dir() / "data" if data_dir is None else Path(data_dir)
    how = Reading(place, cache_dir(), download=download, progress=console.bar, note=console.note, warn=console.warn)
    return how.requested(asked)
