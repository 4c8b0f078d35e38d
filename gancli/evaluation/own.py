"""Scores of features that somebody has computed already: from arrays in memory, or from .npz and .npy files.

A file holds one array [N, d], or `features` [N, d] and, for scores that need a classifier, `probabilities` [N, K].
"""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import gettempdir
from typing import Any, BinaryIO

import numpy as np

from gancli.core.errors import DataError
from gancli.core.files import Folder
from gancli.core.images import ImageSamples
from gancli.data import npy
from gancli.data.npz import BROKEN
from gancli.evaluation import protocol, raw
from gancli.evaluation.contracts import Extracted, Inputs, Metric, SampleSet, Score
from gancli.evaluation.results import Evaluation, in_order, plain
from gancli.evaluation.selection import available, chosen, subset
from gancli.evaluation.weights import sha256

SMALL, TIMES = 32 << 20, 8  # bytes that a file may unpack to, or so many times its size: features hardly compress
WIDEST = 4096  # numbers for a sample, unless there are as many samples
PLAIN = "numpy.savez(file, features=array) with float32 [N, d]"


class FeatureSet(SampleSet[Any]):
    """Samples of which only the features are known.

    Args:
        name: in words.
        features: [N, d].
        probabilities: [N, K], or None.
    """

    def __init__(self, name: str, features: Any, probabilities: Any = None) -> None:
        table = raw.array(features, f"features of the {name}")
        p = None if probabilities is None else raw.probabilities(probabilities)
        if p is not None and len(p) != len(table):
            raise DataError(f"{name}: {len(p):,} rows of probabilities for {len(table):,} rows of features")
        super().__init__(name, ImageSamples, len(table), folder=Path(gettempdir()), classified=p is not None)
        self.extracted = Extracted(table.astype(np.float32), None if p is None else p.astype(np.float32))
        self.table = table

    @property
    def features(self) -> np.ndarray:
        return self.table

    def some(self, n: int, seed: int) -> FeatureSet:
        """At most n of them."""
        at = subset(len(self), n, seed, self.name)
        p = self.extracted.probabilities
        return FeatureSet(self.name, self.table[at], None if p is None else p[at])

    @property
    def digest(self) -> str:
        """SHA-256 of the features."""
        return sha256(np.ascontiguousarray(self.table).tobytes())


def read(path: Path, name: str) -> FeatureSet:
    """Read a file of features.

    Args:
        path: .npz or .npy.
        name: of the set, in words.

    Raises:
        DataError: the file is missing, damaged, or holds no features.
    """
    there = Path(os.path.realpath(path))
    try:
        with Folder(there.parent).open(there.name) as file:
            return _read(file, path, name)
    except BROKEN as error:
        raise DataError(f"{path}: {error}", "features are an .npz or .npy file, without pickled objects") from None


def _read(file: BinaryIO, path: Path, name: str) -> FeatureSet:
    size = os.fstat(file.fileno()).st_size

    def again() -> Any:
        file.seek(0)
        return nullcontext(file)

    arrays = (
        npy.members(zipfile.ZipFile(file), path)
        if zipfile.is_zipfile(file)
        else [npy.header_of("features", str(path), again, size)]
    )
    found = {array.name: array for array in arrays}
    if len(found) == 1:
        found = {"features": arrays[0]}
    if "features" not in found:
        held = ", ".join(array.name for array in arrays[:9])
        raise DataError(f"{path} holds {held or 'nothing'}", "name the array of features `features`")
    features, probabilities = found["features"], found.get("probabilities")
    most = max(SMALL, TIMES * size)
    for array in (features, probabilities):
        if array is not None and array.nbytes > most:
            raise DataError(f"{path} of {size / 1e6:.3g} MB would unpack to {array.nbytes / 1e9:.3g} GB", PLAIN)
        if array is not None and array.dtype.kind not in "fiub":
            raise DataError(f"{array.where} holds {array.dtype}, no numbers", PLAIN)
    if len(features.shape) == 2 and features.shape[1] > max(WIDEST, features.shape[0]):
        width = f"{features.shape[1]:,} numbers for each of {features.shape[0]:,} samples"
        raise DataError(f"{path} has {width}", f"reduce them to {WIDEST:,}, by principal components")
    return FeatureSet(name, features.whole(most), None if probabilities is None else probabilities.whole(most))


