"""What `gan evaluate` evaluates: the samples of a run, images from anywhere, or a baseline; and the data to compare with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import options as o
from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from gancli.core.config import Layer
    from gancli.core.data import Reading, Split
    from gancli.evaluation.generated import Generated
    from gancli.report.console import Console
    from gancli.runs.folder import Run

Degrade = Annotated[
    str | None,
    typer.Option(help="Degrade the test images by this, as in gauss:25+jpeg:10, and score their restoration."),
]
BaselineName = Annotated[str | None, typer.Option("--baseline", help="Score this baseline instead of a run.")]
Realism = Annotated[
    float | None, typer.Option(min=0, max=1, help="Of restorations: 0 faithful, 1 realistic.", show_default="0")
]

Direction = Annotated[
    str | None, typer.Option(help="Of translations: a-to-b or b-to-a.", show_default="the first that was learned")
]


@dataclass(frozen=True)
class Restoration:
    """What is restored, and by what; or in which direction it is translated."""

    degrade: Degrade = None
    baseline: BaselineName = None
    realism: Realism = None
    direction: Direction = None


KEYS = ("range", "labels", "unlabeled", "frames")  # of data, that --set may change


@dataclass(frozen=True)
class Subject:
    """What is evaluated, and how its data are read."""

    run: Run | None
    images: Path | None
    against: str | None
    data_dir: Path | None
    download: bool
    skip_broken: bool
    moved: str | None
    ema: bool
    standing: int
    step: int | None
    restoration: Restoration
    part: str
    options: Layer  # of data, changed by --set

    def reading(self, how: Reading) -> Reading:
        """How data are read that are not the run's own."""
        from gancli.core.config import data_options

        asked = data_options([{"data": self.options}])
        return replace(how, **{key: getattr(asked, key) for key in self.options})

    def check(self) -> None:
        """Raises UsageError if --set names keys that an evaluation does not use."""
        for key in self.options.keys() - set(KEYS):
            raise UsageError(f"--set data.{key}: it is not for an evaluation", f"there are: {', '.join(KEYS)}")


def subject(console: Console, of: Subject, n: int, seed: int, on: Any) -> tuple[Generated, str, Split[Any]]:
    """The samples, the features that the data's source names, and the data."""
    from gancli.core.data import Split
    from gancli.distributed.ranks import here
    from gancli.evaluation import degraded, inputs
    from gancli.training.prepare import cache_dir

    of.check()
    if of.run is None:
        return _of_no_run(console, of)
    own = inputs.data_dir(of.run) if of.against is None else None
    how = o.reading(console, of.data_dir, of.download, recorded=own)
    how = how if own is not None else of.reading(how)
    chain = of.restoration.degrade
    change = (lambda model: model) if chain is None else (lambda model: degraded.restoring(model, chain))
    model, source, split = inputs.of_run(
        of.run,
        of.against,
        how,
        of.ema,
        on,
        of.step,
        console.warn,
        of.standing,
        of.skip_broken,
        of.moved,
        change,
        of.options,
    )
    model.ranks = here()
    direction = of.restoration.direction
    split = split if direction is None else inputs.facing(split, model, direction)
    options = {"realism": of.restoration.realism, "direction": direction}
    reals = getattr(split, of.part)
    made = inputs.of_model(model, split.train, reals, n, seed, cache_dir(), console.bar, options)
    return made, source.features, Split(split.train, reals)


def _of_no_run(console: Console, of: Subject) -> tuple[Generated, str, Split[Any]]:
    """Images from anywhere, or the outputs of a baseline."""
    from gancli.evaluation import degraded, inputs

    assert of.against is not None
    how = of.reading(o.reading(console, of.data_dir, download=of.download))
    chain = of.restoration.degrade
    read_data = inputs.data if chain is not None or of.images is None else inputs.against
    source, split = read_data(of.against, how, of.skip_broken)
    if chain is not None:
        split = degraded.degraded(split, chain)
    if of.restoration.baseline is not None:
        return degraded.of_baseline(of.restoration.baseline, split), source.features, split
    assert of.images is not None
    read = inputs.pictures if chain is None else degraded.outputs
    return read(of.images, split, how, of.skip_broken), source.features, split
