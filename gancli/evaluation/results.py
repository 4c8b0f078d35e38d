"""What an evaluation found: scores with their protocol; bounds on them; several side by side."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gancli.core import migration
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.printable import printable
from gancli.core.registry import nearest, parts
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Metric, Score

LIKE = (
    "features",
    "features_hash",
    "rule",
    "n_fake",
    "n_real",
    "data",
    "train",
    "split",
    "seed",
)  # must agree to compare
BETTER = ("lower", "higher", "reference")
FORMAT = 3  # of evaluation.json
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Pair:
    """A sample and the training datum that is nearest to it."""

    fake: int  # its number among the samples
    train: int  # its number among the training data
    distance: float
    ratio: float  # distance over that to the second nearest training datum; near 0 is a copy


@dataclass(frozen=True)
class Pairs:
    """Pairs, and the samples themselves in the same order."""

    pairs: tuple[Pair, ...]
    fakes: Samples
    trains: Samples


@dataclass(frozen=True)
class Evaluation:
    """Scores by name (`fid@digits-v1`), how they came about, and how long each took."""

    scores: Mapping[str, Score]
    protocol: Mapping[str, Any]
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds by step
    pairs: Pairs | None = None  # the closest, for the picture; their numbers go into the JSON
    samples: Samples | None = None  # some, for the picture
    names: tuple[str, ...] = ()  # of all samples that were looked at: seeds, or files

    def __repr__(self) -> str:
        """A line for each score, as Python and notebooks show it."""
        known = self.protocol
        lines = [
            f"{known.get('n_fake', 0):,} samples with {known.get('n_real', 0):,} of the {known.get('split', 'data')}"
        ]
        for name in in_order(self.scores):
            one = self.scores[name]
            error = "" if one.error is None else f" ± {one.error:.2g}"
            reference = "" if one.reference is None else f", reference {one.reference:.4g}"
            lines.append(f"{name}: {one.value:.4g}{error}{reference}")
        return printable("\n".join(lines), breaks=True)

    def score(self, name: str) -> Score:
        """The score called `name`, or `name@features`, the evaluation's own features before others.

        Raises UsageError with the nearest if there is none, or with the reason why it was left out.
        """
        known = [k.split("@")[0] for k in self.scores]
        others = [key for key, bare in zip(self.scores, known, strict=True) if bare == name]
        for key in (name, f"{name}@{self.protocol.get('features')}", *others):
            if key in self.scores:
                return self.scores[key]
        skipped = self.protocol.get("skipped", {})
        metric = score_names().get(name.split("@", maxsplit=1)[0])
        if metric in skipped:
            raise UsageError(f"{name} is not available: {skipped[metric]}")
        raise UsageError(
            f"no score {name!r} in this evaluation", nearest(name, known) or f"there are: {', '.join(known)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values in a stable order; `timings` apart, equal evaluations give equal dictionaries."""
        pairs = [] if self.pairs is None else [asdict(pair) for pair in self.pairs.pairs]
        scores = {name: {**asdict(s), "interval": s.interval} for name, s in self.scores.items()}
        for score in scores.values():
            del score["values"]
        whole = {
            "format": FORMAT,
            "scores": scores,
            "protocol": dict(self.protocol),
            "pairs": pairs,
            "timings": dict(self.timings),
        }
        out: dict[str, Any] = plain(whole)
        return out

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Evaluation:
        """What `to_json` wrote, of this format or an earlier one; without samples.

        Raises:
            CheckpointError: it is no such thing, or of a later format.
        """
        try:
            raw = json.loads(text)
            if raw.get("format", 1) not in range(1, FORMAT + 1):
                raise TypeError(f"its format is {raw['format']!r}; this gan reads up to {FORMAT}")
            raw = migration.evaluation(raw)
            scores = {name: _score(s) for name, s in raw["scores"].items()}
            protocol, timings = raw["protocol"], raw.get("timings", {})
            if not isinstance(protocol, dict) or not isinstance(timings, dict):
                raise TypeError("its protocol is no table")
            if not all(isinstance(protocol.get(k, 0), int) for k in ("n_fake", "n_real")):
                raise TypeError("its numbers of images are none")
            return cls(scores, protocol, timings)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"this is no evaluation: {error}", "make it with: gan evaluate RUN") from None


def _score(raw: Mapping[str, Any]) -> Score:
    known = {k: v for k, v in raw.items() if k != "interval"}
    known["value"] = math.nan if known["value"] is None else known["value"]
    found = Score(**known)
    numbers = (found.value, found.error, found.reference, found.reference_error, *found.baselines.values())
    if found.better not in BETTER or not all(isinstance(x, int | float | None) for x in numbers):
        raise TypeError("a score is no number")
    return found


