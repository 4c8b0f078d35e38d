"""The label asked for is the class seen: the share of samples that a classifier gives the label they were asked for.

It is the features' own classifier where that knows the data's classes, else a linear probe on the features of the training data.
A classifier errs, too: the reference score is its accuracy on as many training images, and the probe's, which has seen those, that on
the reals. (Known as classification accuracy of conditional samples, as in AC-GAN, 1610.09585, section 4.2, which has it of a net
trained on the data.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import binomial
from gancli.evaluation.probe import probe

if TYPE_CHECKING:
    from gancli.evaluation.sets import SampleSet

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
        if _known(inputs):
            return ""
        if len(inputs.classes) < 2 or inputs.train.labels is None or inputs.real.labels is None:
            return "the features do not know the data's classes (--features classifier learns them)"
        return "" if inputs.held_out else "nothing is held out: no data are left to learn the classes from"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        labels, warnings = inputs.real.labels, {}
        asked, seen = inputs.fake.labels, _seen(inputs, inputs.fake)
        if labels is not None:
            assert asked is not None
            warnings = doubts(asked, seen, labels, _seen(inputs, inputs.real), inputs.classes)
        return _score(inputs, inputs.fake, warnings)

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        return super().baselines(inputs) if _known(inputs) else {"reference": _score(inputs, inputs.real, {})}


def _known(inputs: Inputs) -> bool:
    """Whether the features' classifier knows the data's classes."""
    same = tuple(inputs.columns) == tuple(inputs.classes) and len(inputs.classes) > 1
    return same and inputs.fake.classified


def _seen(inputs: Inputs, samples: SampleSet[Any]) -> np.ndarray:
    """Which class is seen in each of the samples, int64 [N]."""
    if _known(inputs):
        assert samples.predicted is not None
        return samples.predicted
    train = inputs.train
    assert train.labels is not None
    known, k = train.labels, len(inputs.classes)
    return inputs.shared_by_reals("probe", lambda: probe(train.features, known, k))(samples.features)


def _score(inputs: Inputs, samples: SampleSet[Any], warnings: Mapping[str, str]) -> dict[str, Score]:
    """The agreement of samples, or of reals, with their labels."""
    asked, seen = samples.labels, _seen(inputs, samples)
    assert asked is not None
    share, n = agreement(asked, seen), len(asked)
    named = by_class(asked, seen, inputs.classes)
    meaning = "share of samples seen as the class asked for" + ("" if _known(inputs) else ", by a linear probe")
    return {
        "label-agreement": Score(
            share, meaning, "higher", binomial(share, n), "binomial", detail=named, alarm=bool(warnings),
            warnings=warnings, values=tuple((asked == seen).astype(float).tolist()),
        )
    }  # fmt: skip
