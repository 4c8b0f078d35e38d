"""`gan data`: inspect a data set before training on it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import groups as g
from gancli.cli import options as o

if TYPE_CHECKING:
    from gancli.core.registry import Part
    from gancli.data.inspect import Report
    from gancli.report.console import Console

PLACE = 6
COLORS = {1: "grayscale", 3: "RGB", 4: "RGBA"}

DataSet = Annotated[str, typer.Argument(help="Data set name (gan list data), folder, .zip or .npz.")]
Preview = Annotated[Path | None, o.option("Output", "Write a PNG grid of training images to this file.")]
Label = Annotated[str | None, o.option("Output", "Only images of this class in the preview.", "--label")]


def command(
    data: DataSet,
    preview: Preview = None,
    label: Label = None,
    image_size: o.Size = None,
    channels: o.Channels = None,
    layout: o.Layout = None,
    skip_broken: o.SkipBroken = None,
    set_: o.Set = None,
    unit: o.Unit = None,
    max_length: o.MaxLength = None,
    data_dir: o.DataDir = None,
    download: o.Download = True,
    plugin: o.Plugin = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Inspect a data set: number of images, sizes, classes, broken files; with a preview."""
    from gancli.core.config import data_options
    from gancli.core.registry import build
    from gancli.data.find import source_for
    from gancli.data.inspect import inspect, of_class
    from gancli.report.console import Console

    console = Console(quiet=quiet, json=json)
    o.plugins(plugin)
    given = g.DataOptions(
        image_size=image_size,
        channels=channels,
        layout=layout,
        unit=unit,
        max_length=max_length,
        skip_broken=skip_broken,
    )
    table = g.data_layer(given, g.SetOptions(set_=set_))
    of_source = table.pop("source", {})
    asked = data_options([{"data": table}])
    source: Any = build("data", {**source_for(data, of_source), **of_source})
    report = inspect(source, o.reading(console, data_dir, download, asked))
    console.end()
    if label is not None:
        report = of_class(report, label)
    found = report.as_json()
    if json:
        console.result({**found, "tasks": _tasks(report)})
    else:
        console.result(_in_words(found, source))
        for name, why in list(report.broken.items())[:20]:
            console.warn(f"{name}: {why}")
        for warning in report.warnings:
            console.warn(warning)
    if report.refusal is not None:
        raise report.refusal
    if preview is not None:
        _preview(console, report, preview, data)


def _tasks(report: Report) -> list[str]:
    """The tasks that learn from such data, with their default options; the default task first."""
    from gancli.core.errors import GanError
    from gancli.core.registry import build, parts

    out: list[tuple[bool, str]] = []
    for name, cls in parts("task").items():
        with contextlib.suppress(GanError, TypeError, ValueError):
            task: Any = build("task", {"name": name})
            if report.split is not None and isinstance(task.dataset(report.split.train).spec, task.accepts):
                out.append((not getattr(cls, "is_default", False), name))
    return [name for _, name in sorted(out)]


def _preview(console: Console, report: Report, file: Path, data: str) -> None:
    """Write a grid of training images."""
    import numpy as np

    from gancli.core.files import write_atomic
    from gancli.core.images import ImageSamples
    from gancli.core.titles import ROW, ROWS
    from gancli.runs.files import disk

    assert report.split is not None
    shown = report.split.train.samples().take(np.array(report.preview))
    with disk("the preview", file, then=""):
        names = list(getattr(report.split.train, "classes", ()))
        columns = None if len(names) > ROWS else ROW if type(shown) is ImageSamples else 2
        write_atomic(file, shown.render(columns, {"data": data, "classes": names}).content)
    console.note(f"preview {file}")


def _in_words(found: dict[str, Any], source: Part) -> dict[str, Any]:
    """The report without Python's brackets."""
    shape, broken, notes = found["shape"], found.pop("broken"), found.pop("notes")
    del found["warnings"]
    return {
        **found,
        "source": _source(source),
        "shape": "none" if shape is None else "{1}x{2}, {0}".format(COLORS.get(shape[0], shape[0]), *shape[1:]),
        "sizes": _first(found["sizes"]),
        "classes": _counts(found["classes"]),
        "attributes": [f"{name} {a['min']:.3g} to {a['max']:.3g}" for name, a in found["attributes"].items()],
        "broken": len(broken),
        "notes": dict.fromkeys(notes, ""),  # a line each
    }


def _source(source: Part) -> str:
    """`folder /path`, with the options that are not the default."""
    fields = type(source).model_fields
    options = [f"{k}={v}" for k, v in source if k != "path" and v != fields[k].get_default(call_default_factory=True)]
    return " ".join([source.name, *([source.path] if hasattr(source, "path") else []), *options])


def _counts(classes: dict[str, dict[str, int]]) -> str:
    """`0 cat 10, 1 dog 12`: index, name where it says more, images."""
    numbered = enumerate(classes.items())
    named = [(f"{i}" if name == str(i) else f"{i} {name}", sum(n.values())) for i, (name, n) in numbered]
    shown = [f"{name} {n:,}" for name, n in named[:12]]
    more = f", and {len(classes) - 12} more" if len(classes) > 12 else ""
    return ", ".join(shown) + more if shown else "none"


def _first(sizes: dict[str, int]) -> str:
    shown = [f"{size} ({n:,})" for size, n in list(sizes.items())[:8]]
    return ", ".join(shown) + (f", and {len(sizes) - 8} more" if len(sizes) > 8 else "")
