"""Specs: written into model folders, and read from strangers' ones."""

from __future__ import annotations

import json

import pytest

from gancli.core import registry
from gancli.core.data import Spec
from gancli.core.errors import UsageError
from gancli.core.specs import Degraded, Domains, Images, Pairs, Tokens

GREY, COLOR = Images(channels=1, height=8, width=6, classes=3, attributes=2), Images(channels=3, height=8, width=6)
SPECS = [
    (GREY, "images 1x8x6, 3 classes"),
    (Pairs(source=GREY, target=COLOR), "pairs of images 1x8x6 and 3x8x6"),
    (Domains(a=GREY, b=COLOR), "images of two domains, 1x8x6 and 3x8x6"),
    (Degraded(image=COLOR, mask=True), "degraded images 3x8x6 with masks"),
    (Tokens(length=32, vocabulary=5000), "sequences of 32 tokens, vocabulary of 5,000"),
]


@pytest.mark.parametrize(("spec", "words"), SPECS)
def test_a_spec_is_written_read_and_described(spec: Spec, words: str) -> None:
    assert registry.build("spec", json.loads(json.dumps(spec.model_dump(mode="json")))) == spec
    assert spec.describe() == words


@pytest.mark.parametrize("height", ["8", 8.5, True, 0, -1, 10**9, None])
@pytest.mark.parametrize("spec", [GREY, Pairs(source=GREY, target=COLOR)])
def test_sizes_that_are_none_are_refused(height: object, spec: Spec) -> None:
    table = spec.model_dump(mode="json")
    (table if "height" in table else table["source"])["height"] = height
    with pytest.raises(UsageError, match="height"):
        registry.build("spec", table)


def test_a_spec_of_another_kind_within_is_refused() -> None:
    with pytest.raises(UsageError):
        registry.build("spec", {"name": "pairs", "source": {"name": "tokens", "length": 3, "vocabulary": 5}})


@pytest.mark.parametrize(("key", "value"), [("length", "8"), ("length", 0), ("vocabulary", 1), ("vocabulary", 9.5)])
def test_sequences_that_are_none_are_refused(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=key):
        registry.build("spec", {"name": "tokens", "length": 3, "vocabulary": 5, key: value})
