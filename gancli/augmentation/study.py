"""The study: a classifier is trained in several arms, with several seeds each, and tested on images that nobody has seen.

All arms of a seed have the same initial weights, order of images, number of batches and size of batches. The ratio of generated images
and the filter are chosen on the validation set. Results are kept as soon as they are there (`store.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gancli.augmentation.candidates import Filters
from gancli.augmentation.contracts import Arm, Lesson, Material, Pool
from gancli.augmentation.options import Options
from gancli.augmentation.parts import Parts
from gancli.augmentation.scores import Predictions, scores
from gancli.augmentation.store import Store
from gancli.augmentation.streams import stream
from gancli.augmentation.verdict import Found
from gancli.core.errors import UsageError
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Progress, silent

FIRST_CHOOSING = 10_000  # seed of the trainings that choose
FEWEST = 10  # validation images of each class that gets new images, for a choice


@dataclass(frozen=True)
class Choice:
    """What validation chose."""

    filters: Filters
    ratio: float
    why: str
    tried: tuple[Mapping[str, float], ...] = ()  # agreement, ratio and score of each


@dataclass(frozen=True)
class Outcome:
    """What the classifiers of all arms say of the test images."""

    true: np.ndarray  # int64 [N]
    classes: int
    rare: int
    found: dict[str, Found]  # by arm
    missing: dict[str, str]  # arms that are not available, and why


@dataclass(frozen=True)
class Study:
    """Trains the classifiers of a study.

    Args:
        options: what is compared, and how.
        parts: of the data.
        pools: filters -> the new images that they keep.
        alone: unfiltered images of all classes, or None.
        store: of results.
        progress: called with what is done, trainings done and all trainings.
    """

    options: Options
    parts: Parts
    pools: Callable[[Filters], Pool]
    alone: Pool | None
    store: Store
    progress: Progress = silent

    def choose(self) -> Choice:
        """Choose agreement and ratio on the validation set, by the mean score over a few seeds; of equal ones the first."""
        options, validation = self.options, self.parts.validation
        verdict = next((arm for arm in self.arms() if arm.verdict), None)
        agreements = tuple(dict.fromkeys(options.agreements)) or (options.filters.agreement,)
        own = options.filters.agreement if options.filters.agreement in agreements else agreements[0]
        ratio = 1.0 if 1.0 in options.ratios else options.ratios[0]
        usual = Choice(options.filters.replace(agreement=own), ratio, "default")
        loosest = options.filters.replace(agreement=min(agreements))  # where the usual filter leaves none, this may
        getting = np.flatnonzero(self.pools(loosest).counts)
        few = min((int(validation.counts[k]) for k in getting), default=0)
        grid = [(a, r) for a in agreements for r in options.ratios]
        if verdict is None or len(grid) < 2 or not len(getting):
            return usual
        if few < FEWEST:
            return replace(usual, why=f"default: validation has {few} images of a class, fewer than {FEWEST}")
        tried = []
        for i, (agreement, ratio) in enumerate(grid):
            filters = options.filters.replace(agreement=agreement)
            material = Material(self.parts.real, self.pools(filters), ratio=ratio, changes=options.changes)
            if verdict.objection(material):
                continue
            each = []
            for k in range(options.choosing_seeds):
                found = self._trained(verdict, material, FIRST_CHOOSING + k, validation)
                each.append(scores(found, validation.labels, validation.classes, self.parts.rare)[options.score])
                self.progress(
                    "choosing on the validation set",
                    i * options.choosing_seeds + k + 1,
                    len(grid) * options.choosing_seeds,
                )
            tried.append({"agreement": agreement, "ratio": ratio, "score": float(np.mean(each))})
        if not tried:
            return usual
        best = max(tried, key=lambda one: one["score"])
        filters = options.filters.replace(agreement=best["agreement"])
        return Choice(filters, best["ratio"], f"chosen on {len(validation):,} validation images", tuple(tried))

    def arms(self) -> list[Arm]:
        """The arms that are compared."""
        return self.options.all_arms()

    def run(self, choice: Choice) -> Outcome:
        """Train all arms with all seeds, seed by seed.

        Raises:
            UsageError: no arm is available.
        """
        options, test = self.options, self.parts.test
        new = self.pools(choice.filters)
        material = Material(
            self.parts.real,
            new if len(new) else None,
            self.alone,
            like(self.parts.more, new),
            choice.ratio,
            options.changes,
        )
        missing = {arm.name: why for arm in self.arms() if (why := self._objection(arm, material))}
        arms = [arm for arm in self.arms() if arm.name not in missing]
        if not any(arm.role == "cheap" for arm in arms):
            raise UsageError(
                "no arm without generated images is available", f"there are: {', '.join(a.name for a in self.arms())}"
            )
        found = {arm.name: Found({}, {}) for arm in arms}
        for seed in range(options.seeds):
            for i, arm in enumerate(arms):
                one = self._trained(arm, material, seed, test)
                found[arm.name].predictions[seed] = one
                found[arm.name].scores[seed] = scores(one, test.labels, test.classes, self.parts.rare)
                self.progress("training classifiers", seed * len(arms) + i + 1, options.seeds * len(arms))
        return Outcome(test.labels, test.classes, self.parts.rare, found, missing)

    def _objection(self, arm: Arm, material: Material) -> str:
        classifier = self.options.classifier
        if arm.mixed and not classifier.takes_mixed:
            return f"{classifier.name} takes no mixed labels"
        if arm.weighted and not classifier.takes_weights:
            return f"{classifier.name} takes no weights"
        return arm.objection(material)

    def _trained(self, arm: Arm, material: Material, seed: int, on: Pool) -> Predictions:
        """The predictions of a classifier that is trained in an arm, unless they are there already."""
        options = self.options
        depends: dict[str, Any] = {
            "version": 1,
            "arm": arm.model_dump(mode="json"),
            "classifier": dict(options.classifier.identity),
            "real": material.real.digest,
            "on": on.digest,
            "changes": options.changes.model_dump(mode="json"),
            **arm.options(material),
        }
        there = self.store.recall(arm.name, seed, depends, len(on))
        if there is not None:
            return there
        _, c, h, w = material.real.images.shape
        batches = stream(arm, material, derive("study", seed))
        predict = options.classifier.fit(
            Lesson(batches, (c, h, w), material.real.classes, derive("study", seed, "weights"))
        )
        found = Predictions.of(predict(on.images), on.labels)
        self.store.keep(arm.name, seed, depends, found)
        return found


def like(more: Pool | None, new: Pool) -> Pool | None:
    """Of further real images as many of each class as there are new ones, the first of them; all, where there are no new ones."""
    if more is None or not len(new):
        return more
    keep = np.concatenate([of.numpy()[: int(new.counts[k])] for k, of in enumerate(more.members)])
    return more.take(np.sort(keep))


def pooled(outcomes: Sequence[Outcome], arms: Sequence[Arm]) -> Outcome:
    """The outcomes of several folds as one: each test image is in one of them.

    In a fold that has no generated images, the arm that adds them is the one on which it builds. Other arms that a fold lacks are left
    out.

    Raises:
        UsageError: they do not have the same classes and seeds.
    """
    first = outcomes[0]
    if len(outcomes) == 1:
        return first
    shapes = {(tuple(next(iter(o.found.values())).predictions), o.classes) for o in outcomes}
    if len(shapes) > 1:
        raise UsageError("the runs do not have the same classes and seeds", "train them on folds of the same data")
    true = np.concatenate([o.true for o in outcomes])
    found, missing = {}, {name: why for o in outcomes for name, why in o.missing.items()}
    for arm in arms:
        own = [o.found.get(arm.name) or o.found.get(arm.otherwise) for o in outcomes]
        of = [one for one in own if one is not None]
        if len(of) < len(outcomes) or not any(arm.name in o.found for o in outcomes):
            continue
        missing.pop(arm.name, None)
        both = {seed: _joined([one.predictions[seed] for one in of]) for seed in of[0].predictions}
        found[arm.name] = Found(both, {s: scores(p, true, first.classes, first.rare) for s, p in both.items()})
    return Outcome(true, first.classes, first.rare, found, missing)


def _joined(parts: Sequence[Predictions]) -> Predictions:
    labels, confidence, of_true = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "confidence", "of_true")
    )
    return Predictions(labels, confidence, of_true)
