"""What is computed of the reals, kept under the cache folder: features, and the scores that reals get (floors)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.errors import CheckpointError
from gancli.data.cache import fingerprint
from gancli.evaluation.contracts import Extracted, Extractor, Progress, Score, silent
from gancli.evaluation.results import plain
from gancli.evaluation.weights import keep, kept, read, sha256, write


def features(
    extractor: Extractor, images: np.ndarray, cache_dir: Path, what: str, progress: Progress = silent
) -> Extracted:
    """Features of uint8 images [N, C, H, W], read from the cache if they have been computed before.

    The key is the images' fingerprint, the net's hash and its resizing rule. A damaged file is made again.
    """
    name = f"{fingerprint(images)[:24]}-{extractor.hash[:12]}-{sha256(extractor.rule.encode())[:8]}"
    path = cache_dir / "features" / f"{name}.safetensors"
    found = kept(path)
    if found is not None and len(found[0].get("features", ())) == len(images):
        tensors = found[0]
        probabilities = tensors.get("probabilities")
        return Extracted(tensors["features"].numpy(), None if probabilities is None else probabilities.numpy())
    made = extractor(images, progress, what)
    tensors = {"features": torch.from_numpy(made.features)}
    if made.probabilities is not None:
        tensors["probabilities"] = torch.from_numpy(made.probabilities)
    keep(path, tensors)
    return made


def scores(key: Mapping[str, Any], cache_dir: Path, make: Callable[[], dict[str, Score]]) -> dict[str, Score]:
    """`make()`, or what it gave when it was last asked with an equal key (plain values)."""
    path = cache_dir / "floors" / f"{sha256(json.dumps(plain(key), sort_keys=True).encode())[:32]}.json"
    try:
        return {name: Score(**fields) for name, fields in json.loads(read(path)).items()}
    except (CheckpointError, ValueError, TypeError, AttributeError):
        made = make()
        write(path, json.dumps(plain({name: asdict(s) for name, s in made.items()})).encode())
        return made
