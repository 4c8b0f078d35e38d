"""The contracts of evaluation: samples -> features -> statistics -> scores.

`Features` turn samples into vectors (and class probabilities). A `Metric` turns `Inputs` (the samples, the data that they are compared
with, the training data) into named `Score`s. Both say which type of samples they accept. The mathematics of each metric are plain
functions of raw float64 features in its own file. Features are [N, d]; probabilities are [N, K].
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor

from gancli.core.data import Dataset, Spec
from gancli.core.errors import DataError
from gancli.core.images import ImageSamples, PairSamples
from gancli.core.registry import Part
from gancli.core.samples import Samples
from gancli.evaluation.sets import BATCH, Inputs, SampleSet

__all__ = [
    "BATCH",
    "Baseline",
    "Chart",
    "Extracted",
    "Extractor",
    "Features",
    "Inputs",
    "Metric",
    "Progress",
    "SampleSet",
    "Score",
    "classes_of",
    "in_words",
    "need",
    "of_images",
    "silent",
    "too_few",
]

Progress = Callable[[str, int, int], None]  # what, done, all
Passed = tuple[Tensor, Tensor | None]  # features [n, d], probabilities [n, K] or None


def silent(_what: str, _done: int, _all: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class Extracted:
    """What a feature net says of N samples."""

    features: np.ndarray  # float32 [N, d]
    probabilities: np.ndarray | None = None  # float32 [N, K], rows sum to 1; None if the net is no classifier


@dataclass(frozen=True)
class Extractor:
    """A frozen feature net, ready to use."""

    label: str  # the name that scores carry: fid@label
    hash: str  # sha256 of the weights (or of the recipe that makes them)
    rule: str  # how samples are brought to the form that the net sees: "uint8 as saved, bilinear to 28x28"
    forward: Callable[[Any], Passed]  # a batch of the type of samples that the features accept; see `of_images`
    classifies: bool = False  # whether it gives probabilities
    columns: tuple[str, ...] = ()  # what the columns of those are called; empty: they are no classes of the data

    def __call__(
        self, batches: Iterable[Samples], n: int, progress: Progress = silent, what: str = "features"
    ) -> Extracted:
        """Features of all samples.

        Args:
            batches: of samples; `BATCH` at a time, where features are to be compared with others.
            n: how many samples there are.
            progress: called with `what`, samples done, and n.
            what: the samples, in words.

        Raises:
            DataError: there are no samples, or their features are not finite.
        """
        out: list[Tensor] = []  # filled, not appended to: small pieces between large ones would pin memory
        done = 0
        with torch.inference_mode():
            for batch in batches:
                found = [tensor.float().cpu() for tensor in self.forward(batch) if tensor is not None]
                out = out or [torch.empty(n, *tensor.shape[1:]) for tensor in found]
                for whole, tensor in zip(out, found, strict=True):
                    whole[done : done + len(batch)] = tensor
                done += len(batch)
                progress(what, done, n)
        if not done:
            raise DataError(f"{what}: there are no samples")
        if not bool(torch.isfinite(out[0]).all()):
            raise DataError(
                f"features {self.label} of {what} are not finite", "check the samples, or choose other features"
            )
        return Extracted(out[0].numpy(), out[1].numpy() if len(out) > 1 else None)


def of_images(net: Callable[[Tensor], Passed], device: torch.device) -> Callable[[ImageSamples], Passed]:
    """A net of uint8 images [n, C, H, W] as `Extractor.forward`. Raises DataError on images that are no such thing."""

    def forward(samples: ImageSamples) -> Passed:
        images = samples.images
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            raise DataError("images hold NaN or infinite values", "the generator has diverged or the file is broken")
        if images.ndim != 4 or images.dtype != np.uint8:
            raise DataError(f"images are {images.dtype} {list(images.shape)}", "they must be uint8 [N, C, H, W]")
        return net(torch.from_numpy(np.ascontiguousarray(images)).to(device))

    return forward


class Features(Part, ABC):
    """A way to turn samples into vectors. A plug-in for any torch module is a subclass whose `prepare` returns an Extractor."""

    kind: ClassVar[str] = "features"
    accepts: ClassVar[type[Samples]] = ImageSamples
    knows: ClassVar[str] = (
        ""  # the labeled images that it was trained on elsewhere, if their classes may be those of the data
    )

    @classmethod
    def suits(cls, train: Dataset) -> int:  # noqa: ARG003
        """How well these features suit data that name none: those with the highest number are taken. 0: only if they are named."""
        return 0

    @abstractmethod
    def prepare(self, train: Dataset, cache_dir: Path, device: torch.device, progress: Progress = silent) -> Extractor:
        """The frozen net. It may learn from the training data once.

        Args:
            train: the training data, whose samples are of the type that is accepted.
            cache_dir: where it may keep weights.
            device: of the net.
            progress: called with what is done, steps done and all steps.

        Raises:
            CheckpointError: the weights are not the pinned ones.
            UsageError: the net does not suit the data.
        """


@dataclass(frozen=True)
class Chart:
    """A panel of the evaluation's picture. Scores with the same chart share it."""

    title: str
    beside: str = ""  # a few words at the right of the title
    of: Literal["value", "detail"] = "value"  # a bar for each score, or one for each detail of a score


