"""The label asked for is the class seen: the share of samples that the features' classifier gives the label they were asked for.

The classifier errs, too: the reference score is its accuracy on as many training images. (Known as classification accuracy of
conditional samples, as in AC-GAN, 1610.09585, section 4.2, which has it of a net trained on the data.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import binomial

FEWEST = 10  # samples of a class, for a verdict


def agreement(asked: np.ndarray, seen: np.ndarray) -> float:
    """The share of [N] that is equal."""
    return float((asked == seen).mean())


def by_class(asked: np.ndarray, seen: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """The agreement within each class that was asked for, by its name; asked and seen are [N]."""
    return {name: agreement(asked[asked == k], seen[asked == k]) for k, name in enumerate(names) if (asked == k).any()}


def doubts(
    asked: np.ndarray, seen: np.ndarray, real_asked: np.ndarray, real_seen: np.ndarray, names: Sequence[str]
) -> dict[str, str]:
    """The classes whose samples are seen as such less than half as often as reals are, by more than two standard errors.

    Args:
        asked: labels asked for, int64 [N].
        seen: what the classifier says of these samples, int64 [N].
        real_asked: labels of reals that the classifier was not trained on, int64 [M].
        real_seen: what the classifier says of them, int64 [M].
        names: of the classes.

    Returns:
        A sentence for each such class, by its name.
    """
    reals, out = by_class(real_asked, real_seen, names), {}
    for name, share in by_class(asked, seen, names).items():
        here = asked == list(names).index(name)
        n, of_reals = int(here.sum()), reals.get(name, 1.0)
        if n < FEWEST or share + 2 * binomial(share, n) >= of_reals / 2:
            continue
        most = int(np.bincount(seen[here]).argmax())
        out[name] = (
            f"class {name}: {share:.0%} of its samples are seen as {name} (of real ones {of_reals:.0%}); "
            f"most look like {names[most]}"
        )
    return out


class LabelAgreement(Metric):
    name = "label-agreement"
    gives = ("label-agreement",)
    reference = "none"
    rank = 75
    by_class: ClassVar[Mapping[str, str]] = {"label-agreement": "seen"}

    def objection(self, inputs: Inputs) -> str:
        if inputs.fake.labels is None:
            return "the samples were not asked for by label"
        same = tuple(inputs.columns) == tuple(inputs.classes) and len(inputs.classes) > 1
        return (
            ""
            if same and inputs.fake.classified
            else "the features do not know the data's classes (--features classifier learns them)"
        )

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        asked, seen = inputs.fake.labels, inputs.fake.predicted
        assert asked is not None and seen is not None  # noqa: PT018
        share, n = agreement(asked, seen), len(asked)
        named = by_class(asked, seen, inputs.classes)
        labels, predicted = inputs.real.labels, inputs.real.predicted
        known = labels is not None and predicted is not None
        warnings = doubts(asked, seen, labels, predicted, inputs.classes) if known else {}  # type: ignore[arg-type]
        meaning = "share of samples seen as the class asked for"
        return {
            "label-agreement": Score(
                share, meaning, "higher", binomial(share, n), "binomial", detail=named, alarm=bool(warnings),
                warnings=warnings, values=tuple((asked == seen).astype(float).tolist()),
            )
        }  # fmt: skip
