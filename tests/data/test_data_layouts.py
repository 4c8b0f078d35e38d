"""What folders mean, what links lead to, what is passed over, and the same pictures in other forms."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.core.errors import DataError
from gancli.data import find
from tests.data.conftest import pics

# Layouts


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Training", "Validation", "TEST"), ("train_set", "val"), ("1-train", "2-test-images")]
)
@pytest.mark.parametrize("below", [True, False])
def test_parts_of_a_split_are_parts(names: tuple[str, ...], below: bool, read, tmp_path: Path) -> None:
    for k, part in enumerate(names):
        for i, name in enumerate(("cat", "dog")):
            where = f"{part}/{name}" if below else f"{name}/{part}"
            pics(tmp_path / "split" / where, 10, first=100 * k + 10 * i)
    found = read(tmp_path / "split")
    assert found.train.classes == ("cat", "dog")
    assert "are parts of the split" in found.said
    sizes = {"test": len(found.test), "validation": len(found.validation)}
    own = {"test" if "est" in name.lower() else "validation" for name in names[1:]}
    assert all(sizes[name] == 20 for name in own)
    assert all(sizes[name] < 4 for name in sizes.keys() - own)


def test_words_that_are_classes_stay_classes(read, tmp_path: Path) -> None:
    for i, name in enumerate(("train", "bus", "test tube")):
        pics(tmp_path / "cars" / name, 8, first=10 * i)
    assert read(tmp_path / "cars").train.classes == ("bus", "test tube", "train")
    for i, name in enumerate(("a", "b", "c")):
        pics(tmp_path / "letters" / name, 8, first=10 * i)
    assert read(tmp_path / "letters").train.classes == ("a", "b", "c")


def test_pictures_outside_of_the_parts_and_of_the_classes_are_said(read, tmp_path: Path) -> None:
    for i, name in enumerate(("train", "test", "extra")):
        pics(tmp_path / "split" / name, 8, first=10 * i)
    assert "8 pictures outside of test, train are left out" in read(tmp_path / "split").warnings
    pics(tmp_path / "pets" / "cat", 8)
    pics(tmp_path / "pets", 2, first=20)
    found = read(tmp_path / "pets")
    assert (found.train.classes, "not taken as classes" in found.warnings[0]) == ((), True)


def test_two_domains_are_no_classes(tmp_path: Path) -> None:
    for i, name in enumerate(("trainA", "trainB", "testA", "testB")):
        pics(tmp_path / "cycle" / name, 6, first=10 * i)
    assert find.source_for(str(tmp_path / "cycle"))["name"] == "translation"
    assert find.source_for(str(tmp_path / "cycle" / "trainB"))["name"] == "folder"


def test_what_a_nas_and_macos_leave_behind_is_no_class(read, tmp_path: Path) -> None:
    for i, name in enumerate(("cat", "dog", "@eaDir", "__MACOSX", "#recycle", ".thumbs")):
        pics(tmp_path / "nas" / name, 8, first=10 * i)
    (tmp_path / "nas/cat/Thumbs.db").write_bytes(b"x")
    found = read(tmp_path / "nas")
    assert (found.train.classes, found.warnings) == (("cat", "dog"), [])


def test_numbered_and_alike_class_folders(read, tmp_path: Path) -> None:
    for i in (2, 10, 1):
        pics(tmp_path / "digits" / str(i), 8, first=10 * i)
    assert read(tmp_path / "digits").train.classes == ("1", "2", "10")
    for i, name in enumerate(("Cat", "cat", "dog", "caf\u00e9", "cafe\u0301")):
        pics(tmp_path / "alike" / name, 8, first=10 * i)
    found = read(tmp_path / "alike")
    assert found.train.classes == ("Cat", "caf\u00e9", "cat", "dog")
    assert "the classes Cat and cat differ in case or blanks only" in found.warnings


# Links and files of other kinds


def test_selections_by_links(read, tmp_path: Path) -> None:
    away = pics(tmp_path / "away", 12)
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for path in sorted(away.iterdir()):
        (chosen / path.name).symlink_to(path)
    assert read(chosen).train.fingerprint == read(away).train.fingerprint
    by_class = tmp_path / "by_class"
    by_class.mkdir()
    for i, name in enumerate(("cat", "dog")):
        pics(tmp_path / name, 8, first=10 * i)
        (by_class / name).symlink_to(tmp_path / name)
        (by_class / name / "up").symlink_to(by_class)
    assert read(by_class).train.classes == ("cat", "dog")
    (chosen / "gone.png").symlink_to(tmp_path / "gone.png")
    assert "1 links lead nowhere" in read(chosen).warnings[0]


def test_files_that_are_passed_over_are_named(read, tmp_path: Path) -> None:
    root = pics(tmp_path / "set", 12)
    for i in range(8):
        (root / f"{i}.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (root / "annotations.xml").write_text("<x/>")
    (root / "readme.txt").write_text("words")
    found = read(root)
    assert "files that are no pictures: 10" in found.notes
    assert found.warnings == [
        "passed over: 8 .heic  ->  convert them to PNG or JPEG if they are to be read",
        "passed over: annotations.xml  ->  call a table labels.csv if it is to be read",
    ]
    (root / "photo.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(DataError, match="HEIC is not read; convert it"):
        read(root)


# The same pictures in another form


def test_the_same_pictures_are_the_same_data_whatever_the_form(read, tmp_path: Path) -> None:
    folders, flat = tmp_path / "folders", tmp_path / "flat"
    rows = []
    for i in range(30):
        kind = ("cat", "dog", "10")[i % 3]
        pics(folders / kind, 1, first=i)
        pics(flat, 1, first=i)
        rows.append((f"{i:04d}.png", kind))
    want = read(folders)
    table = "\n".join(["file,label", *(f"{a},{b}" for a, b in rows)])
    (flat / "labels.csv").write_text(table)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for path in folders.rglob("*.png"):
            archive.write(path, f"deep/er/{path.relative_to(folders)}")
    images = np.stack([np.asarray(Image.open(flat / name)) for name, _ in rows])
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([kind for _, kind in rows]))
    for path in (flat, tmp_path / "z.zip", tmp_path / "a.npz"):
        found = read(path)
        for part in ("train", "validation", "test"):
            assert getattr(found, part).fingerprint == getattr(want, part).fingerprint, (path, part)


def test_a_table_of_hugging_face(read, tmp_path: Path) -> None:
    """What `datasets` calls an image folder: metadata.csv or .jsonl in the folder, or in the folder of each part."""
    root = pics(tmp_path / "hf", 12)
    rows = [{"file_name": f"{i:04d}.png", "label": "ab"[i % 2], "text": f"words {i}"} for i in range(12)]
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read(root)
    assert found.train.classes == ("a", "b")
    assert "the words in text are not read" in found.said
    for k, part in enumerate(("train", "test")):
        where = pics(tmp_path / "parts" / part, 12, first=20 * k)
        lines = [f"{20 * k + i:04d}.png,{'ab'[i % 2]}" for i in range(12)]
        (where / "metadata.csv").write_text("\n".join(["file_name,label", *lines]))
    found = read(tmp_path / "parts")
    assert (found.train.classes, len(found.test)) == (("a", "b"), 12)


def test_each_real_folder_is_read_once(read, tmp_path: Path) -> None:
    root = pics(tmp_path / "set" / "sub", 12).parent
    for name in ("again", "and", "once_more"):
        (root / name).symlink_to(root / "sub")
        (root / "sub" / name).symlink_to(root)
    (root / "00").symlink_to(root / "sub")
    found = read(root)
    assert len(found.train) + len(found.validation) + len(found.test) == 12
    assert "links to folders that are read already" in found.said


def test_folders_may_be_as_deep_as_the_system_allows(read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pics(tmp_path / "deep", 12)
    monkeypatch.chdir(root)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    try:
        assert len(read(root).train) > 0
    finally:
        monkeypatch.undo()
        subprocess.run(["rm", "-rf", root], check=True)
