"""The head of a model card, as model hubs read it: YAML, of which JSON values are a part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gancli.core.samples import Ask, FromInput, FromPrompt

PROTOCOL = ("features", "features_hash", "rule", "n_fake", "n_real", "data", "split", "seed")  # of a score


def pipeline(asks: type[Ask]) -> str:
    """The hub's name of what a model does."""
    if issubclass(asks, FromInput):
        return "image-to-image"
    return "text-generation" if issubclass(asks, FromPrompt) else "unconditional-image-generation"


def head(
    name: str, asks: type[Ask], task: str, preset: object, data: object, license_: str = "unknown",
    scores: Sequence[Mapping[str, Any]] = (),
) -> str:  # fmt: skip
    """The head of a card.

    Args:
        name: of the model.
        asks: what is requested from it.
        task: its name.
        preset: its name, or nothing.
        data: name of the data set.
        license_: of the weights.
        scores: entries of the model index, as `of_evaluation` gives them.

    Returns:
        Lines between `---`.
    """
    what, of = pipeline(asks), str(data)
    found: dict[str, Any] = {
        "library_name": "gancli",
        "pipeline_tag": what,
        "license": license_,
        "tags": ["gan", task, *([str(preset)] if preset else [])],
        "datasets": [of],
    }
    if scores:
        result = {"task": {"type": what}, "dataset": {"name": of, "type": of}, "metrics": list(scores)}
        found["model-index"] = [{"name": name, "results": [result]}]
    return "---\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in found.items()) + "---\n"


def of_evaluation(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scores of an `evaluation.json` as entries of a model index, each with its error, its reference score and the protocol."""
    protocol = {key: found["protocol"][key] for key in PROTOCOL if found["protocol"].get(key) not in (None, "")}
    return [
        {
            "type": name.partition("@")[0],
            "name": name,
            "value": score["value"],
            "args": {**protocol, **{key: score[key] for key in ("error", "reference") if score.get(key) is not None}},
        }
        for name, score in found["scores"].items()
    ]
