"""What docs/data.md says of tables of labels, as tests: row -> function of a folder and of what reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.core.errors import DataError
from tests.data.conftest import pics
from tests.data.page_rows import Row


def _table(
    name: str, text: Callable[[int], str], head: str = "", classes: tuple[str, ...] = ("0", "1"), attributes: tuple[str, ...] = (),
    says: str = "",
) -> Row:  # fmt: skip
    """Pictures 0000.png to 0011.png whose class is the parity of their number; `text` gives the line of a number."""

    def run(place: Path, read: Any) -> None:
        root = pics(place / "set", 12)
        (root / name).write_text("\n".join([*([head] if head else []), *map(text, range(12))]))
        found = read(root)
        assert (found.train.classes, found.train.attribute_names) == (classes, attributes)
        assert says in found.said
        assert not found.warnings
        if classes:
            want = {int(np.asarray(Image.open(root / f"{i:04d}.png")).flat[0]): classes[i % 2] for i in range(12)}
            assert found.classes_by_shade() == want

    return run


def _json(name: str, content: Callable[[list[str]], Any], classes: tuple[str, ...] = ("cat", "dog")) -> Row:
    def run(place: Path, read: Any) -> None:
        root = pics(place / "set", 12)
        (root / name).write_text(json.dumps(content([f"{i:04d}.png" for i in range(12)])))
        assert read(root).train.classes == classes

    return run


def _with_parts(place: Path, read: Any) -> None:
    root = pics(place / "set", 12)
    lines = [f"{i:04d}.png,{'ab'[i % 2]},{'train' if i < 8 else 'test' if i < 10 else 'val'}" for i in range(12)]
    (root / "annotations.csv").write_text("\n".join(["file,label,split", *lines]))
    found = read(root)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [8, 2, 2]
    assert found.train.classes == ("a", "b")


def _celeba(place: Path, read: Any) -> None:
    root = pics(place / "img_align_celeba", 12)
    lines = [f"{i:04d}.png  {1 if i % 2 else -1} -1" for i in range(12)]
    (root / "list_attr_celeba.txt").write_text("\n".join(["12", "Smiling Young", *lines]))
    assert read(root).train.attribute_names == ("Smiling", "Young")


PET = ("cat", "dog")
TABLES: dict[str, Row] = {
    "labels.csv": _table("labels.csv", lambda i: f"{i:04d}.png,{i % 2}", "file,label"),
    "labels.csv without a header": _table("labels.csv", lambda i: f"{i:04d}.png,{PET[i % 2]}", classes=PET),
    "labels.csv with semicolons": _table("labels.csv", lambda i: f"{i:04d}.png;{PET[i % 2]}", "file;label", PET),
    "labels.txt": _table("labels.txt", lambda i: f"{i:04d}.png {i % 2}"),
    "labels.csv of numbers": _table(
        "labels.csv", lambda i: f"{i:04d}.png,{i},{i / 2}", "file,age,height", (), ("age", "height")
    ),
    "labels.csv with labels 0.0": _table("labels.csv", lambda i: f"{i:04d}.png,{i % 2}.0", "file,label"),
    "labels.csv with an index column": _table(
        "labels.csv", lambda i: f"{i},{i:04d}.png,{PET[i % 2]}", ",file,label", PET
    ),
    "metadata.csv": _table(
        "metadata.csv",
        lambda i: f"{i:04d}.png,{PET[i % 2]},words {i}",
        "file_name,label,text",
        PET,
        says="words in text",
    ),
    "metadata.jsonl": _table(
        "metadata.jsonl", lambda i: json.dumps({"file_name": f"{i:04d}.png", "label": PET[i % 2]}), classes=PET
    ),
    "train.csv": _table("train.csv", lambda i: f"{i:04d},{PET[i % 2]}", "id,category", PET, says="the column category"),
    "annotations.csv with parts": _with_parts,
    "list_attr_celeba.txt": _celeba,
    "dataset.json": _json(
        "dataset.json", lambda names: {"labels": [[n, i % 2] for i, n in enumerate(names)]}, ("0", "1")
    ),
    "dataset.json without labels": _json("dataset.json", lambda names: {"labels": None}, ()),
    "labels.json by file": _json("labels.json", lambda names: {n: PET[i % 2] for i, n in enumerate(names)}),
    "labels.json by class": _json("labels.json", lambda names: {"cat": names[::2], "dog": names[1::2]}),
    "labels.json of tables": _json(
        "labels.json",
        lambda names: (
            {"images": [{"image": n, "about": {"class": PET[i % 2]}} for i, n in enumerate(names)]}
            if len(names[0]) > 20
            else [{"image": n, "class": PET[i % 2]} for i, n in enumerate(names)]
        ),
    ),
}


def _spellings(place: Path, read: Any) -> None:
    root = place / "set"
    pics(root / "sub", 4)
    for name in ("é.png", "b.jpg"):
        shutil.copy(root / "sub/0000.png", root / "sub" / name)
    lines = [
        "sub\\0000.png,a",
        "./sub/0001.png,b",
        "/data/x/sub/0002.png,a",
        "sub/0003,b",
        "sub/e\u0301.png,a",
        "sub/b.jpeg,b",
    ]
    (root / "labels.csv").write_text("\n".join(["file,label", *lines]))
    found = read(root, holdout=0, validation=0)
    assert (len(found.train), found.train.classes) == (6, ("a", "b"))


def _given(
    lines: list[str], says: str, refused: bool, head: str = "file,label", name: str = "labels.csv", **options: Any
) -> Row:
    def run(place: Path, read: Any) -> None:
        root = pics(place / "set", 12)
        (root / name).write_text("\n".join([head, *lines]))
        if refused:
            with pytest.raises(DataError, match=says):
                read(root)
        else:
            assert says in read(root, **options).said

    return run


def _names(n: int) -> list[str]:
    return [f"{i:04d}.png" for i in range(n)]


def _some_missing(place: Path, read: Any) -> None:
    _given([f"{n},{i % 2}" for i, n in enumerate(_names(8))], "4 of 12 pictures have no label", False)(place, read)
    found = read(place / "set", unlabeled="keep", holdout=0, validation=0)
    assert (len(found.train), found.train.classes) == (12, ("0", "1", "unlabeled"))


def _more_missing(place: Path, read: Any) -> None:
    _given([f"{n},{i % 2}" for i, n in enumerate(_names(4))], "data.unlabeled=drop", True)(place, read)
    assert len(read(place / "set", unlabeled="drop", holdout=0, validation=0).train) == 4


ODD_TABLES: dict[str, Row] = {
    "other ways to write a name": _spellings,
    "names of other pictures": _given(["x.png,1"], r"it says 'x\.png', and a picture is '0000\.png'", True),
    "more rows than pictures": _given(
        [f"{n},{i % 2}" for i, n in enumerate(_names(20))], "names 8 files that are not there", False
    ),
    "up to half of the labels are missing": _some_missing,
    "more labels are missing": _more_missing,
    "two labels for a picture": _given(["0000.png,1", "0000.png,2"], "keep one row for each picture", True),
    "no column can be the class": _given(
        [f"{n},word {i},text {i}" for i, n in enumerate(_names(12))],
        "--set data.labels=first",
        False,
        "file,first,second",
    ),
    "a table of another name": _given(
        [f"{n},{i % 2}" for i, n in enumerate(_names(12))], "passed over: mine.csv", False, name="mine.csv"
    ),
}
