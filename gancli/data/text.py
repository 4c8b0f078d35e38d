"""`text`: lines of text from a file or a folder; `unicode-names` needs no file.

A file has a line per sample: plain text, JSON lines with `text` and `label`, or a CSV file with such columns. In a folder, lines of
all its text files are samples; subfolders are classes, and files called train, valid and test are the parts of a split.

Duplicates are dropped before the data are split. The vocabulary is that of the training lines; what occurs once in them, or only
elsewhere, is the unknown token.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.core.text import MAX_BYTES, units
from gancli.data import holdout, lines
from gancli.data.arrays import is_npy
from gancli.data.collection import FileCollection, named_as_image, same_name
from gancli.data.folder import FolderCollection, file_names
from gancli.data.labels import classes_of
from gancli.data.layout import part_of
from gancli.data.lines import Lines, OneFile
from gancli.data.tokens import TokenDataset, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKED_AT = 1000  # files of a folder, for what it holds
MOST = 1000  # units of a line
QUANTILE = 0.95  # of the lengths of training lines
SHORT_TAIL = 1.5  # no line is cut if the longest is at most so many times that quantile
LONG_LINES = 96  # characters from which on units are words
WORDS, COVERED = 8, 0.9  # words in such a line, and the share of them that the vocabulary must have
DERIVED = re.compile(r"[- ][0-9A-F]{4,6}$")  # names that are made from code points


class Text(Source):
    name = "text"
    options: ClassVar[tuple[str, ...]] = ("labels",)
    path: str = Field(description="a .txt, .jsonl, .csv or .tsv file, or a folder of them")
    unit: Literal["char", "word", "auto"] = Field(
        "auto", description="what a token is: a character, or a word between spaces; auto: words if lines are long"
    )
    max_length: int | None = Field(
        None, ge=1, le=MOST, description="units of a line; longer ones are cut. default: the 95th percentile"
    )
    column: str | None = Field(None, description="column of the text, in .jsonl and .csv; default: text, line, ...")

    @classmethod
    def claims(cls, path: Path) -> int:
        if path.is_file():
            return int(path.suffix.lower() in lines.SUFFIXES)
        if not path.is_dir():
            return 0
        names = list(islice(file_names(path), LOOKED_AT))
        text = any(Path(name).suffix.lower() in lines.SUFFIXES for name in names)
        return 2 if text and not any(named_as_image(name) or is_npy(name) for name in names) else 0

    def read(self, how: Reading) -> Split[TokenDataset]:
        """The lines as tokens.

        Raises:
            DataError: a file is not UTF-8 text, has no such column, or has fewer than two lines.
        """
        return split(self._lines(how), self.unit, self.max_length, how, self.path)

    def _lines(self, how: Reading) -> Lines:
        path, out = Path(self.path), Lines()
        files: FileCollection = OneFile(path) if path.is_file() else FolderCollection(path)
        names = [e.name for e in files.entries if Path(e.name).suffix.lower() in lines.SUFFIXES]
        if not names:
            raise DataError(f"{path} holds no text", f"name a file or folder of {', '.join(lines.SUFFIXES)}")
        folders = {name: name.split("/")[:-1] for name in names}
        parts = {name: part_of(Path(name).stem) if path.is_dir() else None for name in names}
        classes = {name: folder[0] for name, folder in folders.items() if folder and part_of(folder[0]) is None}
        if how.labels == "none" or len(set(classes.values())) < 2:
            classes = {}
        for i, name in enumerate(names):
            part = parts[name]
            if part is None and folders[name]:
                part = part_of(folders[name][0])
            for line, label in lines.read(files, name, self.column, how.labels):
                out.add(line, label if label is not None else classes.get(name), part)
            how.progress("reading text", i + 1, len(names))
        return out


class UnicodeNames(Source):
    """The names of characters in the version of Unicode that Python has, without those made from code points."""

    name = "unicode-names"
    unit: Literal["char", "word", "auto"] = Field("char", description="what a token is: a character or a word")
    max_length: int | None = Field(
        None, ge=1, le=MOST, description="units of a name; longer ones are cut. default: the 95th percentile"
    )

    def present(self, how: Reading) -> bool:  # noqa: ARG002
        return True

    def read(self, how: Reading) -> Split[TokenDataset]:
        out = Lines()
        for code in range(sys.maxunicode + 1):
            name = unicodedata.name(chr(code), "")
            if name and not DERIVED.search(name) and not name.startswith("HANGUL SYLLABLE "):
                out.add(name, None, None)
        return split(out, self.unit, self.max_length, how, f"{self.name} (Unicode {unicodedata.unidata_version})")


def split(found: Lines, unit: str, max_length: int | None, how: Reading, where: str) -> Split[TokenDataset]:
    """Tokens of lines, in a training, a validation and a test set.

    Args:
        found: the lines as they were read.
        unit: "char", "word" or "auto".
        max_length: in units; None: the 95th percentile of the training lines.
        how: what is held out; with `whole` nothing is, and duplicates are kept.
        where: the lines come from, for messages.

    Raises:
        DataError: there are fewer than two lines, or none for training.
    """
    if found.empty:
        how.note(f"{found.empty:,} empty lines are left out")
    if not how.whole:
        found = _distinct(found, how)
    n = len(found.lines)
    if n < (1 if how.whole else 2):
        raise DataError(
            f"{where} has {n or 'no'} line{'s' if n != 1 else ''} of text", "a line per sample, at least two"
        )
    labels, classes = _labels(found, how)
    order, sizes = _arranged(found, labels, how)
    if not sizes[0]:
        raise DataError(f"{where} has no text to train on, only to validate and test", "name a file train.txt")
    words = unit == "word" or (unit == "auto" and _are_words([found.lines[i] for i in order[: sizes[0]]], how))
    rows = [units(found.lines[i], words) for i in order]
    vocabulary = Vocabulary.of_lines(rows[: sizes[0]], words, 1 if how.whole else 2)
    length = _length(rows[: sizes[0]], max_length, vocabulary, how)
    tokens = vocabulary.encode(rows, length + 1)  # and the end of a line
    every = TokenDataset(tokens, vocabulary, None if labels is None else labels[order], classes)
    first, second = sizes[0], sizes[0] + sizes[1]
    return Split(every.take(slice(0, first)), every.take(slice(second, None)), every.take(slice(first, second)))


def _distinct(found: Lines, how: Reading) -> Lines:
    """The first of lines that are the same."""
    seen: set[str] = set()
    keep = [i for i, line in enumerate(found.lines) if not (line in seen or seen.add(line))]  # type: ignore[func-returns-value]
    if len(keep) < len(found.lines):
        how.note(f"{len(found.lines) - len(keep):,} duplicates of other lines are left out")
    lines, labels, parts = ([each[i] for i in keep] for each in (found.lines, found.labels, found.parts))
    return Lines(lines, labels, parts, found.empty)  # type: ignore[arg-type]


def _labels(found: Lines, how: Reading) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels int64 [N] and the names of the classes; none if only some lines have one."""
    have = [label for label in found.labels if label is not None]
    if len(have) < len(found.labels) or len(set(have)) < 2:
        if have:
            how.note("labels are not used: " + ("all are the same" if len(set(have)) < 2 else "some lines have none"))
        return None, ()
    return classes_of([same_name(label) for label in have])