@dataclass(frozen=True)
class Score:
    """A number with what belongs beside it."""

    value: float
    meaning: str  # one line of plain words
    better: Literal["lower", "higher", "reference"] = (
        "lower"  # "reference": the nearer to the reference score, the better
    )
    error: float | None = None  # standard error
    how: str = ""  # where the error comes from
    reference: float | None = None  # the reference score: what as many real samples get
    reference_error: float | None = None
    detail: Mapping[str, float] = field(default_factory=dict)  # by class, by size, ...
    reference_detail: Mapping[str, float] = field(default_factory=dict)  # the same of the reference
    baselines: Mapping[str, float] = field(default_factory=dict)  # values of further baselines, by name
    alarm: bool = False  # it says that something is wrong
    values: tuple[float, ...] = field(
        default=(), repr=False
    )  # of each sample; the value is their mean, or a statistic of them; not written to evaluation.json
    best_baseline: str = ""  # the baseline with the best value
    gain: float | None = None  # how much better than that: the mean over samples of the paired differences
    gain_error: float | None = None  # standard error of the gain
    warnings: Mapping[str, str] = field(default_factory=dict)  # what the user must know, by class (or another detail)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %: value +- 1.96 standard errors."""
        if self.error is None or not math.isfinite(self.error):
            return None
        return self.value - 1.96 * self.error, self.value + 1.96 * self.error

    def beside(self, baselines: Mapping[str, Score]) -> Score:
        """The same with what baselines get, by their names; "reference" is the reference score."""
        out = self
        if (real := baselines.get("reference")) is not None:
            out = replace(out, reference=real.value, reference_error=real.error, reference_detail=real.detail)
        others = {name: score for name, score in baselines.items() if name != "reference"}
        if not others:
            return out
        values = {**out.baselines, **{name: score.value for name, score in others.items()}}
        return replace(out, baselines=values, **self._gain(others))

    def _gain(self, others: Mapping[str, Score]) -> dict[str, Any]:
        """The gain over the best baseline, of scores that know the value of each sample."""
        sign = -1.0 if self.better == "lower" else 1.0
        fit = {name: sign * s.value for name, s in others.items() if len(s.values) == len(self.values) > 1}
        if not fit or self.better == "reference":
            return {}
        best = max(fit, key=lambda name: fit[name])
        apart = sign * (np.array(self.values) - np.array(others[best].values))
        apart = apart[np.isfinite(apart)]
        error = float(apart.std(ddof=1) / math.sqrt(len(apart))) if len(apart) > 1 else None
        return {"best_baseline": best, "gain": float(apart.mean()), "gain_error": error}


