"""`gan augment`: new images for the classes of a training set, and a study of whether they help a classifier."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import groups as g
from gancli.cli import options as o
from gancli.core.errors import BoundError, UsageError

if TYPE_CHECKING:
    from gancli.augmentation.options import Options
    from gancli.augmentation.results import Result
    from gancli.augmentation.subject import Subject
    from gancli.augmentation.workflow import Work
    from gancli.report.console import Console
    from gancli.runs.folder import Run

PLACE = 4
QUICK = 0.5  # seconds of two trainings: below this their results are there already, or it does not matter
ORIGINALS = ("link", "copy", "png", "none")

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", help="Class-conditional run; several are folds of a study. Default: the newest."),
]
To = Annotated[
    str | None,
    o.option("Images", "Images per class: balanced, 1000, x2, or rare=500,other=300.", show_default="balanced"),
]
Out = Annotated[Path | None, o.option("Images", "Folder for originals, new images and manifest.csv.", "--out", "-o")]
Originals = Annotated[str, o.option("Images", "Originals in that folder: link, copy, png (as trained on), none.")]
Seed = Annotated[
    int | None, o.option("Images", "Seed of the first new image of each class.", min=0, max=2**40, show_default="0")
]
Agreement = Annotated[
    float | None,
    o.option(
        "Images",
        "Least probability of the class by a classifier of the training part; 0: off.",
        min=0,
        max=1,
        show_default="0.5",
    ),
]
Copies = Annotated[bool | None, o.option("Images", "Drop copies of training images.", "--drop-copies/--keep-copies")]
Rank = Annotated[
    float | None,
    o.option("Images", "Share of samples dropped that D ranks lowest; 0: off.", min=0, max=0.99, show_default="0.2"),
]
FEATURES_HELP = "Feature extractor for the filters. Default: a classifier trained on the training part."
Features = Annotated[str | None, o.option("Images", FEATURES_HELP)]
Study = Annotated[
    bool, o.option("Study", "Train a classifier with and without new images, and give a verdict.", "--study")
]
Seeds = Annotated[int | None, o.option("Study", "Trainings of each arm.", min=1, max=1000, show_default="10")]
ARMS_HELP = "Arms, comma-separated (gan list arm). Default: all."
Arms = Annotated[str | None, o.option("Study", ARMS_HELP)]
CLASSIFIER_HELP = "net, a classifier of scikit-learn, or file.py:NAME with fit and predict."
ClassifierName = Annotated[str | None, o.option("Study", CLASSIFIER_HELP, "--classifier")]
ScoreName = Annotated[
    str | None,
    o.option(
        "Study",
        "Score of the verdict: balanced-accuracy, macro-f1, recall, f1.",
        "--score",
        show_default="balanced-accuracy",
    ),
]
MoreReal = Annotated[
    Path | None, o.option("Study", "Folder of further real images (subfolders are classes), for comparison.")
]
Against = Annotated[str | None, o.option("Study", "Study this data set instead of the run's own.")]
FailIf = Annotated[list[str] | None, o.option("Study", 'Exit with code 8 if this holds: "gain-low<0".')]
StudyDir = Annotated[
    Path | None, o.option("Study", "Folder for study.json, study.png and results.", show_default="RUN/study")
]
Sets = Annotated[
    list[str] | None,
    o.option(
        "Study", "Any other option, such as classifier.steps=500 (docs/augment.md).", "--set", metavar="KEY=VALUE"
    ),
]
Ema = Annotated[bool, typer.Option(help="Use the EMA weights, or the raw ones.")]


@dataclass(frozen=True)
class ImageOptions:
    """Which images are made, and where they go."""

    to: To = None
    out: Out = None
    originals: Originals = "link"
    seed: Seed = None
    agreement: Agreement = None
    copies: Copies = None
    rank: Rank = None
    features: Features = None


@dataclass(frozen=True)
class StudyOptions:
    """What is compared."""

    study: Study = False
    seeds: Seeds = None
    arms: Arms = None
    classifier: ClassifierName = None
    score: ScoreName = None
    more_real: MoreReal = None
    against: Against = None
    fail_if: FailIf = None
    study_dir: StudyDir = None
    options: Sets = None


@dataclass(frozen=True)
class Source:
    """Which checkpoint of a run, and where its data are."""

    data: o.Moved = None
    data_dir: o.DataDir = None
    download: o.Download = True
    step: o.Step = None
    ema: Ema = True
    device: o.Device = None


@g.spread
def command(
    images: ImageOptions,
    study: StudyOptions,
    source: Source,
    runs: Runs = None,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    threads: o.Threads = None,
) -> None:
    """Enlarge a training set by generated images of its classes, or study whether they help a classifier."""
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json)
    o.plugins(plugin)
    names: list[str | None] = [*runs] if runs else [None]
    _check(images, study, len(names))
    found = [folder.find(runs_dir, name) for name in names]
    if not runs:
        console.note(f"run {found[0].path}")

    from gancli.augmentation import workflow
    from gancli.augmentation.results import parsed
    from gancli.training import precision
    from gancli.training.prepare import cache_dir

    for bound in study.fail_if or []:
        parsed(bound)
    options = _options(images, study)
    precision.set_threads(threads or 0)
    works: list[Work] = []
    for run in found:
        of = _subject(console, run, source, study)
        works.append(workflow.look(of, options, cache_dir(), images.features, study.study, console.bar))
        console.end()
    if images.out is not None:
        _write(console, works[0], options, images.out, images.originals, study.study)
    if study.study:
        result = _study(console, works, options, [study.study_dir or run.path / "study" for run in found])
        _check_bounds(study.fail_if or [], result)


def _check(images: ImageOptions, study: StudyOptions, runs: int) -> None:
    """Refuse, before anything is loaded, what makes no sense."""
    if images.out is None and not study.study:
        raise UsageError("gan augment writes images or studies them", "add --out FOLDER, --study, or both")
    if images.originals not in ORIGINALS:
        raise UsageError(f"--originals {images.originals!r} is unknown", f"there are: {', '.join(ORIGINALS)}")
    if images.out is not None and runs > 1:
        raise UsageError("--out takes the images of one run", "name one run")
    if images.out is not None and images.out.exists() and not images.out.is_dir():
        raise UsageError(f"--out {images.out} is a file", "name a folder")
    only = {
        "--arms": study.arms, "--classifier": study.classifier, "--score": study.score,
        "--more-real": study.more_real, "--fail-if": study.fail_if, "--study-dir": study.study_dir,
    }  # fmt: skip
    given = next((name for name, value in only.items() if value is not None), None)
    if given and not study.study:
        raise UsageError(f"{given} is an option of the study", "add --study")
    if study.study_dir is not None and runs > 1:
        raise UsageError("--study-dir takes the results of one run", "omit it: each run gets a folder study")
    if study.more_real is not None and not study.more_real.is_dir():
        raise UsageError(f"--more-real {study.more_real} is no folder", "name a folder whose subfolders are classes")


def _options(images: ImageOptions, study: StudyOptions) -> Options:
    """The options of the study from those of the command line; --set overrides them."""
    from gancli.augmentation.classifiers.estimator import named
    from gancli.augmentation.options import Options
    from gancli.core.config import merge, parse_set
    from gancli.core.registry import validated

    filters = {"agreement": images.agreement, "copies": images.copies, "rank": images.rank}
    given: dict[str, Any] = {
        "to": images.to,
        "seed": images.seed,
        "seeds": study.seeds,
        "score": study.score,
        "arms": None if study.arms is None else o.names(study.arms),
        "classifier": None if study.classifier is None else named(study.classifier),
        "filters": {name: value for name, value in filters.items() if value is not None},
    }
    if images.agreement is not None:
        given["agreements"] = [images.agreement]
    layers = [{"classifier": {"name": "net"}}, {name: value for name, value in given.items() if value is not None}]
    table = merge([*layers, *(parse_set(text) for text in study.options or [])])
    options = validated(Options, table, "the study")
    options.classifier.check()
    return options


def _subject(console: Console, run: Run, source: Source, study: StudyOptions) -> Subject:
    from gancli.augmentation.subject import subject
    from gancli.evaluation import inputs
    from gancli.training import precision

    own = inputs.data_dir(run) if study.against is None else None
    how = o.reading(console, source.data_dir, source.download, recorded=own)
    on = precision.device(source.device or "auto")
    return subject(run, how, console.warn, study.against, source.data, source.step, source.ema, study.more_real, on)


def _write(console: Console, work: Work, options: Options, out: Path, originals: str, studied: bool) -> None:
    from gancli.augmentation import images as found
    from gancli.augmentation import workflow
    from gancli.report import study as report

    counts = workflow.write(work, options, out, originals, console.bar)
    console.end()
    described = work.described(options.filters)
    said = [*work.findings(), *found.lacking(described)]
    for text in said:
        console.warn(text)
    parts = work.of.parts
    if not console.json:
        report.images(console, described)
    made = sum(of["kept"] for of in described.values())
    console.note(
        f"{len(parts.real):,} originals of the training set and {made:,} new images -> {out}"
        f" ({counts['written']:,} written, {counts['already there']:,} already there)"
    )
    console.note(
        f"{len(parts.validation):,} validation and {len(parts.test):,} test images are not in it: use them to evaluate, never {out}"
    )
    if not studied:
        console.note(f"next     gan augment {work.of.run.word} --to {options.to} --study")
        console.result({"out": str(out), "new": described, "findings": said, **counts}, only_json=True)


def _study(console: Console, works: list[Work], options: Options, places: list[Path]) -> Result:
    from gancli.augmentation import workflow
    from gancli.augmentation.store import Store
    from gancli.core.files import Folder
    from gancli.report import study as report
    from gancli.runs.files import as_json, disk

    begun = time.monotonic()
    times: dict[str, list[float]] = {}

    def progress(what: str, done: int, total: int) -> None:
        own = times.setdefault(what, [])
        own.append(time.monotonic())
        if len(own) == 3 and total > done and own[2] - own[0] > QUICK:
            minutes = (own[2] - own[0]) / 2 * total / 60
            console.note(f"{what}: {total:,} trainings, about {minutes:.1f} minutes")
        console.bar(what, done, total)

    with disk("the study", places[0], then=""):
        result = workflow.study(works, options, [Store(place) for place in places], progress)
        Folder(places[0]).make(parents=True)
        Folder(places[0]).write("study.json", as_json(dict(result.values)))
        n = len(works) - 1
        others = f" and {n} other fold{'s' if n > 1 else ''}" if n else ""
        report.draw(result.values, places[0] / "study.png", works[0].of.run.name + others)
    console.end()
    if console.json:
        console.dump(dict(result.values))
    else:
        report.show(console, result.values)
    console.note(f"study    {places[0] / 'study.json'}, study.png, in {(time.monotonic() - begun) / 60:.1f} minutes")
    return result


def _check_bounds(bounds: list[str], result: Result) -> None:
    """Raises BoundError if one holds."""
    for bound in bounds:
        if result.holds(bound):
            raise BoundError(f"{bound} holds: {result.values['verdict']['sentence']}")
