"""What benchmarks of whole runs share: a run that goes on where a call was broken off, its checkpoints, its time, a section of a page."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gancli.core.config import Layer, differences
from gancli.core.data import Reading
from gancli.core.errors import UsageError
from gancli.inference.generator import Model
from gancli.inference.loading import load
from gancli.report.console import Console
from gancli.report.reporter import Reporter
from gancli.runs import checkpoint, journal
from gancli.runs.folder import Run
from gancli.training.prepare import Request, cache_dir, make
from gancli.training.session import train
from gancli.training.start import start

ALL = 1_000_000  # checkpoints to keep
LOG = 10  # steps between lines of the journal
NEAR = 5  # lines of the journal on either side
PAUSE = 5.0  # a line that takes so many times as long as those was a pause


def reading(data_dir: Path) -> Reading:
    return Reading(data_dir, cache_dir(), download=False)


def trained(run: Run, layers: list[Layer], data_dir: Path, images: int, every: int, threads: int) -> None:
    """Train a run to `images` real images seen, or go on with it; a checkpoint every `every` images, and all are kept.

    Raises UsageError if the run is there and was made with other options.
    """
    console, how = Console(), reading(data_dir)
    intervals = {
        "log": LOG,
        "save": every,
        "sample": every,
        "keep": ALL,
    }  # grids with the checkpoints, whose time is not counted
    own: Layer = {
        "stop": {"images": images},
        "intervals": intervals,
        "runtime": {"threads": threads, "precision": "fp32"},
    }
    request = Request([own, *layers], None, data_dir, how.cache_dir, False)
    plan = make(request, how)
    reporter = Reporter(console, plan)
    resumed = (run.path / "config.json").is_file()
    if resumed:
        wrong = [k for k in differences(run.config(), plan.cfg) if not k.startswith("runtime.")]
        if wrong:
            raise UsageError(f"{run.path} was made with other {', '.join(wrong)}", "choose another name or --place")
        if seen(run) >= images:
            return
    else:
        reporter.announce()
        start(request, plan, run.path.parent, run.name)
    console.open(run)
    train(run, plan, [reporter], resumed)


def seen(run: Run) -> int:
    """Real images seen when the newest checkpoint was written."""
    there = (run.model / "config.json").is_file()
    return int(run.json("model/config.json")["tick"]["images"]) if there else 0


def points(run: Run) -> list[Path]:
    """The checkpoints that are kept, oldest first."""
    return checkpoint.listed(run.checkpoints)[::-1]


def at(point: Path) -> Model:
    """The model of one checkpoint."""
    return load(point.parent.parent, step=checkpoint.step_of(point))


def parameters(model: Model) -> dict[str, int]:
    return {name: sum(p.numel() for p in net.parameters()) for name, net in model.nets.items()}


def seconds(run: Run, images: int) -> float:
    """Seconds of training until so many images were seen; where it was paused, the pause is left out."""
    lines = journal.read(run.journal)
    took = np.diff([0.0, *(line["seconds"] for line in lines)])
    usual = np.array([np.median(took[max(0, i - NEAR) : i + NEAR + 1]) for i in range(len(took))])
    whole = np.where(took > PAUSE * usual, usual, took).cumsum()
    return float(np.interp(images, [0, *(line["images"] for line in lines)], [0, *whole]))


def speed(run: Run) -> float:
    """Images per second: the median of the journal's lines."""
    return float(np.median([line["images_per_s"] for line in journal.read(run.journal)]))


def made_by(run: Run) -> dict[str, object]:
    """Versions and the kind of machine that trained the run."""
    known = run.json("environment.json")
    return {key: known[key] for key in ("versions", "device", "cores", "threads")}


def with_error(value: float, error: float | None) -> str:
    """Two digits of the error, and as many of the value."""
    if not error:
        return f"{value:.3g}"
    digits = min(4, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def rewrite(page: Path, mark: str, text: str) -> None:
    """Put a text between `<!-- mark -->` and `<!-- /mark -->`."""
    first, last = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    whole = page.read_text()
    before, after = whole.index(first) + len(first), whole.index(last)
    page.write_text(f"{whole[:before]}\n{text.strip()}\n\n{whole[after:]}")
