"""What is known of each picture of a folder or zip: from tables (`data/columns.py`), else from the folders.

A table lies beside the pictures, in the one folder that everything lies in, or in the folder of a part (train/).
Classes are sorted, as numbers where all are numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import DataError
from gancli.data import columns, tables
from gancli.data.collection import same_name, shown
from gancli.data.layout import OUTSIDE, layout
from gancli.data.matching import Names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gancli.core.data import Reading
    from gancli.data.collection import FileCollection
    from gancli.data.layout import Layout

ORDER = ("labels", "metadata", "dataset", "train", "annotations", "attributes", "list_attr_celeba")  # which goes first
OURS = "labels"  # a table of this name must be one
NAME = re.compile(
    r"(train[ _-]?)?(labels?|metadata|dataset|train|annotations?|attributes?|targets?|list_attr_celeba)", re.I
)
INTEGER = re.compile(r"-?\d{1,18}(\.0+)?", re.ASCII)
LONGEST = 200  # characters of a class's name
FEW = 0.5  # of the pictures: where a table names fewer, something is wrong
UNLABELED = "unlabeled"


@dataclass(frozen=True)
class Known:
    """Beside N pictures: labels int64 [N] with the classes' names, attributes float32 [N, A] with theirs, parts int64 [N] of a split."""

    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()
    parts: np.ndarray | None = None

    def take(self, index: np.ndarray) -> Known:
        """Of some of the pictures."""
        labels, attributes, parts = (
            None if part is None else part[index] for part in (self.labels, self.attributes, self.parts)
        )
        return replace(self, labels=labels, attributes=attributes, parts=parts)


@dataclass
class Found:
    """What is known of the pictures that are used, and what to say of it."""

    known: Known
    keep: np.ndarray  # indices of the pictures
    read: set[str] = field(default_factory=set)  # names of the tables
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def known(files: FileCollection, names: Sequence[str], how: Reading) -> Found:
    """What is known of pictures beside their pixels.

    Args:
        files: that they are among, and tables, if there are any.
        names: of the pictures.
        how: which column holds the classes, and what becomes of pictures without a label.

    Raises:
        DataError: a table is broken, or names other pictures.
    """
    plan = layout(names)
    found = Found(Known(), np.arange(len(names)))
    notes = columns.Notes(len(names))
    if how.labels != "none":
        _read_tables(files, names, plan, how, found, notes)
    parts = plan.parts if plan.parts is not None else notes.parts()
    if plan.folders:
        found.notes.append(f"{', '.join(map(shown, plan.folders))} are parts of the split")
    keep = np.ones(len(names), bool) if parts is None else parts != OUTSIDE
    if not keep.all():
        where = ", ".join(map(shown, plan.folders)) or "all parts of the split"
        found.warnings.append(f"{(~keep).sum():,} pictures outside of {where} are left out")
    labels = notes.labels
    if labels is None and how.labels is None:
        labels = _of_folders(plan, keep, found)
    keep &= _complete(labels, notes.values, names, keep, how, found)
    found.keep = np.flatnonzero(keep)
    numbers, classes = classes_of([labels[i] for i in found.keep.tolist()]) if labels is not None else (None, ())
    _warn_of_classes(classes, len(found.keep), found)
    attributes = notes.values[found.keep] if notes.values is not None else None
    found.known = Known(numbers, classes, attributes, notes.value_names, None if parts is None else parts[found.keep])
    return found


def _read_tables(
    files: FileCollection, names: Sequence[str], plan: Layout, how: Reading, found: Found, notes: columns.Notes
) -> None:
    """Read the first table of each place that names pictures."""
    places = dict.fromkeys(("", plan.top, *(f"{plan.top}{folder}/" for folder in plan.folders)))
    for place in places:
        below = [i for i, name in enumerate(names) if name.startswith(place)]
        inside = Names([names[i][len(place) :] for i in below])
        for file in _candidates(files, place):
            where = f"{files.where}: {shown(file)}"
            read = columns.read(files, file, where, inside, how)
            if read is None:  # it says that there are no labels
                found.notes.append(f"{shown(file)} says that there are no labels")
            elif read.matched:
                notes.add(read, below, where)
                found.notes += read.notes
                found.warnings += read.warnings
            elif _stem(file) == OURS or how.labels:
                raise DataError(f"{where} names no picture that is there: {read.reason(inside)}", tables.REMEDY)
            else:
                continue
            found.read.add(file)
            break


