"""Judge samples: features -> metrics -> scores, with the protocol that they were made by.

Fakes are compared with the held-out reals: what the generator has not seen. The floor beside a score is what as many training images
get in the fakes' place: real against real. All images pass through uint8, as saved. What is computed of the reals
(features, floors) is kept under the cache folder, by the images' fingerprint and the features' hash.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.data import Split
from gancli.core.errors import DataError, UsageError
from gancli.core.registry import Part, build, parts
from gancli.data.cache import fingerprint
from gancli.data.images import ImageDataset
from gancli.evaluation import cache
from gancli.evaluation.contracts import (
    Extracted,
    Extractor,
    Metric,
    Progress,
    Score,
    Side,
    Subject,
    check_images,
    silent,
)
from gancli.evaluation.results import Bound, Evaluation, Pair, compare, metric_of, parse_bound, plain, score_names
from gancli.evaluation.selection import choose_features, features_part, subset

__all__ = [
    "Bound",
    "Evaluation",
    "Evaluator",
    "Fakes",
    "Pair",
    "Score",
    "choose_features",
    "compare",
    "evaluate",
    "metric_of",
    "parse_bound",
    "quick",
    "score_names",
]

VERSION = 1  # of the protocol: raised whenever a score changes its meaning
ERRORS = 2  # of standard errors: raised whenever one is estimated otherwise, so that kept floors are made again
QUICK = ("fid", "prc")
TRAIN_LIMIT = 100_000  # training images that are searched for copies


@dataclass(frozen=True)
class Fakes:
    """Samples to judge, and where they come from."""

    images: np.ndarray  # uint8 [N, C, H, W], as saved
    labels: np.ndarray | None = None  # int64 [N]: the labels asked for, of a conditional generator
    description: Mapping[str, Any] = field(default_factory=dict)  # run, checkpoint, averaged or raw weights, seeds, ...
    attributes: np.ndarray | None = None  # float32 [N, A]: the attributes asked for


class Evaluator:
    """A data set prepared for evaluation: features and the reals' statistics are made once, then asked for again and again."""

    def __init__(
        self,
        train: ImageDataset,
        reals: ImageDataset,
        source_features: str = "auto",
        *,
        n: int = 10_000,
        seed: int = 0,
        features: Part | None = None,
        cache_dir: Path,
        device: str = "cpu",
        progress: Progress = silent,
        note: Callable[[str], None] = lambda _text: None,
        name: str = "test set",
    ) -> None:
        if n < 2:
            raise UsageError(
                f"cannot evaluate {n} samples", "take --n 2 or more; scores are steady from some thousands on"
            )
        check_images(train.images, "training images")
        check_images(reals.images, f"the {name}")
        self.data_set, self.name, self.n, self.seed, self.cache_dir = train, name, n, seed, cache_dir
        self.progress, self.note = progress, note
        part = choose_features(source_features, train) if features is None else features_part(features)
        self.part = part
        self.extractor: Extractor = part.prepare(train, cache_dir, torch.device(device), progress)
        test = reals.take(subset(len(reals), n, seed, "held-out"))
        index = subset(len(train), TRAIN_LIMIT, seed, "train")
        train = train if len(index) == len(train) else train.take(index)
        self.real = Side(name, test.images, test.labels, self._extract_kept)
        self.train = Side("training images", train.images, train.labels, self._extract_kept, index, train.attributes)
        self.reals_memo: dict[str, Any] = {}
        if len(self.real) < n:
            note(f"the {name} has {len(self.real):,} images: scores are no steadier than that allows")

    def _extract_kept(self, images: np.ndarray, what: str) -> Extracted:
        return cache.features(self.extractor, images, self.cache_dir, what, self.progress)

    @cached_property
    def data(self) -> tuple[str, str]:
        """Fingerprints of the held-out and of the training images, labels included."""
        return fingerprint(self.real.images, self.real.labels), fingerprint(self.train.images, self.train.labels)

    def subject(self, fakes: Fakes) -> Subject:
        """What the metrics are given of these fakes."""
        return self._subject(self._fake_side(fakes))

    def _subject(self, fake: Side) -> Subject:
        return Subject(
            self.real,
            fake,
            self.train,
            classes=self.data_set.classes,
            columns=self.extractor.columns,
            seed=self.seed,
            reals_memo=self.reals_memo,
            attribute_names=self.data_set.attribute_names,
            measure=self.data_set.measure,
        )

    def _floor_side(self, n: int, conditional: bool) -> Side:
        """As many training images as there are fakes, in the fakes' place."""
        index = subset(len(self.train), n, self.seed, "floor")
        labels = self.train.labels[index] if conditional and self.train.labels is not None else None

        def extract(images: np.ndarray, what: str) -> Extracted:
            if "extracted" not in vars(self.train):  # not yet needed as a whole
                return self._extract_kept(images, what)
            whole = self.train.extracted
            p = whole.probabilities
            return Extracted(whole.features[index], None if p is None else p[index])

        attributes = None if self.train.attributes is None else self.train.attributes[index]
        return Side("training images as fakes", self.train.images[index], labels, extract, attributes=attributes)

    def chosen(self, metrics: Sequence[str | Metric] | None) -> list[Metric]:
        """The metrics asked for, by name, by a score's name, or as parts; all there are for None.

        Raises UsageError on an unknown one, with the nearest.
        """
        wanted: dict[str, str | Metric]
        if metrics is None:
            wanted = dict.fromkeys(parts("metric"), "")
        else:
            wanted = {m.name if isinstance(m, Metric) else metric_of(m): m for m in metrics}
        out = []
        for name, given in wanted.items():
            part = given if isinstance(given, Metric) else build("metric", name)
            assert isinstance(part, Metric)
            out.append(part)
        return sorted(out, key=lambda m: m.floor == "train")  # those that look at all training images go first

    def __call__(
        self,
        fakes: Fakes,
        metrics: Sequence[str | Metric] | None = None,
        *,
        floors: bool = True,
        insist: bool = True,
    ) -> Evaluation:
        """Score the samples. Metrics that cannot be had are left out, unless they were asked for; without `insist`, even then.

        Raises DataError or UsageError on samples that cannot be scored.
        """
        self._check(fakes)
        begun = time.perf_counter()
        timings: dict[str, float] = {}
        subject = self.subject(fakes)
        fake = subject.fake
        floor = self._subject(self._floor_side(len(fake), fake.labels is not None)) if floors else None
        todo, skipped = self._applicable(metrics, subject, insist and metrics is not None)
        scores: dict[str, Score] = {}
        for i, metric in enumerate(todo):
            start = time.perf_counter()
            found = metric.compute(subject)
            if floor is not None and metric.floor == "train":
                below = self._floor(metric, floor)
                found = {k: s.with_floor(below[k]) if k in below else s for k, s in found.items()}
            scores.update({self._full_name(metric, k): s for k, s in found.items()})
            timings[metric.name] = time.perf_counter() - start
            self.progress("metrics", i + 1, len(todo))
        timings["total"] = time.perf_counter() - begun
        pairs: tuple[Pair, ...] = subject.shared("pairs", tuple)
        return Evaluation(dict(sorted(scores.items())), self._protocol(fakes, fake, todo, skipped), timings, pairs)

    def _applicable(
        self, metrics: Sequence[str | Metric] | None, subject: Subject, insist: bool
    ) -> tuple[list[Metric], dict[str, str]]:
        """The metrics to compute, and those left out with the reason.

        Raises UsageError with `insist` if one cannot be had, DataError if none can.
        """
        todo, skipped = [], {}
        for metric in self.chosen(metrics):
            why = metric.objection(subject)
            if why and insist:
                raise UsageError(f"{metric.name} cannot be had: {why}", "leave it out of --metrics")
            if why:
                skipped[metric.name] = why
            else:
                todo.append(metric)
        if skipped and not todo:
            reasons = "; ".join(f"{name}: {why}" for name, why in skipped.items())
            raise DataError(f"nothing can be scored ({reasons})", "take more samples, or data with more images")
        return todo, skipped

    def _check(self, fakes: Fakes) -> None:
        check_images(fakes.images, "samples")
        want, got = self.real.images.shape[1:], fakes.images.shape[1:]
        if want != got:
            sizes = ["x".join(map(str, s)) for s in (got, want)]
            raise DataError(f"samples are {sizes[0]}, the data's images {sizes[1]}", "compare images of the same size")
        if fakes.labels is not None and len(fakes.labels) != len(fakes.images):
            raise DataError(f"{len(fakes.labels)} labels for {len(fakes.images)} samples")
        want_attributes = (len(fakes.images), len(self.data_set.attribute_names))
        if fakes.attributes is not None and fakes.attributes.shape != want_attributes:
            raise DataError(f"attributes of the samples are {fakes.attributes.shape}, the data's {want_attributes}")
        if len(fakes.images) < 2:
            raise DataError("there is one sample only", "take more (--n)")

    def _fake_side(self, fakes: Fakes) -> Side:
        index = subset(len(fakes.images), self.n, self.seed, "samples")
        some = index if len(index) < len(fakes.images) else slice(None)
        labels = None if fakes.labels is None else np.asarray(fakes.labels[some], np.int64)
        if labels is not None and (labels.min() < 0 or labels.max() >= max(1, len(self.data_set.classes))):
            raise DataError("labels of the samples are not classes of the data")
        asked = None if fakes.attributes is None else np.asarray(fakes.attributes[some], np.float32)
        extract = lambda images, what: self.extractor(images, self.progress, what)  # noqa: E731
        return Side("samples", fakes.images[some], labels, extract, index, asked)

    def _full_name(self, metric: Metric, key: str) -> str:
        if "@" in key:
            return key
        return f"{key}@{'pixels' if metric.space == 'pixels' else self.extractor.label}"

    def _floor(self, metric: Metric, subject: Subject) -> dict[str, Score]:
        """The training images' scores, from the cache where they are known."""
        key = {
            "version": [VERSION, ERRORS, _version("gancli")],
            "metric": metric.model_dump(mode="json"),
            "features": [self.extractor.hash, self.extractor.rule],
            "n": [len(subject.fake), self.n],
            "seed": self.seed,
            "data": self.data,
            "labels": subject.fake.labels is not None,
        }
        if not type(metric).__module__.startswith("gancli."):
            return metric.compute(subject)  # a plugin's code may have changed since
        return cache.scores(key, self.cache_dir, lambda: metric.compute(subject))

    def _protocol(
        self, fakes: Fakes, fake: Side, metrics: Sequence[Metric], skipped: Mapping[str, str]
    ) -> dict[str, Any]:
        data, train = self.data
        versions = {name: _version(name) for name in ("gancli", "torch", "numpy")}
        return {
            "version": VERSION,
            "features": self.extractor.label,
            "features_hash": self.extractor.hash,
            "rule": self.extractor.rule,
            "n_fake": len(fake),
            "n_real": len(self.real),
            "n_train": len(self.train),
            "split": f"{self.name}; the floor is training images in the fakes' place",
            "data": data,
            "train": train,
            "seed": self.seed,
            "interval": "95 %: value +- 1.96 standard errors",
            "fakes": plain(fakes.description),
            "metrics": {m.name: m.model_dump(mode="json") for m in sorted(metrics, key=lambda m: m.name)},
            "skipped": dict(skipped),
            "versions": versions,
        }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def evaluate(
    fake: Fakes,
    split: Split[ImageDataset],
    source_features: str = "auto",
    *,
    metrics: Sequence[str | Metric] | None = None,
    n: int = 10_000,
    seed: int = 0,
    features: Part | None = None,
    cache_dir: Path,
    device: str = "cpu",
    progress: Progress = silent,
    note: Callable[[str], None] = lambda _text: None,
) -> Evaluation:
    """Score at most `n` samples against as many held-out reals, or all there are; `metrics=None` is everything that applies.

    Raises GanError with the cause.
    """
    evaluator = Evaluator(
        split.train,
        split.test,
        source_features,
        n=min(n, len(fake.images)) if len(fake.images) > 1 else n,
        seed=seed,
        features=features,
        cache_dir=cache_dir,
        device=device,
        progress=progress,
        note=note,
    )
    return evaluator(fake, metrics)


def quick(evaluator: Evaluator, fake: Fakes, metrics: Sequence[str] = QUICK) -> Evaluation:
    """Scores while training: few metrics, those that cannot be had left out, no floors."""
    return evaluator(fake, metrics, floors=False, insist=False)
