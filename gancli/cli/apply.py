"""`gan apply`: a trained model applied to pictures of any size: translation, restoration."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gancli.cli import options as o
from gancli.cli.naming import run_and_files
from gancli.core.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from gancli.core.specs import ImageMap
    from gancli.data.whole import Picture
    from gancli.inference.apply import Applier
    from gancli.inference.folders import Item, Place
    from gancli.inference.masks import Masks
    from gancli.report.console import Console

PLACE = 4
SHOWN = 20  # skipped pictures that are named
FORMS = ("png", "jpg", "webp", "tif")

Inputs = Annotated[
    list[str] | None, typer.Argument(metavar="INPUT...", help="Pictures, folders, zips; - is standard input.")
]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="PATH", help="Folder, or a file for one output; - is standard output.")
]
Direction = Annotated[
    str, typer.Option(help="a-to-b or b-to-a, where the model has learned both.", show_default="the first")
]
N = Annotated[int, typer.Option("--n", "-n", min=1, max=10_000, help="Outputs of each picture, of models with noise.")]
Seed = Annotated[int, typer.Option(min=0, max=2**62, help="Seed of the first output of each picture.")]
Form = Annotated[str, typer.Option("--format", help="png, jpg, webp or tif, of the files in a folder.")]
Alpha = Annotated[str, typer.Option(help="Transparency: keep, or drop. The model sees white behind it.")]
Compare = Annotated[bool, typer.Option("--compare", help="Write input, output (and target) side by side.")]
Target = Annotated[str | None, typer.Option(help="Folder, zip or file with the targets that --compare shows.")]
Tile = Annotated[
    int | None,
    typer.Option(
        min=16, help="Side of the tiles of larger pictures.", show_default="1024 over 1.5 megapixels, else none"
    ),
]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Accepted for scripts: pictures are mapped one at a time.", hidden=True)
]
Mask = Annotated[
    str | None,
    typer.Option(
        help="Missing pixels: a file, folder or zip. Default: NAME_mask.png beside NAME.png, or what is transparent."
    ),
]
HoleColor = Annotated[
    str,
    typer.Option("--hole", help="What is missing in masks: white, black or alpha.", show_default="alpha 0, else white"),
]
Realism = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Of restorations: 0 faithful, 1 realistic.",
        show_default="0; 1 where inputs have several outputs",
    ),
]
Ema = Annotated[bool, typer.Option(help="Use the EMA weights, or the raw ones.")]


@dataclass(frozen=True)
class Flags:
    """What was said of inputs and outputs."""

    out: str
    n: int
    seed: int
    form: str
    alpha: str
    compare: bool
    target: str | None

    def check(self) -> None:
        """Raises UsageError for a value that is none."""
        if self.form not in FORMS:
            raise UsageError(f"--format {self.form!r}", f"use {', '.join(FORMS)}")
        if self.alpha not in ("keep", "drop"):
            raise UsageError(f"--alpha {self.alpha!r}", "use keep or drop")
        if self.target is not None and not self.compare:
            raise UsageError("--target is shown by --compare", "add --compare")


def command(
    run: o.RunName = None,
    inputs: Inputs = None,
    out: Out = "applied",
    direction: Direction = "",
    n: N = 1,
    seed: Seed = 0,
    format_: Form = "png",
    alpha: Alpha = "keep",
    compare: Compare = False,
    target: Target = None,
    mask: Mask = None,
    hole: HoleColor = "auto",
    realism: Realism = None,
    tile: Tile = None,
    batch_size: BatchSize = 1,  # noqa: ARG001
    ema: Ema = True,
    step: o.Step = None,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    threads: o.Threads = None,
) -> None:
    """Apply a model to pictures: translate or restore them. The size is kept; inputs are never overwritten."""
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json)
    flags = Flags(out, n, seed, format_, alpha, compare, target)
    flags.check()
    o.plugins(plugin)
    name, named = run_and_files(run, inputs, "picture")
    found = folder.find(runs_dir, name)
    if name is None:
        console.note(f"run {found.path}")

    from gancli.inference.apply import Applier
    from gancli.inference.folders import Place, items
    from gancli.inference.loading import load
    from gancli.inference.masks import Masks
    from gancli.training import precision

    masks = Masks(mask, cast("Any", hole))
    wanted = masks.apart(items(named))
    place = Place(out if out != "applied" or named != ["-"] else "-", f".{format_}")
    if place.is_pipe and json:
        raise UsageError("--json and --out - both write to standard output", "name a file")
    endings = [f"-{seed + i}" for i in range(n)] if n > 1 else [""]
    files = place.files(wanted, endings)
    precision.set_threads(threads or 0)
    model = load(found.path, step=step, ema=ema, device=precision.device(device or "auto"), note=console.note)
    applier = Applier(model, direction, "keep" if alpha == "keep" else "drop", tile, {"realism": realism})
    _check_map(applier.map, mask, n)
    facts = {"run": found.name, "step": model.tick.step, **({} if realism is None else {"realism": realism})}
    job = _Job(console, applier, flags, place, facts, masks)
    job.run(wanted, files)


def _check_map(of: ImageMap, mask: str | None, n: int) -> None:
    """Raises UsageError for what the model has not learned."""
    if mask is not None and not of.masks:
        raise UsageError("this model fills no missing pixels", "leave --mask away, or train with --preset inpaint")
    if n > 1 and not of.answers:
        raise UsageError("this model has one output for each picture", "leave --n away, or train with --set task.z=8")


@dataclass
class _Job:
    """Pictures, one after the other."""

    console: Console
    applier: Applier
    flags: Flags
    place: Place
    facts: dict[str, Any]
    masks: Masks
    alone: bool = True

    def run(self, wanted: list[Item], files: list[list[Path]]) -> None:
        """Map and write all pictures, and report. Raises DataError at the end if some cannot be read."""
        from gancli.data.collection import shown
        from gancli.data.decode import BrokenImageError

        self.alone = len(wanted) == 1
        targets, written, skipped = self._targets(), [], dict[str, str]()
        for i, (item, paths) in enumerate(zip(wanted, files, strict=True)):
            try:
                written += self._one(item, paths, targets.get(item.stem))
            except BrokenImageError as error:
                skipped[shown(item.name)] = str(error)
            self.console.bar("applying", i + 1, len(wanted))
        self.console.end()
        for name, why in list(skipped.items())[:SHOWN]:
            self.console.warn(f"{name} is skipped: {why}")
        if written and not self.place.is_pipe:
            what = written[0] if len(written) == 1 else f"{len(written)} pictures"
            self.console.note(f"{what} -> {self.place.out}" if len(written) > 1 else f"written {what}")
        result = {"out": self.place.out, "files": written, "skipped": skipped, **self.facts}
        self.console.result(result, only_json=True)
        if skipped:
            raise DataError(
                f"{len(skipped)} of {len(wanted)} pictures cannot be read; the others are written",
                "mend or remove them",
            )

    def _targets(self) -> dict[str, Item]:
        from gancli.inference.folders import items

        return {item.stem: item for item in items([self.flags.target])} if self.flags.target is not None else {}

    def _one(self, item: Item, paths: list[Path], target: Item | None) -> list[str]:
        """Map a picture. Returns the files written. Raises BrokenImageError."""
        from gancli.data import whole
        from gancli.inference.apply import beside

        picture = whole.read(item.read())
        truth = None if target is None else whole.read(target.read())
        mask = self._mask(item, picture)
        for i, path in enumerate(paths):
            seed = self.flags.seed + i if self.applier.map.answers else None
            made = self.applier(picture, seed, mask)
            recipe = {**self.facts, "input": item.name, **({} if seed is None else {"seed": seed})}
            self._write(beside(picture, made, truth) if self.flags.compare else made, path, recipe)
        return [str(path) for path in paths]

    def _mask(self, item: Item, picture: Picture) -> np.ndarray | None:
        """The missing pixels, if the model fills them. Of several pictures, one without a mask is skipped (BrokenImageError)."""
        from gancli.data.decode import BrokenImageError
        from gancli.inference.masks import said

        if not self.applier.map.masks:
            return None
        try:
            mask = self.masks.of(item, picture)
        except DataError as error:
            if self.alone:
                raise
            raise BrokenImageError(error.cause) from None
        text, warning = said(mask)
        if warning:
            self.console.warn(f"{item.name}: {warning}")
        elif self.alone:
            self.console.note(text)
        return mask

    def _write(self, picture: Picture, path: Path, recipe: dict[str, Any]) -> None:
        from gancli.core.files import Folder
        from gancli.data import whole
        from gancli.runs.files import disk

        if self.place.is_pipe:
            sys.stdout.buffer.write(whole.encode(picture, ".png", recipe))
            sys.stdout.buffer.flush()
            return
        with disk("the picture", path, then=""):
            top = Path(self.place.out)
            folder = Folder(path.parent, len(path.parent.relative_to(top).parts) if top in path.parents else 0)
            folder.make(parents=True)
            folder.write(path.name, whole.encode(picture, path.suffix.lower(), recipe), synced=False)