def _candidates(files: FileCollection, place: str) -> list[str]:
    """Tables in a folder, by name, those that go first first."""
    there = [entry.name for entry in files.entries if entry.name.rpartition("/")[0] == place.rstrip("/")]
    called = [name for name in there if name.lower().endswith(tables.SUFFIXES) and NAME.fullmatch(_stem(name))]
    rank = {name: ORDER.index(_stem(name)) if _stem(name) in ORDER else len(ORDER) for name in called}
    return sorted(called, key=lambda name: (rank[name], name))


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0].lower()


def _of_folders(plan: Layout, keep: np.ndarray, found: Found) -> dict[int, str] | None:
    """The class of each picture from the first folder in which they differ; none if some lie in no such folder."""
    index = np.flatnonzero(keep).tolist()
    paths = {i: plan.inner[i] for i in index}
    at = 0
    while paths and all(len(path) > at + 1 for path in paths.values()) and len({p[at] for p in paths.values()}) == 1:
        at += 1  # all pictures lie in one folder: look inside it
    if all(len(path) == at + 1 for path in paths.values()):
        return None
    if any(len(path) == at + 1 for path in paths.values()):
        found.warnings.append(
            "pictures lie both in the folder itself and in subfolders: the subfolders are not taken as classes"
        )
        return None
    return {i: same_name(path[at]) for i, path in paths.items()}


def classes_of(values: Sequence[str | int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels int64 [N] of N values, and the classes' names, sorted; as numbers, where all are."""
    texts = list(map(str, values))
    distinct: list[Any] = sorted(set(texts))
    if all(INTEGER.fullmatch(text) for text in distinct):
        texts = [text.partition(".")[0] for text in texts]
        distinct = sorted(sorted(set(texts)), key=int)
    place = {text: i for i, text in enumerate(distinct)}
    return np.array([place[text] for text in texts], np.int64), tuple(shown(text)[:LONGEST] for text in distinct)


def _complete(
    labels: dict[int, str] | None,
    values: np.ndarray | None,
    names: Sequence[str],
    keep: np.ndarray,
    how: Reading,
    found: Found,
) -> np.ndarray:
    """Which pictures have everything that some have; with `unlabeled=keep` those without a label get one.

    Raises:
        DataError: all of them are without, or more than half of them and nothing was said of these.
    """
    whole = np.ones(len(keep), bool)
    if labels is not None:
        whole = np.isin(np.arange(len(keep)), list(labels))
    if values is not None:
        whole &= ~np.isnan(values).any(1)
    missing, total = int((keep & ~whole).sum()), int(keep.sum())
    if not missing:
        return whole
    which = shown(names[int(np.flatnonzero(keep & ~whole)[0])]) + (", ..." if missing > 1 else "")
    cause = f"{missing:,} of {total:,} pictures have no label{'' if values is None else ' or attribute'} ({which})"
    if how.unlabeled == "keep" and labels is not None and values is None:
        labels |= {int(i): UNLABELED for i in np.flatnonzero(keep & ~whole)}
        found.warnings.append(f"{cause} and are the class {UNLABELED!r}")
        return np.ones(len(keep), bool)
    if missing == total:
        raise DataError(cause, "--set data.labels=none reads them without")
    ways = "--set data.unlabeled=drop leaves them out, --set data.unlabeled=keep makes them a class"
    if total - missing < FEW * total and how.unlabeled is None:
        raise DataError(cause, ways)
    found.warnings.append(f"{cause} and are left out  ->  --set data.unlabeled=keep makes them a class")
    return whole


def _warn_of_classes(classes: tuple[str, ...], n: int, found: Found) -> None:
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    same = [names for names in alike.values() if len(names) > 1]
    if same:
        found.warnings.append(f"the classes {' and '.join(same[0])} differ in case or blanks only")
    if len(classes) > max(10, n // 2):
        found.warnings.append(
            f"{len(classes):,} classes of {n:,} pictures: is that column the class?  ->  --set data.labels=COLUMN"
        )
