"""Text as data: files of all forms, units, the vocabulary, what is cut, dropped and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.core.registry import build
from gancli.core.text import TextSamples, characters
from gancli.data import find
from gancli.data.text import Text
from gancli.data.tokens import Vocabulary
from tests.conftest import Gan

POEM = ["白日依山尽黄河", "欲穷千里目更上", "床前明月光疑是", "举头望明月低头"]


def read(path: Path, said: list[str] | None = None, whole: bool = False, **options: object) -> object:
    note = (said if said is not None else []).append
    rest = {"holdout": 0.0, "validation": 0.0} if whole else {}
    how = Reading(path, path, note=note, whole=whole, labels=options.pop("labels", None), **rest)  # type: ignore[arg-type]
    return find.read(build("data", {**find.source_for(str(path)), **options}), how)  # type: ignore[arg-type]


def lines(path: Path, *texts: str) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def words(n: int) -> list[str]:
    return [f"line {chr(97 + i % 26)}{chr(97 + i // 26)} of text" for i in range(n)]


def test_a_file_is_split_and_decodes_to_its_lines(tmp_path: Path) -> None:
    split = read(lines(tmp_path / "a.txt", *words(100)))
    parts = [set(part.samples().lines) for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in parts] == [86, 4, 10]
    assert len(set.union(*parts)) == 100
    known = set("".join(split.train.samples().lines))
    assert all(set(line) <= known | {"\ufffd"} for part in parts for line in part)
    assert len(parts[0] & set(words(100))) > 80  # the others hold a character that occurs once


def test_duplicates_and_empty_lines_are_left_out_before_the_split(tmp_path: Path) -> None:
    said: list[str] = []
    split = read(lines(tmp_path / "a.txt", *words(40), "", "  ", *words(10)), said)
    assert sum(map(len, (split.train, split.validation, split.test))) == 40
    assert "2 empty lines are left out" in said
    assert "10 duplicates of other lines are left out" in said


def test_the_vocabulary_is_that_of_the_training_lines(tmp_path: Path) -> None:
    split = read(lines(tmp_path / "a.txt", *words(60), "Ω once"))
    assert not any("Ω" in word for word in split.train.vocabulary.words)
    assert split.train.vocabulary.words[:2] == ("", "\ufffd")
    made = Vocabulary.of_lines([["a", "b", "b"], ["b", "c", "c"]], words=True)
    assert made.words == ("", "<unk>", "b", "c")
    assert made.encode([["a", "b", "c"], ["b"]], 4).tolist() == [[1, 2, 3, 0], [2, 0, 0, 0]]


def test_long_lines_are_cut_and_have_no_end(tmp_path: Path) -> None:
    said: list[str] = []
    texts = [
        *("ab" * (3 + i % 4) for i in range(4)),
        *(chr(97 + i % 3) * (2 + i // 3) for i in range(12)),
        "abc" * 30_000,
    ]
    split = read(lines(tmp_path / "a.txt", *texts), said, unit="char", max_length=8)
    tokens = np.concatenate([split.train.tokens, split.validation.tokens, split.test.tokens])
    assert tokens.shape == (17, 9)
    assert (tokens[:, -1] > 0).sum() == sum(len(text) > 8 for text in texts)
    assert any("cut to 8 characters" in text for text in said)


def test_the_length_covers_95_percent_unless_the_tail_is_short(tmp_path: Path) -> None:
    short = read(lines(tmp_path / "a.txt", *("x" * (5 + i % 4) + chr(97 + i) for i in range(20))))
    assert short.train.spec.length == max(len(line) for line in short.train.samples().lines) + 1
    long = read(
        lines(tmp_path / "b.txt", *("y" * 5 + chr(97 + i // 26) + chr(97 + i % 26) for i in range(100)), "z" * 900)
    )
    assert long.train.spec.length == 8


def test_words_and_auto(tmp_path: Path) -> None:
    said: list[str] = []
    long = " ".join(["the cat sat on the mat and the dog ran to the old house by the river where it slept"] * 2)
    split = read(lines(tmp_path / "a.txt", *(f"{long} {a} {b}" for a in "abcde" for b in "abcde")), said)
    assert split.train.spec.separator == " "
    assert "river" in split.train.vocabulary.words
    assert split.train.samples().words
    assert "unit word (data.source.unit: word or char)" in said
    assert read(tmp_path / "a.txt", unit="char").train.spec.separator == ""


def test_jsonl_csv_and_folders_have_labels(tmp_path: Path) -> None:
    rows = [(text, "xy"[i % 2]) for i, text in enumerate(words(40))]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in rows))
    (tmp_path / "b.csv").write_text("id,text,label\n" + "".join(f'{i},"{t}",{y}\n' for i, (t, y) in enumerate(rows)))
    (tmp_path / "c.tsv").write_text("says\tlabel\n" + "".join(f"{t}\t{y}\n" for t, y in rows))
    for y in "xy":
        (tmp_path / "d" / y).mkdir(parents=True)
        lines(tmp_path / "d" / y / "some.txt", *(t for t, label in rows if label == y))
    for name, column in (("a.jsonl", None), ("b.csv", None), ("c.tsv", "says"), ("d", None)):
        split = read(tmp_path / name, column=column)
        assert split.train.classes == ("x", "y")
        both = [dict(zip(p.samples().lines, p.labels.tolist(), strict=True)) for p in (split.train, split.test)]
        assert all(
            dict(rows)[line] == "xy"[label] for part in both for line, label in part.items() if line in dict(rows)
        )
    assert read(tmp_path / "a.jsonl", labels="none").train.classes == ()


def test_files_called_as_parts_are_the_split(tmp_path: Path) -> None:
    for name, some in (("train", words(30)), ("valid", words(34)[30:]), ("test", words(39)[34:])):
        lines(tmp_path / f"{name}.txt", *some)
    split = read(tmp_path)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [30, 4, 5]


def test_chinese_and_emoji(tmp_path: Path) -> None:
    split = read(lines(tmp_path / "a.txt", *POEM, *(p[::-1] for p in POEM)))
    assert split.train.spec.length == 8
    assert characters("a👨‍👩‍👧b🇩🇪🇫🇷é👍🏽") == ["a", "👨‍👩‍👧", "b", "🇩🇪", "🇫🇷", "é", "👍🏽"]
    assert "".join(characters("नमस्ते 🏴󠁧󠁢󠁳󠁣󠁴󠁿")) == "नमस्ते 🏴󠁧󠁢󠁳󠁣󠁴󠁿"


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"caf\xe9\nbar\n", "a.txt", "is not UTF-8 text, near line 1"),
        (b"only one line\n", "a.txt", "has 1 line of text"),
        (b"\n\n", "a.txt", "has no lines of text"),
        (b"a\0b\nc\n", "a.txt", "it holds zero bytes"),
        (b'{"text": "a"}\n{"no": 1}\n', "a.jsonl", "there is no text"),
        (b'{"text": "a"}\nnope\n', "a.jsonl", "line 2: not JSON"),
        (b"id,words\n1,a\n2,b\n", "a.csv", "has no column called 'text'"),
        (b"text,label\na,b\nc\n", "a.csv", "does not have the columns"),
    ],
)
def test_refusals(content: bytes, name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path / name)


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gancli.data.lines.LONGEST", 1000)
    (tmp_path / "a.txt").write_text("a\n" + "b" * 3_000_000)
    with pytest.raises(DataError, match="a line of more than 1,000 characters"):
        read(tmp_path / "a.txt")


def test_no_lines_at_all_and_none_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no lines of text"):
        read(lines(tmp_path / "empty.csv", "text,label"), whole=True)
    (tmp_path / "only").mkdir()
    lines(tmp_path / "only" / "test.txt", "a b", "c d")
    with pytest.raises(DataError, match="has no text to train on"):
        read(tmp_path / "only")


def test_samples_of_a_file_are_kept_as_they_are(tmp_path: Path) -> None:
    texts = ("a b", "a b", "only here", "x" * 300)
    found = read(lines(tmp_path / "a.txt", *texts), whole=True).train.samples()
    assert found.lines == texts


def test_unicode_names_need_no_file(gan: Gan) -> None:
    said = gan("data", "unicode-names", "--json")
    assert said.code == 0, said.err
    assert said.json()["count"] > 25_000
    split = find.read(build("data", "unicode-names"), Reading(Path(), Path()))  # type: ignore[arg-type]
    assert "LATIN SMALL LETTER A" in {
        *split.train.samples().lines,
        *split.validation.samples().lines,
        *split.test.samples().lines,
    }


def test_gan_data_reports_text_and_shows_lines(tmp_path: Path, gan: Gan) -> None:
    said = gan("data", lines(tmp_path / "a.txt", *words(100)), "--max-length", 9, "--preview", tmp_path / "p.txt")
    assert said.code == 0, said.err
    assert "sequences of 10 tokens" in said.out
    assert "training lines are cut to 9 characters" in said.out
    assert (tmp_path / "p.txt").read_text().splitlines()[0].startswith("line ")
    assert gan("data", Text(path=str(tmp_path / "a.txt")).path, "--image-size", 8).code == 2


def test_text_samples_pack_and_select() -> None:
    samples = TextSamples(("a b", "c", "é"), np.array([0, 1, 0]), words=True)
    again = TextSamples.unpack(samples.pack())
    assert (again.lines, again.words, again.labels.tolist()) == (samples.lines, True, [0, 1, 0])
    assert samples.take(np.array([True, False, True])).lines == ("a b", "é")
    assert json.loads(samples.table([{"seed": i} for i in range(3)]).content.splitlines()[2]) == {
        "text": "é",
        "seed": 2,
    }