def plain(value: Any) -> Any:
    """Values as JSON knows them: tuples as lists, numpy numbers as Python's, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def score_names() -> dict[str, str]:
    """The metric that gives each score, by the score's name."""
    out: dict[str, str] = {}
    for metric, cls in parts("metric").items():
        assert issubclass(cls, Metric)
        out.update(dict.fromkeys(cls.gives, metric))
    return out


def in_order(names: Iterable[str]) -> list[str]:
    """Scores' names in the order of reports: by their metric's rank, then by name; those of one ranked metric as it gives them."""

    def place(name: str) -> tuple[int, str, int, str]:
        bare = name.split("@", maxsplit=1)[0]
        cls = parts("metric").get(score_names().get(bare, ""))
        if cls is None or not issubclass(cls, Metric) or cls.rank >= Metric.rank:
            return Metric.rank, "", 0, name
        return cls.rank, cls.name, cls.gives.index(bare), name

    return sorted(names, key=place)


def metric_of(name: str) -> str:
    """The metric called `name` or that gives the score `name` (an @features behind it is left out).

    Raises UsageError with the nearest names.
    """
    bare = name.split("@", maxsplit=1)[0].strip()
    by_score = score_names()
    if bare in by_score:
        return by_score[bare]
    if bare in parts("metric"):
        return bare
    known = sorted({*by_score, *parts("metric")})
    raise UsageError(f"no metric {bare!r}", nearest(bare, known) or f"there are: {', '.join(known)}")


@dataclass(frozen=True)
class Bound:
    """A condition on a score: `fid<8`, `recall@digits-v1 >= 0.5`."""

    metric: str  # a score's name, with or without its features
    op: str
    value: float

    def met(self, evaluation: Evaluation) -> bool:
        """Whether the score is there, a number, and within the bound. Raises UsageError if it is not there."""
        found = evaluation.score(self.metric).value
        return math.isfinite(found) and OPERATORS[self.op](found, self.value)

    def fails(self, evaluation: Evaluation) -> bool:
        """Whether a gate with this bound stays shut: it is met, or the score is no number. Raises UsageError as `met` does."""
        return self.met(evaluation) or not math.isfinite(evaluation.score(self.metric).value)

    def __str__(self) -> str:
        return f"{self.metric}{self.op}{self.value:g}"


def parse_bound(text: str) -> Bound:
    """`fid<8` -> Bound. Raises UsageError if it is not NAME OP NUMBER or no metric gives such a score."""
    match = re.fullmatch(r"\s*([A-Za-z][\w@.-]*?)\s*(<=|>=|<|>)\s*([^\s<>=]+)\s*", text)
    try:
        name, op, value = match[1], match[2], float(match[3])  # type: ignore[index]
    except (TypeError, ValueError):
        raise UsageError(f"{text!r} is no bound", 'write a score, one of < <= > >=, and a number: "fid<8"') from None
    bare = name.split("@")[0]
    if bare not in score_names():
        known = sorted(score_names())
        raise UsageError(f"no score {bare!r}", nearest(bare, known) or f"there are: {', '.join(known)}")
    if math.isnan(value):
        raise UsageError(f"{text!r}: the bound is not a number")
    return Bound(name, op, value)


def compare(evaluations: Mapping[str, Evaluation] | Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Scores of several evaluations side by side.

    Args:
        evaluations: by name, or in an order that numbers them.

    Returns:
        Rows of a table, one per score: {"score", "reference", "runs": {name: {"value", "error"}}}.

    Raises:
        UsageError: two were made in unlike ways, so that their scores do not compare; it names the difference.
    """
    named = evaluations if isinstance(evaluations, Mapping) else {str(i): e for i, e in enumerate(evaluations)}
    if not named:
        raise UsageError("nothing to compare", "name two runs that have an evaluation.json")
    (first, whole), *others = named.items()
    for name, other in others:
        for key in LIKE:
            a, b = whole.protocol.get(key), other.protocol.get(key)
            if a != b:
                raise UsageError(
                    f"{first} and {name} do not compare: {key} is {_short(a)} and {_short(b)}",
                    "evaluate both in the same way",
                )
    order = dict.fromkeys(k for e in named.values() for k in e.scores)
    rows: list[dict[str, Any]] = []
    for key in order:
        scores = {name: e.scores.get(key) for name, e in named.items()}
        runs = {name: {"value": s and s.value, "error": s and s.error} for name, s in scores.items()}
        reference = next((s.reference for s in scores.values() if s is not None and s.reference is not None), None)
        rows.append({"score": key, "reference": reference, "runs": runs})
    return rows


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}..."
