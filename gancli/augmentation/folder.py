"""The folder of an enlarged training set: originals, new images in `CLASS/gan-seed000123.png`, and `manifest.csv`.

Nothing that is there is changed or removed: the same command again completes the folder, another one is refused. Originals are linked
(symbolic links), copied, or written as PNG in the size of the training images where they do not lie in files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from gancli.augmentation.candidates import KEPT
from gancli.augmentation.contracts import Pool
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder, read_capped
from gancli.core.images import png
from gancli.runs.files import disk

MANIFEST = "manifest.csv"
HEAD = ("file", "class", "seed", "run", "agreement", "nearest", "ratio", "kept")
LARGEST = 1 << 30  # bytes of an original
MADE = re.compile(r"gan-seed\d{6,}\.png")
ORIGINAL = "original"


@dataclass(frozen=True)
class New:
    """A candidate: a file if it was kept, a line of the manifest in any case."""

    label: int
    seed: int
    image: np.ndarray  # uint8 [C, H, W]
    agreement: float
    nearest: int  # number of the training image
    ratio: float
    fate: str


def class_folders(names: Sequence[str]) -> list[str]:
    """A folder for each class: its name where a folder can have it, else its number."""
    return [name if re.fullmatch(r"\w[\w .+-]*", name) else str(k) for k, name in enumerate(names)]


def original_names(real: Pool, folders: Sequence[str], files: Sequence[str] | None) -> list[str]:
    """The path of each training image in the folder.

    Args:
        real: the training images.
        folders: of the classes.
        files: of the training images, where they lie in files.
    """
    out: list[str] = []
    taken: set[str] = set()
    for i, label in enumerate(real.labels.tolist()):
        name = f"real-{i:06}.png" if files is None else PurePosixPath(files[i]).name
        path = f"{folders[label]}/{name}"
        if path.lower() in taken or MADE.fullmatch(name):
            path = f"{folders[label]}/real-{i:06}-{name}"
        taken.add(path.lower())
        out.append(path)
    return out


def write(
    out: Path,
    real: Pool,
    names: Sequence[str],
    new: Sequence[New],
    run: str,
    originals: str,
    files: tuple[Path, Sequence[str]] | None,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> dict[str, int]:
    """Write the folder.

    Args:
        out: the folder.
        real: the training images.
        names: of the classes.
        new: candidates, kept or not, in the order of the manifest.
        run: the name of the run that made them.
        originals: `link`, `copy`, `png` or `none`.
        files: the folder of the training images and their paths in it, where they lie in files.
        progress: called with what is done, files written and all files.

    Returns:
        How many files are new, and how many were there.

    Raises:
        UsageError: the folder holds other images, or is inside the folder of the originals.
        ResourceError: the disk refuses.
    """
    if files is not None:
        _apart(out, files[0])
    folders = class_folders(names)
    paths = original_names(real, folders, None if files is None else files[1])
    wanted: dict[str, Callable[[], bytes]] = {}
    links: dict[str, str] = {}
    for i, path in enumerate(paths if originals != "none" else ()):
        if files is not None and originals == "link":
            links[path] = str(_file(files, i))
        elif files is not None and originals == "copy":
            wanted[path] = partial(read_capped, _file(files, i), LARGEST)
        else:
            wanted[path] = partial(png, real.images[i])
    for one in new:
        if one.fate == KEPT:
            recipe = {"run": run, "seed": one.seed, "label": one.label}
            wanted[_new_name(one, folders)] = partial(png, one.image, recipe)
    table = manifest(real, names, new, run, paths if originals != "none" else [], folders)
    with disk("images", out, then=""):
        _foreign(out, folders, {*wanted, *links})
        counts = _write_all(out, wanted, links, progress)
        _write_manifest(out, table)
    return counts


def _file(files: tuple[Path, Sequence[str]], i: int) -> Path:
    return files[0].resolve() / files[1][i]


def _apart(out: Path, originals: Path) -> None:
    place, there = out.resolve(), originals.resolve()
    if place == there or there in place.parents or place in there.parents:
        raise UsageError(
            f"--out {out} and the originals in {originals} are inside one another", "choose a folder beside them"
        )


def _new_name(one: New, folders: Sequence[str]) -> str:
    return f"{folders[one.label]}/gan-seed{one.seed:06}.png"


def manifest(
    real: Pool, names: Sequence[str], new: Sequence[New], run: str, originals: Sequence[str], folders: Sequence[str]
) -> bytes:
    """The lines of manifest.csv: first the originals, then all candidates; those that were dropped have no file."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEAD)
    for path, label in zip(originals, real.labels.tolist(), strict=False):
        lines.writerow([path, names[label], "", "", "", "", "", ORIGINAL])
    for one in new:
        file = _new_name(one, folders) if one.fate == KEPT else ""
        near = originals[one.nearest] if originals else one.nearest
        lines.writerow(
            [file, names[one.label], one.seed, run, f"{one.agreement:.4f}", near, f"{one.ratio:.4f}", one.fate]
        )
    return text.getvalue().encode()