class Metric(Part, ABC):
    """Inputs -> scores by name."""

    kind: ClassVar[str] = "metric"
    accepts: ClassVar[type[Samples]] = ImageSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "real"
    """What the samples are compared with: the data as a set; each with the datum that it belongs to, `inputs.real`'s
    sample i with `inputs.fake`'s; nothing, or the training data alone."""
    gives: ClassVar[tuple[str, ...]]  # the names of its scores, in the order of reports
    space: ClassVar[str] = "features"
    """What a score's name carries after the @: "features": the features' name; any other word: the word, of a metric that needs
    the samples themselves ("pixels"); "both": it needs both, and a name of its that carries no @ gets the features'."""
    whole_train: ClassVar[bool] = False  # needs the features of all training data
    on_request: ClassVar[bool] = False  # is computed only if it is asked for by name
    rank: ClassVar[int] = 100  # its place in reports; equal ones by name
    headlines: ClassVar[tuple[str, ...]] = ()  # those of its scores that one looks at first
    charts: ClassVar[Mapping[str, Chart]] = {}  # how its scores are drawn, by name
    scores_baselines: ClassVar[bool] = False  # whether it is computed of what baselines return, too
    by_class: ClassVar[Mapping[str, str]] = {}  # those whose details are classes -> their head in the table of classes

    @property
    def needs_features(self) -> bool:
        """Whether it looks at features."""
        return self.space in ("features", "both")

    @property
    def needs_samples(self) -> bool:
        """Whether it looks at the samples themselves."""
        return self.space != "features"

    def objection(self, inputs: Inputs) -> str:  # noqa: ARG002
        """Why this metric is not available for such inputs; empty if it is.

        Only sizes, labels, attributes and whether there are classes are known of the samples: they may not be made yet.
        """
        return ""

    @abstractmethod
    def compute(self, inputs: Inputs) -> dict[str, Score]:
        """The scores, by the names in `gives` (of those, all that apply).

        Raises:
            DataError: there are too few samples.
        """

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        """What others get in the samples' place: baseline name -> scores by name.

        "reference" is the reference score, real against real: by default that of as many training data. A function of the data and the
        number of samples.
        """
        out = {} if self.reference == "paired" else {"reference": self.compute(inputs.reference)}
        others = inputs.baselines if self.scores_baselines else {}
        return out | {name: self.compute(other) for name, other in others.items()}


class Baseline(Part, ABC):
    """A method without a trained net, whose outputs are scored as those of a model: what a model has to surpass.

    Attributes:
        fits: how many training data `fit` is called with, at most.
    """

    kind: ClassVar[str] = "baseline"
    fits: ClassVar[int] = 64

    @abstractmethod
    def objection(self, train: PairSamples, spec: Spec) -> str:
        """Why this baseline does not apply to such data; empty if it does.

        Args:
            train: some training data.
            spec: of the data.
        """

    def fit(self, train: PairSamples) -> Self:  # noqa: ARG002
        """Choose options that are not set, such as the strength of a filter, by the training data.

        Args:
            train: inputs, targets (`images`) and masks.

        Returns:
            A copy with the best options.
        """
        return self

    @abstractmethod
    def __call__(self, inputs: np.ndarray, masks: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
        """Make outputs from inputs. Output i depends on row i only.

        Args:
            inputs: uint8 [N, C, h, w].
            masks: uint8 [N, 1, H, W], 255: missing; None: nothing is missing.
            size: height and width of the outputs.

        Returns:
            uint8 [N, C', H, W].
        """


def classes_of(data: Dataset) -> tuple[str, ...]:
    """The names of the data's classes, by label; none where it has none."""
    return tuple(getattr(data, "classes", ()))


def in_words(kind: type[Samples]) -> str:
    """A type of samples: `image samples`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind.__name__).lower()


def too_few(inputs: Inputs, at_least: int) -> str:
    """The objection of a metric to fewer than `at_least` samples or reals; empty if there are enough."""
    few = min(len(inputs.real), len(inputs.fake))
    return f"fewer than {at_least} samples or reals" if few < at_least else ""


def need(n: int, at_least: int, what: str) -> None:
    """Raises DataError if there are fewer than `at_least` samples."""
    if n < at_least:
        raise DataError(
            f"{what} needs at least {at_least} samples, there are {n}",
            "take more samples (--n), or data with more samples",
        )
