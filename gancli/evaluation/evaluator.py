"""Evaluate samples: features -> metrics -> scores, with the protocol that they were made by.

Samples are compared with data that the model has not seen: the test set, or while training the validation set. The reference score beside a
score is what as many training data get in the samples' place: real against real. Samples are evaluated as they are saved, chunk by chunk.
What is computed of the data (features, reference scores) is kept in the cache, by the data's fingerprint and the features' hash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.data import Dataset, Split
from gancli.core.errors import DataError, UsageError
from gancli.core.registry import Part
from gancli.core.samples import Samples
from gancli.evaluation import cache, protocol
from gancli.evaluation.compared import Baselines
from gancli.evaluation.contracts import (
    Extracted,
    Inputs,
    Metric,
    Progress,
    SampleSet,
    Score,
    classes_of,
    in_words,
    silent,
)
from gancli.evaluation.generated import Generated, check_alike
from gancli.evaluation.results import Evaluation, Pairs, in_order
from gancli.evaluation.selection import available, choose_features, chosen, compared_with, in_part, searched, subset
from gancli.evaluation.sets import StoredSet, StreamedSet
from gancli.inference.stream import Stream

USUAL = 10_000  # samples


class Evaluator:
    """Data prepared for evaluation: its features and statistics are made once, then used again and again.

    Args:
        train: the training data.
        reals: the data that samples are compared with: the test set, or while training the validation set.
        source_features: the features that the data's source names, or "auto".
        n: samples, and reals, that are looked at.
        seed: of which are looked at where there are more, and of what metrics draw.
        features: other features; not given: the source's, or what suits the data.
        cache_dir: where features and reference scores are kept, and temporary files are written.
        device: of the feature net.
        progress: called with what is done, how much, and of how much.
        note: called with lines of words.
        name: of `reals`.

    Raises:
        UsageError: n is too small, or the features do not accept such data.
        DataError: there are no data.
    """

    def __init__(
        self,
        train: Dataset,
        reals: Dataset,
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
        for what, data in (("training set", train), (name, reals)):
            if not len(data):
                more = "--split train compares with training data" if "test" in what else "set data.validation=0.2"
                raise DataError(f"the {what} is empty", more)
        self.data, self.name, self.n, self.seed = train, name, n, seed
        self.cache_dir, self.progress, self.note = cache_dir, progress, note
        part = choose_features(features, source_features, train)
        self._accepts = Samples if part is None else part.accepts
        place = torch.device(device)
        self.extractor = None if part is None else part.prepare(train, cache_dir, place, progress)
        self._more: dict[str, Any] = {
            "folder": cache_dir, "classified": self.extractor is not None and self.extractor.classifies
        }  # fmt: skip
        self.real = self._stored(reals, name, compared_with(len(reals), n, seed), self._extract_kept)
        self.train = self._stored(train, "training set", searched(len(train), n, seed), self._extract_kept)
        self.baselines = Baselines(train, self.real, seed, cache_dir, progress, self._of_baseline)
        self._known_of_reals: dict[str, Any] = {}
        if len(self.real) < n:
            more = "; --split train compares with training data" if "test" in name else ""
            note(f"the {name} has {len(self.real):,} samples: scores are no steadier than that allows{more}")

    def _stored(
        self,
        data: Dataset,
        name: str,
        rows: np.ndarray | None,
        extract: Callable[[StoredSet[Any]], Extracted],
        labeled: bool = True,
    ) -> StoredSet[Any]:
        """Some of the data."""
        samples = data.samples()
        return StoredSet(
            name, samples, extract, rows, labeled=labeled, fingerprint=lambda: data.fingerprint, **self._more
        )

    @property
    def label(self) -> str:
        """The features' name, which their scores carry; empty where there are none."""
        return "" if self.extractor is None else self.extractor.label

    def _extract_kept(self, of: StoredSet[Any]) -> Extracted:
        assert self.extractor is not None
        return cache.features(self.extractor, of, self.cache_dir, self.progress)

    def _extract(self, chunks: Iterable[Samples], n: int, progress: Progress = silent) -> Extracted:
        assert self.extractor is not None
        return self.extractor(chunks, n, progress, "samples")

    def _inputs(self, fake: SampleSet[Any], real: SampleSet[Any] | None = None) -> Inputs:
        """What the metrics are given of these samples; `real`: others than those that samples are compared with."""
        return Inputs(
            real or self.real,
            fake,
            self.train,
            reference=lambda: self.reference_inputs(len(fake), fake.labels is not None),
            baselines=lambda: self.baselines.inputs(len(fake)),
            classes=classes_of(self.data),
            columns=() if self.extractor is None else self.extractor.columns,
            seed=self.seed,
            known_of_reals={} if real else self._known_of_reals,
            attribute_names=tuple(getattr(self.data, "attribute_names", ())),
            measure=getattr(self.data, "measure", None),
        )

    def reference_inputs(self, n: int, labeled: bool) -> Inputs:
        """As many training data as there are samples, in their place."""
        some = subset(len(self.train), n, self.seed, "floor")

        def extract(of: StoredSet[Any]) -> Extracted:
            if "extracted" not in vars(self.train):  # not yet needed as a whole
                return self._extract_kept(of)
            whole = self.train.extracted
            p = whole.probabilities
            return Extracted(whole.features[some], None if p is None else p[some])

        rows = some if self.train.rows is None else self.train.rows[some]
        return self._inputs(self._stored(self.data, "training data in the samples' place", rows, extract, labeled))

    def _of_baseline(self, name: str, made: Samples) -> Inputs:
        return self._inputs(StoredSet(name, made, lambda of: self._extract(of.chunks(), len(of)), **self._more))

    def objections(
        self,
        metrics: Sequence[Metric],
        n: int,
        labels: np.ndarray | None = None,
        attributes: np.ndarray | None = None,
        kind: type[Samples] | None = None,
        paired: bool = False,
    ) -> dict[str, str]:
        """Why metrics are not available for samples that need not be made yet.

        Args:
            metrics: those in question.
            n: how many samples.
            labels: asked for, int64 [n].
            attributes: asked for, float32 [n, A].
            kind: the samples' type; not given: the data's.
            paired: whether sample i belongs to datum i.

        Returns:
            The reason for each metric by name, empty if it is available.
        """
        n = min(n, self.n)
        fake = SampleSet("samples", kind or self.real.kind, n, labels=labels, attributes=attributes, **self._more)
        inputs = self._inputs(fake)
        return {m.name: self._objection(m, fake, paired) or m.objection(inputs) for m in metrics}

    def _objection(self, metric: Metric, fake: SampleSet[Any], paired: bool) -> str:
        """What speaks against a metric whatever it computes."""
        compared = [fake.kind] if metric.reference == "none" else [fake.kind, self.real.kind]
        for one in compared:
            if not issubclass(one, metric.accepts):
                return f"it scores {in_words(metric.accepts)}, and these are {in_words(one)}"
        if metric.reference == "paired" and not (paired and len(fake) == len(self.real)):
            return f"the samples do not belong to the data of the {self.name}, one to one"
        if metric.needs_features and (self.extractor is None or not issubclass(fake.kind, self._accepts)):
            return f"there are no features of {in_words(fake.kind)}"
        return ""

    def __call__(
        self,
        generated: Generated,
        metrics: Sequence[str | Metric] | None = None,
        *,
        baselines: bool = True,
        insist: bool = True,
    ) -> Evaluation:
        """Score samples. They are read once, chunk by chunk.

        Args:
            generated: the samples.
            metrics: by name, by a score's name, or as parts; None: all that are available.
            baselines: whether reference scores and other baselines are computed, too.
            insist: whether a metric that was asked for must be available; else it is left out.

        Raises:
            DataError: the samples cannot be scored.
            UsageError: a metric is unknown, or not available.
        """
        begun = time.perf_counter()
        fake = self._fake(generated)
        todo = chosen(metrics)
        why = self.objections(todo, len(fake), fake.labels, fake.attributes, fake.kind, generated.paired)
        todo, skipped = available(todo, why, insist and metrics is not None)
        if self.train.rows is not None and any(m.whole_train for m in todo):
            self.note(in_part(len(self.train), len(self.data), self.n))
        fake.read(any(m.needs_features for m in todo), any(m.needs_samples for m in todo))
        inputs = self._inputs(fake)
        scores, timings = self._scores(todo, inputs, baselines)
        timings["total"] = time.perf_counter() - begun
        pairs: Pairs | None = inputs.shared("pairs", lambda: None)
        ordered = {name: scores[name] for name in in_order(scores)}
        how = protocol.of(self, generated, fake, todo, skipped)
        return Evaluation(ordered, how, timings, pairs, fake.head, generated.named(fake))

    def _fake(self, generated: Generated) -> StoredSet[Any] | StreamedSet[Any]:
        """The samples to look at. Raises DataError if they cannot be scored."""
        generated.check(self.data)
        samples, n = generated.samples, len(generated.samples)
        some = None if n <= self.n else subset(n, self.n, self.seed, "samples")
        fake: StoredSet[Any] | StreamedSet[Any]
        if isinstance(samples, Stream):
            stream = samples if some is None else samples.take(some)
            known = {"labels": stream.labels, "attributes": stream.attributes, "numbers": some}
            fake = StreamedSet(
                "samples", stream, len(stream), lambda chunks: self._extract(chunks, len(stream)), **known, **self._more
            )
        else:
            fake = StoredSet(
                "samples", samples, lambda of: self._extract(of.chunks(), len(of), self.progress), some, **self._more
            )
        check_alike(fake.head, self.real.take(np.arange(1)))
        fake.model = getattr(samples, "model", None)
        return fake

    def _scores(
        self, metrics: Sequence[Metric], inputs: Inputs, baselines: bool
    ) -> tuple[dict[str, Score], dict[str, float]]:
        """All scores by name, and the seconds of each metric."""
        scores: dict[str, Score] = {}
        timings: dict[str, float] = {}
        for i, metric in enumerate(metrics):
            start = time.perf_counter()
            found = metric.compute(inputs)
            others = self._baselines(metric, inputs) if baselines else {}
            for key, score in found.items():
                beside = {name: of[key] for name, of in others.items() if key in of}
                scores[self._full_name(metric, key)] = score.beside(beside)
            inputs.release()
            timings[metric.name] = time.perf_counter() - start
            self.progress("metrics", i + 1, len(metrics))
        return scores, timings

    def _full_name(self, metric: Metric, key: str) -> str:
        if "@" in key:
            return key
        return f"{key}@{self.label if metric.needs_features else metric.space}"

    def _baselines(self, metric: Metric, inputs: Inputs) -> dict[str, dict[str, Score]]:
        """What baselines get, from the cache where it is known."""
        if not type(metric).__module__.startswith("gancli."):
            return metric.baselines(inputs)  # a plug-in's code may have changed since
        key = {
            "version": [protocol.VERSION, protocol.ERRORS, protocol.version("gancli")],
            "metric": metric.model_dump(mode="json"),
            "features": None if self.extractor is None else [self.extractor.hash, self.extractor.rule],
            "n": [len(inputs.fake), self.n],
            "seed": self.seed,
            "data": [self.real.fingerprint, self.train.fingerprint],
            "labels": inputs.fake.labels is not None,
            "baselines": self.baselines.options if metric.scores_baselines else [],
            "of": type(self).__name__,
        }
        return cache.baselines(key, self.cache_dir, lambda: metric.baselines(inputs))