def _foreign(out: Path, folders: Sequence[str], ours: set[str]) -> None:
    """Raises UsageError if the folder holds images of another command: they would be in no manifest."""
    place = Folder(out)
    for folder in folders:
        if (place / folder).exists():
            other = [
                name
                for name in (place / folder).names()
                if f"{folder}/{name}" not in ours and not name.startswith(".gan-")
            ]
            if other:
                raise UsageError(
                    f"{out} holds {len(other):,} images of class folder {folder} that this command does not write, such as {other[0]}",
                    "name another --out",
                )


def _write_all(
    out: Path,
    wanted: Mapping[str, Callable[[], bytes]],
    links: Mapping[str, str],
    progress: Callable[[str, int, int], None],
) -> dict[str, int]:
    """Write what is not there yet. What is there must be the same."""
    counts = {"written": 0, "already there": 0}
    total, top = len(wanted) + len(links), Folder(out)
    top.make(parents=True)
    for folder in sorted({path.rpartition("/")[0] for path in (*wanted, *links)}):
        (top / folder).make()
    for path, target in links.items():
        counts["written" if _link(out / path, target) else "already there"] += 1
        progress("writing", sum(counts.values()), total)
    for path, content in wanted.items():
        folder, _, name = path.rpartition("/")
        counts["written" if _put(top / folder, name, content()) else "already there"] += 1
        progress("writing", sum(counts.values()), total)
    return counts


def _link(path: Path, target: str) -> bool:
    """Make a symbolic link, unless it is there. Raises UsageError if something else is."""
    try:
        path.symlink_to(target)
    except FileExistsError:
        if not path.is_symlink() or str(path.readlink()) != target:
            raise UsageError(f"{path} is another file than this command would write", "name another --out") from None
        return False
    return True


def _put(folder: Folder, name: str, content: bytes) -> bool:
    """Write a file, unless it is there. Raises UsageError if another one is."""
    if folder.stat(name) is None:
        folder.write(name, content, synced=False)
        return True
    try:
        same = folder.read(name, len(content)) == content
    except CheckpointError:
        same = False
    if not same:
        raise UsageError(f"{folder.path / name} is another file than this command would write", "name another --out")
    return False


def _write_manifest(out: Path, table: bytes) -> None:
    folder = Folder(out)
    there = folder.stat(MANIFEST)
    if there is not None:
        try:
            head = folder.read(MANIFEST, LARGEST).partition(b"\n")[0]
        except CheckpointError:
            head = b""
        if head != ",".join(HEAD).encode():
            raise UsageError(f"{out / MANIFEST} was not written by gan augment", "name another --out")
        if head and folder.read(MANIFEST, LARGEST) == table:
            return
    folder.write(MANIFEST, table)