def evaluate_features(
    real: FeatureSet,
    fake: FeatureSet,
    train: FeatureSet | None = None,
    *,
    metrics: Sequence[str | Metric] | None = None,
    n: int = 10_000,
    seed: int = 0,
    label: str = "own",
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> Evaluation:
    """Score features.

    Args:
        real: of reals that were not trained on.
        fake: of the samples.
        train: of the training data. They give the reference scores and what memorization is measured by.
        metrics: by name, by a score's name, or as parts; None: all that are available.
        n: samples, and reals, that are looked at.
        seed: of which are looked at, and of what metrics draw.
        label: the features' name, which the scores carry.
        progress: called with what is done, how much, and of how much.

    Raises:
        DataError: the sets do not fit, or nothing can be scored.
        UsageError: a metric is unknown, or not available.
    """
    begun = time.perf_counter()
    reals, samples = real.some(n, seed), fake.some(n, seed)
    widths = {s.table.shape[1] for s in (reals, samples, *([] if train is None else [train]))}
    if len(widths) > 1:
        raise DataError(f"features of widths {sorted(widths)}", "use the same network for all sets")
    kept: dict[str, Any] = {}
    nothing = SampleSet("training set", ImageSamples, 0, folder=Path(gettempdir()))

    def inputs_of(made: SampleSet[Any]) -> Inputs:
        def reference() -> Inputs:
            return inputs_of(nothing if train is None else train.some(len(made), seed))

        return Inputs(reals, made, train or nothing, reference=reference, seed=seed, known_of_reals=kept)

    inputs = inputs_of(samples)
    todo = chosen(metrics)
    why = {m.name: _objection(m, train is not None) or m.objection(inputs) for m in todo}
    todo, skipped = available(todo, why, metrics is not None)
    scores: dict[str, Score] = {}
    timings: dict[str, float] = {}
    for i, metric in enumerate(todo):
        start = time.perf_counter()
        compared = train is not None and not metric.objection(inputs.reference)
        others = metric.baselines(inputs) if compared else {}
        for key, score in metric.compute(inputs).items():
            scores[f"{key}@{label}"] = score.beside({name: of[key] for name, of in others.items() if key in of})
        timings[metric.name] = time.perf_counter() - start
        progress("metrics", i + 1, len(todo))
    timings["total"] = time.perf_counter() - begun
    sizes = {"n_fake": len(samples), "n_real": len(reals), "n_train": 0 if train is None else len(train)}
    data = {"data": real.digest, "train": train and train.digest, "fakes": {"features": fake.digest}}
    whole = _protocol(label, seed, todo, skipped) | sizes | data
    return Evaluation({name: scores[name] for name in in_order(scores)}, plain(whole), timings)


def _protocol(label: str, seed: int, metrics: Sequence[Metric], skipped: Mapping[str, str]) -> dict[str, Any]:
    """What must agree for two evaluations to be compared, except the data."""
    return {
        "version": protocol.VERSION,
        "features": label,
        "features_hash": None,
        "rule": None,
        "split": "reals given",
        "seed": seed,
        "metrics": {m.name: m.model_dump(mode="json") for m in sorted(metrics, key=lambda m: m.name)},
        "skipped": dict(skipped),
        "versions": {name: protocol.version(name) for name in ("gancli", "torch", "numpy")},
    }


def _objection(metric: Metric, trained: bool) -> str:
    """What speaks against a metric where only features are known."""
    if metric.space != "features":
        return "it looks at the samples themselves"
    if metric.reference == "paired":
        return "the samples do not belong to the data, one to one"
    if metric.whole_train and not trained:
        return "the features of the training data are not given"
    return ""
