"""Exporting a model: written beside, compared with torch, and only then put in its place."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gancli.core.errors import UsageError
from gancli.core.registry import build, parts
from gancli.export.contracts import Export, Source
from gancli.export.parity import Parity, compare
from gancli.runs.files import check_parent, disk

REFUSED = {
    "pt2": "a .pt2 file contains pickles, which can run code when it is loaded",
    "torchscript": "TorchScript is deprecated, and its files contain pickles, which can run code when they are loaded",
    "pickle": "a pickle can run code when it is loaded",
}
SYNONYMS = {"pt": "pickle", "pth": "pickle", "pkl": "pickle", "ckpt": "pickle", "jit": "torchscript"}


def format_of(name: str) -> Export:
    """The format of a name. Raises UsageError if there is none, or says why there is none."""
    why = REFUSED.get(SYNONYMS.get(name, name))
    if why is not None:
        raise UsageError(f"no --to {name}: {why}", f"use {' or '.join(parts('export'))}")
    part = build("export", name)
    assert isinstance(part, Export)
    return part


def export(form: Export, source: Source, out: Path) -> Parity | None:
    """Write a model in a format.

    Args:
        form: the format.
        source: the model.
        out: a file, which is replaced if it exists (as are small files that belong to it), or a folder, which must not exist.

    Returns:
        How the result compares with torch; None for formats that do not run.

    Raises:
        UsageError: the format does not suit the model, its libraries are missing, or `out` exists.
        ResourceError: the disk refuses, or the result differs from torch. Nothing is written then.
    """
    form.check_needs()
    check_parent(out)
    if out.exists() and (out.is_dir() or not form.suffix):
        raise UsageError(f"{out} exists", "name another --out")
    with disk("the exported model", out, then=""), _beside(out) as beside:
        form.write(source, beside)
        run = form.runner(source, beside)
        parity = None if run is None else compare(source.exportable, run, source.model.choices.classes)
        for ending, content in form.files(source).items():
            name = out.with_name(out.name.removesuffix(form.suffix) + ending)
            with _beside(name) as file:
                file.write_bytes(content)
            source.note(f"{form.name} -> {name}")
        return parity


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A path for a file or folder that takes the name `out` in the end, or is removed if an exception is raised."""
    beside = out.with_name(f".gan-{secrets.token_hex(8)}.part")
    try:
        yield beside
        beside.rename(out)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        beside.unlink(missing_ok=True)
