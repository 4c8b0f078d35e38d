"""Text of any origin on its way to a terminal, a log, a card or a table: names of files, classes, scores, and what files say.

Terminals execute escape sequences, and a line break makes a second line of a log that nothing here wrote.
"""

from __future__ import annotations

import contextlib

MOST = 4000  # characters of a text


def printable(text: str, breaks: bool = False, most: int = MOST) -> str:
    r"""Text without anything that acts on a terminal.

    Args:
        text: the text. Bytes that are no UTF-8, as Python reads them in names of files, are allowed.
        breaks: whether line breaks are kept.
        most: characters that are kept.

    Returns:
        The text with control characters, line breaks, marks of direction and halves of surrogate pairs as escapes (`\x1b`).
    """
    if len(text) > most:
        text = f"{text[:most]}... ({len(text):,} characters)"
    if text.isprintable():
        return text
    with contextlib.suppress(UnicodeEncodeError):  # half of a pair, as JSON can name it
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() or (breaks and c == "\n") else c.encode("unicode_escape").decode() for c in text
    )