def evaluate(
    generated: Generated,
    split: Split[Any],
    source_features: str = "auto",
    *,
    metrics: Sequence[str | Metric] | None = None,
    n: int | None = None,
    seed: int = 0,
    features: Part | None = None,
    cache_dir: Path,
    device: str = "cpu",
    progress: Progress = silent,
    note: Callable[[str], None] = lambda _text: None,
    name: str = "test set",
    untrained: bool = False,
) -> Evaluation:
    """Score at most n samples against as many data of the test set, or all there are.

    Args:
        generated: the samples.
        split: the data.
        source_features: the features that the data's source names, or "auto".
        metrics: by name, by a score's name, or as parts; None: all that are available.
        n: samples, and reals, that are looked at; None: all where nothing was trained, else 10,000.
        seed: of which are looked at, and of what metrics draw.
        features: other features.
        cache_dir: where features and reference scores are kept.
        device: of the feature net.
        progress: called with what is done, how much, and of how much.
        note: called with lines of words.
        name: of the set that `split.test` is.
        untrained: whether nothing was trained on the data, all of which are in both sets.

    Raises:
        GanError: the samples cannot be scored, or a metric is not available; with the cause.
    """
    from gancli.evaluation.untrained import NothingHeldOut, Untrained

    many = len(generated.samples)
    most = n or max(2, many, len(split.test)) if untrained else min(n or USUAL, many) if many > 1 else n or USUAL
    evaluator = (Untrained if untrained else NothingHeldOut if split.train is split.test else Evaluator)(
        split.train, split.test, source_features, n=most, seed=seed, features=features, cache_dir=cache_dir,
        device=device, progress=progress, note=note, name="all images" if untrained else name,
    )  # fmt: skip
    return evaluator(generated, metrics)


def quick(evaluator: Evaluator, generated: Generated, metrics: Sequence[str]) -> Evaluation:
    """Scores while training: few metrics, those that are not available left out, no baselines."""
    return evaluator(generated, metrics, baselines=False, insist=False)
