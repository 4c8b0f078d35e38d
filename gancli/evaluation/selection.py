"""Which features suit which data, which metrics are computed, and which samples are looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gancli.core.data import Dataset
from gancli.core.errors import DataError, UsageError
from gancli.core.registry import build, parts
from gancli.core.samples import Samples
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Features, Metric, classes_of, in_words
from gancli.evaluation.results import metric_of
from gancli.inference.spool import pieces

SEARCHED = 100_000  # training data that are searched for copies at most,
SEARCHED_LEAST, PER_SAMPLE = 10_000, 10  # and fewer for few samples: features of large images take longer than all else
CLASSIFIED = 16  # samples at once while training: maps of 64 images would take 30 MB


def choose_features(named: Any, source_features: str, train: Dataset) -> Features | None:
    """The features to evaluate with.

    Args:
        named: those that the user asks for (a name, a table or a part), or None.
        source_features: those that the data's source names, or "auto".
        train: the training data.

    Returns:
        Those named; else the source's; else of those that accept such samples the ones that suit the data best, or None.

    Raises:
        UsageError: they are unknown, or those that the user asks for do not accept such samples.
    """
    kind = type(train.samples())
    if named is not None:
        part = features_part(named)
        if not issubclass(kind, part.accepts):
            raise UsageError(
                f"features {part.name!r} are of {in_words(part.accepts)}, and these are {in_words(kind)}",
                "leave --features away",
            )
        return part
    if source_features != "auto" and issubclass(kind, (part := features_part(source_features)).accepts):
        return part
    known = cast("dict[str, type[Features]]", parts("features"))
    suits = {name: cls.suits(train) for name, cls in known.items() if issubclass(kind, cls.accepts)}
    best = max(suits, key=lambda name: suits[name], default="")
    return features_part(best) if suits.get(best) else None


def features_part(value: Any) -> Features:
    """A part of the kind from its name, a table, or itself. Raises UsageError with the nearest names."""
    part = build("features", value)
    assert isinstance(part, Features)
    return part


def chosen(metrics: Sequence[str | Metric] | None) -> list[Metric]:
    """The metrics asked for.

    Args:
        metrics: by name, by a score's name, or as parts; None: all but those that are computed on request only.

    Raises:
        UsageError: one is unknown; with the nearest.
    """
    wanted: dict[str, str | Metric]
    if metrics is None:
        wanted = {name: "" for name, part in parts("metric").items() if not getattr(part, "on_request", False)}
    else:
        wanted = {m.name if isinstance(m, Metric) else metric_of(m): m for m in metrics}
    out = []
    for name, given in wanted.items():
        part = given if isinstance(given, Metric) else build("metric", name)
        assert isinstance(part, Metric)
        out.append(part)
    return sorted(out, key=lambda m: not m.whole_train)  # so that the training set's features are extracted as a whole


def available(metrics: Sequence[Metric], why: Mapping[str, str], insist: bool) -> tuple[list[Metric], dict[str, str]]:
    """The metrics to compute, and the reasons of those that are left out.

    Raises:
        UsageError: with `insist`, if one is not available.
        DataError: none is.
    """
    skipped = {name: reason for name, reason in why.items() if reason}
    for name, reason in skipped.items():
        if insist:
            raise UsageError(f"{name} is not available: {reason}", "leave it out of --metrics")
    todo = [metric for metric in metrics if metric.name not in skipped]
    if not todo:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(skipped.items()))
        raise DataError(f"nothing can be scored ({reasons})", "take more samples, or more data")
    return todo, skipped


def subset(n: int, most: int, *seed: int | str) -> np.ndarray:
    """Indices, sorted, of at most `most` of n samples."""
    if n <= most:
        return np.arange(n)
    chosen = np.random.Generator(np.random.PCG64(derive(*seed))).permutation(n)[:most]
    return np.sort(chosen)


def compared_with(size: int, n: int, seed: int) -> np.ndarray:
    """Which data n samples are compared with: indices, sorted, of at most n of a set of `size`."""
    return subset(size, n, seed, "held-out")


def searched(size: int, n: int, seed: int) -> np.ndarray | None:
    """Which training data are searched for copies of n samples: indices, sorted, of some of a set of `size`; None: all."""
    most = min(SEARCHED, max(SEARCHED_LEAST, PER_SAMPLE * n))
    return None if size <= most else subset(size, most, seed, "train")


def in_part(searched: int, size: int, n: int) -> str:
    """What is said where copies of n samples are searched for among some of the training data only."""
    more = -(-min(size, SEARCHED) // PER_SAMPLE)
    return f"copies are searched for among {searched:,} of {size:,} training data" + (
        f"; --n {more:,} searches {min(size, SEARCHED):,}" if more > n else ""
    )


def classifier(
    name: str, train: Dataset, cache_dir: Path, device: torch.device
) -> Callable[[Samples], np.ndarray] | None:
    """Samples to labels int64 [N], where a source names features that know its classes; else None.

    Args:
        name: of the features; "auto" names none.
        train: the data, with its classes.
        cache_dir: where the features keep what they make.
        device: of the net.
    """
    data = train.samples()
    if name == "auto" or getattr(data, "labels", None) is None:
        return None
    part = features_part(name)
    if not isinstance(data, part.accepts):
        return None
    net = part.prepare(train, cache_dir, device)
    if not net.columns or net.columns != classes_of(train):
        return None

    def classify(samples: Samples) -> np.ndarray:
        found = net(pieces(samples, CLASSIFIED), len(samples)).probabilities
        assert found is not None
        return np.asarray(found.argmax(1))

    return classify
