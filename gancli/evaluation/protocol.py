"""How scores were made: what must agree for two of them to be compared, and what explains them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.evaluation.contracts import Metric, SampleSet, classes_of
from gancli.evaluation.generated import Generated
from gancli.evaluation.results import plain

if TYPE_CHECKING:
    from gancli.evaluation.evaluator import Evaluator

VERSION = 1  # of the protocol: raised whenever a score changes its meaning
ERRORS = (
    2  # of standard errors: raised whenever one is estimated otherwise, so that kept reference scores are made again
)


def of(
    evaluator: Evaluator,
    generated: Generated,
    fake: SampleSet[Any],
    metrics: Sequence[Metric],
    skipped: Mapping[str, str],
) -> dict[str, Any]:
    """The protocol of an evaluation, plain values.

    Args:
        evaluator: the data and the features.
        generated: the samples.
        fake: those of them that were looked at.
        metrics: that were computed.
        skipped: metrics that were left out, and why.
    """
    features, real, train = evaluator.extractor, evaluator.real, evaluator.train
    return {
        "version": VERSION,
        "features": features and features.label,
        "features_hash": features and features.hash,
        "rule": features and features.rule,
        "n_fake": len(fake),
        "n_real": len(real),
        "n_train": len(train),
        "split": evaluator.name,
        "data": real.fingerprint,
        "train": train.fingerprint,
        "seed": evaluator.seed,
        "interval": "95 %: value +- 1.96 standard errors",
        "fakes": plain(generated.description),
        "asked": _asked(evaluator, fake.labels),
        "metrics": {m.name: m.model_dump(mode="json") for m in sorted(metrics, key=lambda m: m.name)},
        "skipped": dict(skipped),
        "versions": {name: version(name) for name in ("gancli", "torch", "numpy")},
    }


def _asked(evaluator: Evaluator, labels: np.ndarray | None) -> dict[str, int]:
    """How many samples were asked for of each class, by its name."""
    names = classes_of(evaluator.data)
    if labels is None or len(names) < 2:
        return {}
    counts = np.bincount(labels, minlength=len(names))
    return {name: int(n) for name, n in zip(names, counts, strict=False)}


def version(package: str) -> str:
    """The installed version."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
