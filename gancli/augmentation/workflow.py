"""The steps of `gan augment`: look for new images, write them, study whether they help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gancli.augmentation import candidates, folder, observer
from gancli.augmentation import images as found
from gancli.augmentation.amounts import wanted
from gancli.augmentation.candidates import Filters, Maker
from gancli.augmentation.contracts import Pool
from gancli.augmentation.images import NewImages
from gancli.augmentation.options import Options
from gancli.augmentation.parts import tested
from gancli.augmentation.results import Result, result
from gancli.augmentation.store import Store
from gancli.augmentation.study import Choice, Outcome, Study, pooled
from gancli.augmentation.subject import Subject
from gancli.evaluation.contracts import Extractor, Progress, silent


@dataclass(frozen=True)
class Work:
    """A run with the candidates for new images.

    Attributes:
        extractor: the classifier behind the filters.
        new: candidates of the classes that get new images.
        every: unfiltered images of all classes.
    """

    of: Subject
    extractor: Extractor
    new: NewImages
    every: Pool

    def described(self, filters: Filters) -> dict[str, dict[str, Any]]:
        """What is known of the new images of each class."""
        return found.described(self.new, filters, self.of.parts, self.extractor)

    def findings(self) -> list[str]:
        """Sentences on what is wrong with the generator."""
        return found.findings(self.new, self.every, self.of.parts, self.extractor)


def look(
    of: Subject,
    options: Options,
    cache_dir: Path,
    features: str | None = None,
    several: bool = False,
    progress: Progress = silent,
) -> Work:
    """Make candidates for new images.

    Args:
        of: the run and its data.
        options: how many, and which are kept.
        cache_dir: where the weights of the classifier are kept.
        features: a feature extractor instead of a classifier of the training part; None: the latter.
        several: whether all agreements among which a study chooses must have enough candidates.
        progress: called with what is done, how much, and all.

    Raises:
        UsageError: `to` asks for nothing, or the features know labels of other images.
    """
    parts = of.parts
    number = wanted(options.to, parts.real.counts, parts.names)
    if features is not None:
        extractor = observer.named(features, of.train, parts.names, cache_dir)
    else:
        extractor = observer.own(parts.real, parts.names, cache_dir, options.observer, progress)
    threshold = candidates.copy_threshold(parts.real, parts.validation.images)
    maker = Maker(of.model, parts.real, extractor, threshold, options.seed)
    highest = max(options.agreements, default=0.0) if several else 0.0
    filters = options.filters.replace(agreement=max(options.filters.agreement, highest))
    new = found.make(maker, number, filters, progress)
    return Work(of, extractor, new, found.alone(of.model, parts.real, progress))


def write(work: Work, options: Options, out: Path, originals: str, progress: Progress = silent) -> dict[str, int]:
    """Write originals and new images to a folder; see `folder.write`."""
    new = []
    for label, of in work.new.found.items():
        for i, fate in enumerate(work.new.fates(label, options.filters)):
            if fate != candidates.SPARE:
                new.append(
                    folder.New(
                        label,
                        int(of.seeds[i]),
                        of.images[i],
                        float(of.agreement[i]),
                        int(of.nearest[i]),
                        float(of.ratio[i]),
                        fate,
                    )
                )
    parts = work.of.parts
    return folder.write(out, parts.real, parts.names, new, work.of.run.name, originals, work.of.files, progress)


def study(works: Sequence[Work], options: Options, stores: Sequence[Store], progress: Progress = silent) -> Result:
    """Train the classifiers of all arms and give the verdict. Several runs are folds of the same data.

    Args:
        works: of the runs.
        options: what is compared.
        stores: of the results of each run.
        progress: called with what is done, how much, and all.

    Raises:
        DataError: there are no test images of a class.
        UsageError: the runs are not folds of the same data.
    """
    outcomes: list[Outcome] = []
    choices: list[Choice] = []
    for work, store in zip(works, stores, strict=True):
        tested(work.of.parts)
        one = Study(options, work.of.parts, work.new.kept, work.every, store, progress)
        choices.append(one.choose())
        outcomes.append(one.run(choices[-1]))
    described = [work.described(choice.filters) for work, choice in zip(works, choices, strict=True)]
    new = described[0] if len(works) == 1 else _summed(described)
    findings = list(
        dict.fromkeys(
            said for work, of in zip(works, described, strict=True) for said in (*work.findings(), *found.lacking(of))
        )
    )
    without = [
        work.of.run.name
        for work, of in zip(works, described, strict=True)
        if not any(one["kept"] for one in of.values())
    ]
    if 0 < len(without) < len(works):
        findings.insert(0, f"no generated image is left in {len(without)} of {len(works)} folds ({', '.join(without)})")
    arms = options.all_arms()
    return result(
        pooled(outcomes, arms),
        arms,
        options.score,
        works[0].of.parts.names,
        _record(works, options, choices),
        findings,
        new,
    )


def _summed(described: Sequence[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Counts of several folds added up; coverage and effective numbers are their means."""
    out: dict[str, dict[str, Any]] = {}
    for name in described[0]:
        every = [of[name] for of in described if name in of]
        out[name] = {}
        for key in every[0]:
            values = [of[key] for of in every if of[key] is not None]
            mean = key.startswith(("coverage", "effective")) or key == "limit"
            out[name][key] = None if not values else float(np.mean(values)) if mean else int(np.sum(values))
    return out


def _record(works: Sequence[Work], options: Options, choices: Sequence[Choice]) -> dict[str, Any]:
    first = choices[0]
    return {
        "runs": [{"name": work.of.run.name, "step": work.of.model.tick.step, "images": _sizes(work)} for work in works],
        "classes": list(works[0].of.parts.names),
        "options": {
            **options.model_dump(mode="json"),
            "classifier": dict(options.classifier.identity),
            "arms": [arm.model_dump(mode="json") for arm in options.all_arms()],
        },
        "filter": {
            "classifier": [work.extractor.label for work in works],
            "copies below": [work.new.threshold for work in works],
        },
        "choice": {"agreement": first.filters.agreement, "ratio": first.ratio, "why": first.why},
        "choices": [
            {
                "agreement": one.filters.agreement,
                "ratio": one.ratio,
                "why": one.why,
                "tried": [dict(t) for t in one.tried],
            }
            for one in choices
        ],
    }


def _sizes(work: Work) -> dict[str, Any]:
    parts = work.of.parts
    return {
        "training": dict(zip(parts.names, parts.real.counts.tolist(), strict=True)),
        "validation": dict(zip(parts.names, parts.validation.counts.tolist(), strict=True)),
        "test": dict(zip(parts.names, parts.test.counts.tolist(), strict=True)),
        "further real": 0 if parts.more is None else len(parts.more),
        "duplicates": list(parts.twice),
        "digests": {"training": parts.real.digest, "test": parts.test.digest},
    }
