"""`gan sample`: samples from a trained generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import completing
from gancli.cli import groups as g
from gancli.cli import options as o
from gancli.core.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gancli.inference.generator import Model
    from gancli.inference.writing import SampleOptions
    from gancli.report.console import Console
    from gancli.runs.folder import Run

PLACE = 3
DEFAULT = "samples.png"
HOTTEST = 100  # temperature
LAST = 2**63 - 1  # of the seeds
MOST = 1_000_000  # samples
FORMS = (".png", ".txt", ".jsonl", ".gif", ".mp4", ".npz")  # of --out

N = Annotated[
    int | None,
    typer.Option(
        "--n",
        "-n",
        min=1,
        max=MOST,
        help="Number of samples.",
        show_default="64, or 8 of each class, of text 20; 8 seeds of a walk, 8 columns of --mix",
    ),
]
OUT_HELP = ".png a grid, .txt or .jsonl lines, a folder/ one file each, .gif or .mp4 a walk, .npz arrays."
OUT_DEFAULT = "samples.png; lines are printed"
Out = Annotated[str | None, typer.Option("--out", "-o", metavar="PATH", help=OUT_HELP, show_default=OUT_DEFAULT)]
Temperature = Annotated[
    float | None,
    typer.Option(help="Of text: below 1 less variety, more quality.", show_default="1"),
]
Prompt = Annotated[str | None, typer.Option(help="Of text: how each line begins.")]
Seed = Annotated[
    int | None, typer.Option(min=0, max=LAST, help="Sample i depends on seed + i alone.", show_default="0")
]
Seeds = Annotated[str | None, typer.Option(help="List of seeds: 0-63,99.")]
Label = Annotated[
    str | None,
    typer.Option(
        help="Class of all samples: 7, or its name.",
        autocompletion=completing.classes,
        show_default="by the seed, 8 of each",
    ),
]
Labels = Annotated[
    str | None, typer.Option(help="Classes in turn: 0-9, or cat,dog.", autocompletion=completing.classes)
]
Attr = Annotated[str | None, typer.Option(help="Attributes of all samples: slant=0.3,thickness=1.")]
Truncation = Annotated[
    float, typer.Option(min=0, max=1, help="Truncation psi; below 1: less variety, more typical samples.")
]
BEST_OF_HELP = "Candidates for each sample, among which the discriminator chooses (1810.06758)."
BestOf = Annotated[int, typer.Option(min=1, max=1000, help=BEST_OF_HELP)]
Ema = Annotated[bool, typer.Option(help="Use the EMA weights, or the raw ones.")]
Nrow = Annotated[int | None, typer.Option(min=1, help="Samples per row of the grid.")]
MIX_HELP = "A grid of mixed styles: coarse ones of these seeds, a row each; fine ones of --seeds, a column each."
Mix = Annotated[str | None, typer.Option(help=MIX_HELP)]
MixAt = Annotated[int | None, typer.Option(min=1, help="Layer where the fine styles begin. Default: half.")]
Frames = Annotated[
    int | None,
    typer.Option(
        min=2, max=2000, help="Frames of a walk, also of one in a folder.", show_default="60; more for many seeds"
    ),
]


@dataclass(frozen=True)
class Flags:
    """What was said of the samples."""

    n: N = None
    out: Out = None
    seed: Seed = None
    seeds: Seeds = None
    label: Label = None
    labels: Labels = None
    attr: Attr = None
    truncation: Truncation = 1.0
    best_of: BestOf = 1
    nrow: Nrow = None
    mix: Mix = None
    mix_at: MixAt = None
    frames: Frames = None
    temperature: Temperature = None
    prompt: Prompt = None

    @property
    def folder(self) -> bool:
        """Whether --out is one."""
        return self.out is not None and (self.out.endswith("/") or Path(self.out).is_dir())

    @property
    def walk(self) -> bool:
        """Whether a walk is asked for: a film, or its frames in a folder."""
        out = Path(DEFAULT if self.out is None else self.out)
        if self.folder or not out.suffix:
            return self.frames is not None
        return out.suffix.lower() in (".gif", ".mp4")

    def place(self, model: Model) -> Path | None:
        """Where the samples are written; None: they are printed."""
        if self.out is not None:
            return Path(self.out)
        return None if model.task.asks.printed else Path(DEFAULT)

    def numbers(self, default: int = 64) -> tuple[list[int], list[int] | None]:
        """The seeds, and those of the rows of a mix.

        Raises:
            UsageError: options contradict one another, or there are no such seeds.
        """
        if self.label is not None and self.labels is not None:
            raise UsageError("--label and --labels say the same thing", "give one of them")
        if self.mix is None and self.mix_at is not None:
            raise UsageError("--mix-at says where --mix goes over to fine styles", "add --mix 100-103")
        if self.mix is not None and self.nrow is not None:
            raise UsageError("--mix has a column for each seed of --seeds", "leave --nrow away")
        if self.seeds is not None and (self.n is not None or self.seed is not None):
            raise UsageError("--seeds names every seed", "leave --n and --seed away")
        rows = None if self.mix is None else o.seeds(self.mix)
        usual = default if rows is None and not self.walk else 8
        first = self.seed or 0
        seeds = o.seeds(self.seeds) if self.seeds is not None else [first + i for i in range(self.n or usual)]
        if (last := max([*seeds, *(rows or [])])) > (highest := (LAST + 1) // self.best_of - 1):
            raise UsageError(f"there is no seed {last}", f"the last is {highest}")
        if (count := len(seeds) * len(rows or [0])) > MOST:
            raise UsageError(f"--mix {self.mix} makes {count:,} images", "name fewer seeds")
        return seeds, rows

    def check(self, warn: Callable[[str], None], own_forms: bool) -> None:
        """Refuse, before anything is loaded, what cannot be made or written.

        Args:
            warn: called with a sentence on what is ignored.
            own_forms: whether plug-ins may know other forms.

        Raises:
            UsageError: the form is not known, the folder is not there, or as of `numbers`.
        """
        from gancli.runs.files import check_parent

        self.numbers()
        out = Path(DEFAULT if self.out is None else self.out)
        suffix = "" if self.folder else out.suffix.lower()
        if suffix and suffix not in FORMS and not own_forms:
            raise UsageError(f"--out {out}: do not know the form {suffix!r}", f"use {', '.join(FORMS)} or a folder/")
        if suffix:
            check_parent(out)
        o.film(out if self.walk else None)
        if self.temperature is not None and not 0 < self.temperature <= HOTTEST:
            raise UsageError(f"--temperature {self.temperature:g} is not in its range", f"above 0, at most {HOTTEST}")
        if self.frames is not None and not self.walk:
            warn("--frames are those of a walk (--out walk.gif, or a folder/): there are none here")

    def options(self, model: Model, facts: dict[str, Any]) -> SampleOptions:
        """The same for a model, whose classes may have been named."""
        from gancli.core.titles import ROW
        from gancli.inference.writing import SampleOptions
        from gancli.tasks.sampling import grid_seeds

        seeds, rows = self.numbers(model.task.asks.usual)
        named = self.label if self.label is not None else self.labels
        usual = self.n is None and self.seeds is None and named is None
        if usual and rows is None and not self.walk and not model.task.asks.printed:
            seeds = list(grid_seeds(model.choices, len(seeds), seeds[0]))
        classes = None if named is None else o.labels(named, model.classes)
        if classes and self.labels and self.n is None and self.seeds is None and rows is None and not self.walk:
            seeds = [seeds[0] + i for i in range(ROW * len(classes))]  # a column of each class
        return SampleOptions(
            seeds, classes, o.attributes(self.attr), self.truncation, self.best_of, self.nrow, self.frames, rows, self.mix_at,
            self.folder, facts, {"temperature": self.temperature, "prompt": self.prompt},
        )  # fmt: skip


@g.spread
def command(
    run: o.RunName = None,
    flags: Flags = Flags(),
    ema: Ema = True,
    standing: o.Standing = 0,
    step: o.Step = None,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    threads: o.Threads = None,
) -> None:
    """Generate samples. A seed gives the same sample whatever else is generated with it."""
    from gancli.distributed.ranks import here, rank
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json, rank=rank())
    flags.check(console.warn, own_forms=bool(plugin))
    o.plugins(plugin)
    found = folder.find(runs_dir, run)
    if run is None:
        console.note(f"run {found.path}")

    from gancli.inference.loading import load
    from gancli.inference.writing import excerpt, write
    from gancli.training import precision

    precision.set_threads(threads or 0)
    on = precision.device(here().device(device or "auto"))
    model = load(found.path, step=step, ema=ema, device=on, standing=standing, note=console.note)
    model.ranks = here()
    facts = {"run": found.name, "step": model.tick.step, "ema": model.facts["ema"]}
    options = flags.options(model, facts)
    place = flags.place(model)
    lines = None if place is not None else excerpt(model, options, console.bar)
    written = None if place is None else write(model, options, place, console.bar)
    if not model.ranks.is_first:
        return
    console.end()
    count = options.length if flags.walk else len(options.seeds) * len(options.mix or [0])
    where = "" if written is None else f" -> {written}"
    if not json:
        console.print_lines(lines or [])
    console.note(f"{count} {'frames' if flags.walk else 'samples'} of step {model.tick.step:,}{where}")
    if (found.path / "data.json").is_file():
        console.note(f"next     gan evaluate {found.word}")
    if options.classes is not None:
        _doubts(console, found, [model.class_name(k) for k in options.classes], model.tick.step)
    ends = [options.seeds[0], options.seeds[-1]]
    made = {"out": str(written)} if written is not None else {"lines": lines}
    console.result({**made, "n": count, "seeds": ends, **facts}, only_json=True)


def _doubts(console: Console, run: Run, classes: list[str], step: int) -> None:
    """Warn of classes that the run's evaluation found not to be what they are called; without one, say how to find out."""
    from gancli.core.files import read_capped
    from gancli.evaluation.results import Evaluation
    from gancli.report.classes import warnings
    from gancli.runs.files import MAX_JSON

    try:
        known = Evaluation.from_json(read_capped(run.path / "evaluation.json", MAX_JSON))
    except CheckpointError:
        console.note(f"whether samples look like their class: gan evaluate {run.word}")
        return
    at = known.protocol.get("fakes", {}).get("step")
    for text in warnings(known, classes):
        console.warn(f"{text} (evaluated at step {at:,})" if isinstance(at, int) and at != step else text)