def _arranged(found: Lines, labels: np.ndarray | None, how: Reading) -> tuple[np.ndarray, tuple[int, int]]:
    """The order of the lines: training, validation, test set; and the sizes of the first two."""
    n = len(found.lines)
    if how.whole:
        return np.arange(n), (n, 0)
    named = any(part is not None for part in found.parts)
    parts = np.array([part or 0 for part in found.parts], np.int64) if named else None
    order = holdout.arranged(n, labels, parts)
    count = [int((parts == part).sum()) if parts is not None else 0 for part in (1, 2)]
    train = n - sum(count)
    test = count[1] or holdout.held_out(train, how.holdout)
    train -= 0 if count[1] else test
    if count[0] and not count[1]:  # the test set is taken from the training set, which is first
        order = np.concatenate([order[:train], order[train + test :], order[train : train + test]])
    if not count[0]:
        validation = holdout.validation_size(train, how.validation)
        train -= validation
        if validation:
            holdout.say(how, validation, train + validation)
        return order, (train, validation)
    return order, (train, count[0])


def _are_words(training: Sequence[str], how: Reading) -> bool:
    """Whether `auto` chooses words: lines are long, and most of their words occur again."""
    long = float(np.quantile([len(line) for line in training], QUANTILE))
    rows = [line.split() for line in training]
    total = sum(map(len, rows))
    counts = Counter(word for row in rows for word in row)
    covered = sum(n for n in counts.values() if n > 1) / max(1, total)
    chosen = long >= LONG_LINES and total >= WORDS * len(rows) and covered >= COVERED
    how.note(f"unit {'word' if chosen else 'char'} (data.source.unit: word or char)")
    return chosen


def _length(training: Sequence[Sequence[str]], max_length: int | None, vocabulary: Vocabulary, how: Reading) -> int:
    """The largest length in units; says how many lines are cut."""
    lengths = np.array([len(row) for row in training])
    longest = max(map(len, (word.encode() for word in vocabulary.words))) + len(vocabulary.separator)
    most = min(MOST, MAX_BYTES // longest - 1)
    if how.whole:
        return int(min(most, lengths.max(initial=1)))
    usual = int(np.quantile(lengths, QUANTILE, method="higher"))
    usual = int(lengths.max()) if lengths.max() <= SHORT_TAIL * usual else usual
    length = max_length or usual
    if length > most:
        if max_length:
            raise DataError(f"--max-length {max_length} is too long: lines of {most:,} fit", f"--max-length {most}")
        length = most
    cut = int((lengths > length).sum())
    if cut:
        what = "words" if vocabulary.separator else "characters"
        how.note(f"{cut:,} of {len(lengths):,} training lines are cut to {length} {what} (data.source.max_length)")
    return length
