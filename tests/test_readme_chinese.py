"""README.zh-CN.md is kept in step with README.md: the same headings, commands, code, tables and links.

Where this fails, the message names what is missing in which of the two. Comments and prose are translated; all else is equal.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LANGUAGES = {"README.md", "README.zh-CN.md"}  # each names the other


def sections(text: str) -> list[str]:
    return re.split(r"^## ", BLOCK.sub("", text), flags=re.M)


def blocks(text: str) -> list[str]:
    """Code without comments."""
    return [
        f"{language}: " + "\n".join(re.sub(r"\s+#\s.*", "", line) for line in body.splitlines())
        for language, body in BLOCK.findall(text)
    ]


def rows(section: str) -> list[int]:
    """The number of cells of each row of its tables."""
    return [line.count("|") for line in section.splitlines() if line.startswith("|")]


def first_cells(text: str) -> list[str]:
    """The code and links in the first cells of tables."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return [found for cell in cells for found in re.findall(r"`[^`]+`|\]\([^)]+\)", cell)]


def test_headings() -> None:
    found = [len(re.findall(r"^#+ ", text, re.M)) for text in (BLOCK.sub("", ENGLISH), BLOCK.sub("", CHINESE))]
    assert found[0] == found[1], "a section is missing in one of the two"


def test_commands_and_code() -> None:
    english, chinese = blocks(ENGLISH), blocks(CHINESE)
    for a, b in zip(english, chinese, strict=False):
        assert a == b, "a command is missing or different in README.zh-CN.md"
    assert len(english) == len(chinese)


def test_each_section() -> None:
    for english, chinese in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        title = english.splitlines()[0] if english.strip() else ""
        assert rows(english) == rows(chinese), f"a row of a table is missing in README.zh-CN.md: {title}"
        assert first_cells(english) == first_cells(chinese), f"tables of the two differ: {title}"
        for pattern in (r"\]\(([^)]+)\)", r"`([^`]+)`"):
            a, b = (sorted(set(re.findall(pattern, text)) - LANGUAGES) for text in (english, chinese))
            assert a == b, f"links or words of code of the two differ: {title}"


def test_it_is_chinese() -> None:
    prose = re.sub(r"`[^`]*`|\([^)]*\)|<!--.*?-->", "", BLOCK.sub("", CHINESE))
    signs = len(re.findall(r"[\u4e00-\u9fff]", prose))
    assert signs > 1500
    assert len(re.findall(r"[A-Za-z]", prose)) < signs
