"""Text of any origin, on its way to a terminal."""

from __future__ import annotations

import pytest

from gancli.core.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 漢字", "plain, é, 漢字"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egnp", r"\u202egnp"),
        ("caf\udce9.png", r"caf\xe9.png"),  # a file name that is Latin-1
        ("\ud800 half", r"\ud800 half"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_breaks_are_kept_where_they_are_wanted() -> None:
    assert printable("a\n\x1bb", breaks=True) == "a\n\\x1bb"


def test_long_texts_are_cut() -> None:
    assert printable("x" * 5000) == "x" * 4000 + "... (5,000 characters)"
