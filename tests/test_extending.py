"""The page on parts of one's own names classes that there are, and what they have."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
ROW = re.compile(r"^\| [^|]+ \| ((?:`[\w.]+`(?:, )?)+) \| (.*) \|$", re.M)


def test_the_table_names_what_there_is() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) >= 8
    for classes, members in rows:
        paths = re.findall(r"`([\w.]+)`", classes)
        module = import_module(f"gancli.{paths[0].rpartition('.')[0]}")
        parts = [getattr(module, path.rpartition(".")[2]) for path in paths]
        for name in re.findall(r"`([a-z]\w*)`", members):
            assert any(hasattr(part, name) or name in part.__annotations__ for part in parts), f"{classes}: {name}"
