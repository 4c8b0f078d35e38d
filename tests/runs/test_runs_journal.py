"""Journals that are longer than anything reads: the last lines count, and a rewind looks at each line once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gancli.runs import journal


def write(path: Path, steps: range, end: str = "") -> None:
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in steps) + end)


def test_the_last_lines_of_a_long_journal_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.jsonl", range(50), '{"step": 5')
    monkeypatch.setattr(journal, "MOST_LINES", 11)
    assert [line["step"] for line in journal.read(tmp_path / "a.jsonl")] == list(
        range(40, 50)
    )  # the torn line is one of 11


@pytest.mark.parametrize(("still_open", "kept"), [(False, 21), (True, 20)])
def test_a_rewind_parses_dropped_lines_once(
    still_open: bool, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, parsed, seen = tmp_path / "a.jsonl", journal.parsed, []
    write(path, range(100), '{"step": 5')
    before = path.read_bytes().splitlines(keepends=True)[:kept]
    monkeypatch.setattr(journal, "parsed", lambda line: seen.append(line) or parsed(line))
    journal.rewind(path, 20, still_open)
    assert path.read_bytes() == b"".join(before)
    assert len(seen) <= 100 + kept
    seen.clear()
    journal.rewind(path, 20, still_open)
    assert len(seen) == kept  # nothing to drop
