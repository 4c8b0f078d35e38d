"""What is computed of the data, kept under the cache folder: features, and the scores that baselines get."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gancli.core.errors import CheckpointError
from gancli.evaluation.contracts import Extracted, Extractor, Progress, Score, silent
from gancli.evaluation.results import plain
from gancli.evaluation.sets import StoredSet
from gancli.evaluation.weights import keep, kept, recall, sha256, write

Baselines = dict[str, dict[str, Score]]  # baseline name -> scores by name


def features(extractor: Extractor, of: StoredSet[Any], cache_dir: Path, progress: Progress = silent) -> Extracted:
    """Features of data, read from the cache if they have been computed before.

    The key is the data's fingerprint, the net's hash and its resizing rule. A damaged file is made again.
    """
    name = f"{of.fingerprint[:24]}-{extractor.hash[:12]}-{sha256(extractor.rule.encode())[:8]}"
    path = cache_dir / "features" / f"{name}.safetensors"
    found = kept(path)
    if found is not None and len(found[0].get("features", ())) == len(of):
        tensors = found[0]
        probabilities = tensors.get("probabilities")
        return Extracted(tensors["features"].numpy(), None if probabilities is None else probabilities.numpy())
    made = extractor(of.chunks(), len(of), progress, of.name)
    tensors = {"features": torch.from_numpy(made.features)}
    if made.probabilities is not None:
        tensors["probabilities"] = torch.from_numpy(made.probabilities)
    keep(path, tensors)
    return made


def options(key: Mapping[str, Any], cache_dir: Path, chosen: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The options of a baseline that were chosen for an equal key, or None; or, if `chosen` is given, keep these."""
    path = cache_dir / "baselines" / f"{sha256(json.dumps(plain(key), sort_keys=True).encode())[:32]}-options.json"
    if chosen is not None:
        write(path, json.dumps(plain(chosen)).encode())
        return None
    try:
        found = json.loads(recall(path))
    except (CheckpointError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def baselines(key: Mapping[str, Any], cache_dir: Path, make: Callable[[], Baselines]) -> Baselines:
    """`make()`, or what it gave when it was last asked with an equal key (plain values)."""
    path = cache_dir / "baselines" / f"{sha256(json.dumps(plain(key), sort_keys=True).encode())[:32]}.json"
    try:
        found = json.loads(recall(path))
        return {name: {k: _score(fields) for k, fields in of.items()} for name, of in found.items()}
    except (CheckpointError, ValueError, TypeError, AttributeError, KeyError):
        made = make()
        kept = {name: {k: asdict(score) for k, score in of.items()} for name, of in made.items()}
        write(path, json.dumps(plain(kept)).encode())
        return made


def _score(fields: dict[str, Any]) -> Score:
    """A score as it was kept; JSON has no NaN, so that what is no finite number was kept as null."""
    value, values = (fields[key] for key in ("value", "values"))
    numbers = tuple(math.nan if v is None else v for v in (value, *values))
    return Score(**{**fields, "value": numbers[0], "values": numbers[1:]})
