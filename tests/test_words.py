"""The words of help texts, messages, docs and docstrings: the field's standard terms, American spelling."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from gancli.cli import app
from tests.conftest import Gan

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FILES = sorted((ROOT / "gancli").rglob("*.py")) + sorted((ROOT / "gancli").rglob("*.toml"))

WORDS = {  # what is not written -> what is
    r"(?<!inner )(?<!outer )(?<!dot )(?<!matrix )(?<!whose )\bproducts\b": "matmuls and convolutions; compute dtype",
    r"\b(?:told|tells?) (?:\w+ )?(?:the|their|its|which|what) (?:labels?|class(?:es)?|attributes?|to)\b": "conditional",
    r"\bjudg(?:e|es|ed|ing|ement)\b": "evaluate, evaluator",
    r"\bheld[- ]out (?:reals )?to\b": "validation set, test set",
    r"\bprices?\b": "penalty, regularization term",
    r"\bsittings?\b": "session",
    r"\bvoices?\b": "reporter",
    r"\b(?:can ?not|could not|to) be had\b": "is not available; needs X",
    r"(?<!\bof )\bcourses?\b": "schedule",
    r"\brhythms?\b": "intervals",
    r"\baveraged generator\b": "EMA weights",
    r"\btwo halves\b": "adversarial losses",
    r"(?<!negative )(?<!`)\bslopes?\b(?! of)": "input gradient",
    r"\bpiles?\b": "file collection",
    r"\boutlets?\b": "output streams",
    r"\b(?:to|in) the (?:same )?bits?\b|\bthe same bits\b|\bbit for bit\b": "bitwise identical",
    r"\b\w*(?:optim|normal|memor|synchron|initial|recogn|general|regular|quant|serial)is(?!m|t)\w*\b": "American spelling",
    r"\b(?:colour|behaviour|centred?|(?:un)?labell|modell)\w*": "American spelling",
}
HABITS = {  # not written in the folders of STRICT either
    r"\bnot given:|\bnot given\b(?= ?:)": "default:",
    r"\bpictures?\b": "image",
    r"\bwhole numbers?\b": "integer",
    r"\bgrey\b": "gray",
    r"\btoday's\b": "current",
    r"\bbeside\b": "concatenated to; in addition to",
    r"\b(?:is|are|was|were) asked (?:of|for)\b": "request",
    r"\bwhat is left\b|\bis left to\b": "the subject of the sentence",
    r"\bleave\b[^.;]{0,40}\baway\b": "omit",
    r"\b(?:is|are) given the\b": "input of",
    r"\b(?:D|G|critic|discriminator|net|nets|model) (?:sees?|is shown|shows?|looks? at|knows?)\b": "input of",
    r"\bquarter turns?\b": "90-degree rotation",
    r"\bwhom to tell\b": "callbacks",
    r"\b(?:at|of) the (?:image|run|batch)'s\b": "image size, length of training, batch size",
}
STRICT = tuple(
    f"gancli/{room}/"
    for room in (
        "augment", "conditions", "core", "degradations", "distributed", "losses", "models", "optimizers", "penalties", "presets",
        "tasks",
    )
)  # fmt: skip
OLD_NAMES = "gancli/core/migration.py"  # says what earlier formats called things


def found(text: str, strict: bool = False) -> list[str]:
    """The words of the list that are in a text, with what is written instead."""
    words = WORDS | HABITS if strict else WORDS
    return [f"{m[0]!r}: {better}" for word, better in words.items() for m in re.finditer(word, text, re.I)]


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text: of Python the docstrings and strings of several words (one word is a name), of anything else the lines."""
    content = file.read_text()
    if file.suffix != ".py":
        content = re.sub(r"(?ms)^```lines$.*?^```$", lambda m: "\n" * m[0].count("\n"), content)  # written by models
        yield from enumerate(content.splitlines(), 1)
        return
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\s", node.value.strip()):
            yield node.lineno, " ".join(node.value.split())


@pytest.mark.parametrize("file", [*PAGES, *FILES], ids=lambda f: str(f.relative_to(ROOT)))
def test_standard_terms(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    if name == OLD_NAMES:
        return
    strict = name.startswith(STRICT)
    wrong = [f"{name}:{line}: {what}" for line, text in texts(file) for what in found(text, strict)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("verb", ["", *typer.main.get_command(app).commands])  # type: ignore[attr-defined]
def test_help_in_standard_terms(gan: Gan, verb: str) -> None:
    assert not found(" ".join(gan(*verb.split(), "--help").out.split()))


def test_the_list_finds_what_it_is_to_find() -> None:
    for text in (
        "products in bfloat16", "D is told the labels", "told what to draw", "the data to judge by", "held out to judge",
        "the critic's price", "over all sittings", "scores that cannot be had", "the course of the rate", "Optimisers",
        "the averaged generator", "the two halves", "the critic's slope is 1", "to the same bits", "centre", "unlabelled",
    ):  # fmt: skip
        assert found(text), text
    for text in (
        "not given: in memory", "pictures", "a whole number", "what is asked of the nets", "what D sees", "beside z",
        "leave --image-size away",
    ):  # fmt: skip
        assert found(text, strict=True), text
    for text in (
        "inner products", "matrix products", "of course", "the negative slope of leaky ReLU", "minimalist", "optimist",
        "half the batch", "cannot be told apart", "the class label of each image", "center", "labeled", "a bit",
    ):  # fmt: skip
        assert not found(text), text
