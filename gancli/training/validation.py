"""Scores while training, computed on the validation set and recorded in scores.jsonl."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from gancli.core.config import Config
from gancli.core.errors import UsageError
from gancli.core.sinks import Sinks
from gancli.evaluation import inputs
from gancli.evaluation.contracts import Metric, Progress, silent
from gancli.evaluation.evaluator import Evaluator, quick
from gancli.evaluation.results import Bound, metric_of, parse_bound
from gancli.evaluation.selection import chosen
from gancli.inference.stream import attributes_of, labels_of
from gancli.runs import folder, journal
from gancli.runs.signals import InterruptedWork, Signals
from gancli.training.loop import validation_interval
from gancli.training.prepare import Plan
from gancli.training.state import State


class Validation:
    """Computes the validation scores of a run and decides whether they are the best, or good enough to stop."""

    def __init__(self, run: folder.Run, plan: Plan, sinks: Sinks, signals: Signals) -> None:
        self.run, self.plan, self.sinks, self.signals = run, plan, sinks, signals

    def validate(self, state: State) -> str:
        """Compute the scores of the moving average.

        A signal interrupts this; the resumed run then makes up for it. Without a validation set there are no scores.

        Returns:
            "quality" if `until` has held as often in a row as required, "best" if no earlier score was as good, else "".
        """
        cfg, bound = self.plan.cfg, _bound(self.plan.cfg)
        if not len(self.plan.split.validation):
            return ""
        try:
            with self.signals.breaking():
                evaluator = self.evaluator
                model = state.model(cfg.task)
                train, reals = self.plan.split.train, self.plan.split.validation
                n, place = cfg.intervals.evaluate_n, self.plan.reading.cache_dir
                made = inputs.of_model(model, train, reals, n, 0, place, silent)
                result = quick(evaluator, made, _metrics(cfg, bound))
        except InterruptedWork:
            return ""
        scores = {k: s.value for k, s in result.scores.items()}
        before = journal.read(self.run.scores)
        line: dict[str, Any] = {"step": state.step, "images": state.images, **scores}
        if bound:
            line |= {"until": cfg.stop.until, "met": bound.met(result)}
        chosen = result.score(_decides(cfg, bound))
        key = next(k for k, s in result.scores.items() if s is chosen)
        line["best"] = _is_best(chosen.value, [old.get(key) for old in before], chosen.better)
        self.sinks.event("validation", line=line)
        self.sinks.note("validation  " + "  ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        return "quality" if _held([*before, line], cfg) else "best" if line["best"] else ""

    def catch_up(self, state: State) -> str:
        """Repeat a validation that a signal interrupted just before the checkpoint, or return the result of the one at this step."""
        cfg = self.plan.cfg
        every = validation_interval(cfg, self.plan.loader.epoch)
        due = state.images // every * every if every else 0
        lines = journal.read(self.run.scores)
        if max((n for line in lines if isinstance(n := line.get("images"), int)), default=0) < due:
            return self.validate(state)
        if not reached(self.run, cfg, state.step):
            return ""
        self.sinks.note(f'{cfg.stop.until} holds; to go on: gan resume {self.run.word} --until ""')
        return "quality"

    @cached_property
    def evaluator(self) -> Evaluator:
        return _evaluator(self.plan, self.sinks)


def reached(run: folder.Run, cfg: Config, step: int) -> bool:
    """Whether the last validation was at this step, and `until` has held as often as required."""
    lines = journal.read(run.scores)
    return bool(lines) and lines[-1].get("step") == step and _held(lines, cfg)


def check(plan: Plan, resumed: bool = False) -> None:
    """Raises UsageError, before anything is written, if a requested validation is not available."""
    cfg, bound, split = plan.cfg, _bound(plan.cfg), plan.split
    if not validation_interval(cfg, plan.loader.epoch):
        return
    more = "hold out more (--set data.validation=0.2), or leave --until and --evaluate-every away"
    if resumed:  # the training data cannot be changed
        more = 'go on with --until "", and without intervals.evaluate'
    if not _decides(cfg, bound):
        raise UsageError(f"the task {cfg.task.name!r} has no scores while training", "leave --evaluate-every away")
    few = UsageError(f"the validation set is too small for scores: {len(split.validation)} images", more)
    if not len(split.validation):
        if resumed and bound is None:  # a run of format 1
            plan.reading.note("this run has no validation set: it goes on without scores")
            return
        raise few
    evaluator = _evaluator(plan, progress=plan.reading.progress)
    ask = inputs.asked(cfg.task, plan.spec, split.train, split.validation, cfg.intervals.evaluate_n, 0)
    metrics = {m.name: m for m in chosen(_metrics(cfg, bound))}
    why = evaluator.objections(
        list(metrics.values()), len(ask), labels_of(ask), attributes_of(ask), paired=type(ask).paired
    )
    metric = metrics[metric_of(_decides(cfg, bound))]
    if cfg.task.quick and all(why[metric_of(name)] for name in cfg.task.quick):
        raise few
    if bound is None:
        if why[metric.name]:
            raise few
        return
    if why[metric.name]:
        raise UsageError(
            f"--until {bound}: {why[metric.name]}", f'ask for another score, such as --until "{cfg.task.headline}<8"'
        )
    _check_space(bound, metric, evaluator.label)


def _check_space(bound: Bound, metric: Metric, features: str) -> None:
    """Raises UsageError if the bound is on features that validations do not use."""
    known = {"features": [features], "both": [features, "pixels"]}.get(metric.space, [metric.space])
    name, _, asked = bound.metric.partition("@")
    if asked and asked not in known:
        plain = Bound(name, bound.op, bound.value)
        raise UsageError(f"--until {bound}: while training, {name} is that of {known[0]}", f'--until "{plain}"')


def _evaluator(plan: Plan, sinks: Sinks | None = None, progress: Progress = silent) -> Evaluator:
    cfg, split = plan.cfg, plan.split
    return Evaluator(
        split.train, split.validation, cfg.data.source.features, n=cfg.intervals.evaluate_n,
        cache_dir=plan.reading.cache_dir, progress=progress, note=sinks.note if sinks else lambda _text: None,
        name="validation set",
    )  # fmt: skip


def _bound(cfg: Config) -> Bound | None:
    return parse_bound(cfg.stop.until) if cfg.stop.until else None


def _decides(cfg: Config, bound: Bound | None) -> str:
    """The score that defines the best checkpoint."""
    return bound.metric if bound else cfg.task.headline


def _metrics(cfg: Config, bound: Bound | None) -> list[str]:
    decides = _decides(cfg, bound)
    return sorted({*cfg.task.quick, *([metric_of(decides)] if decides else [])})


def _held(lines: Sequence[Mapping[str, Any]], cfg: Config) -> bool:
    """Whether this `until` held in as many of the last validations as required."""
    last = lines[-cfg.stop.patience :]
    held = [line.get("met") is True and line.get("until") == cfg.stop.until for line in last]
    return len(held) == cfg.stop.patience and all(held)


def _is_best(value: float, before: list[Any], better: str) -> bool:
    """Whether no earlier score was as good."""
    known = [v for v in before if isinstance(v, int | float)]
    return math.isfinite(value) and all(value > v if better == "higher" else value < v for v in known)
