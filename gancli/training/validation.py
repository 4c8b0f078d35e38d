"""The evaluations of a run while it trains: `scores.jsonl` around `evaluate.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from gancli.core.config import Config
from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.evaluation import inputs
from gancli.evaluation.contracts import Metric, Progress, Subject, silent
from gancli.evaluation.evaluator import QUICK, Bound, Fakes, Judge, metric_of, parse_bound, quick
from gancli.inference import generator
from gancli.runs import folder, journal
from gancli.runs.signals import InterruptedWork, Signals
from gancli.training.loop import evaluation_interval
from gancli.training.prepare import Plan
from gancli.training.state import State

Note = Callable[[str], None]


class Scores:
    """Scores the run when told to, and says what came of it."""

    def __init__(self, run: folder.Run, plan: Plan, warn: Note, note: Note, signals: Signals) -> None:
        self.run, self.plan, self.note, self.signals = run, plan, note, signals
        self.journal = journal.Journal(run.scores, warn)

    def evaluate(self, state: State) -> str:
        """Score the moment's average: "quality" once `until` has held as often in a row as asked, "best" if none was as good.

        A signal leaves it at once; it is then made up for when the run is resumed.
        """
        cfg = self.plan.cfg
        bound = _bound(cfg)
        made = generator.of_state(cfg.task, state)
        try:
            with self.signals.breaking():
                judge = self.judge
                fakes = inputs.fakes(made, self.plan.split, cfg.intervals.evaluate_n, 0, True, silent)
                result = quick(judge, fakes, _metrics(bound))
        except InterruptedWork:
            return ""
        scores = {k: s.value for k, s in result.scores.items()}
        before = journal.read(self.run.scores)
        line: dict[str, Any] = {"step": state.step, "images": state.images, **scores}
        if bound:
            line |= {"until": cfg.stop.until, "met": bound.met(result)}
        judged = result.score(bound.metric if bound else QUICK[0])
        key = next(k for k, s in result.scores.items() if s is judged)
        line["best"] = _is_best(judged.value, [old.get(key) for old in before], judged.better)
        self.journal.write(line)
        self.note("  ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        return "quality" if _held([*before, line], cfg) else "best" if line["best"] else ""

    def catch_up(self, state: State) -> str:
        """Make the evaluation that a signal broke off just before the checkpoint; or repeat what that of this step came to."""
        cfg = self.plan.cfg
        every = evaluation_interval(cfg, self.plan.store.epoch)
        due = state.images // every * every if every else 0
        lines = journal.read(self.run.scores)
        if max((n for line in lines if isinstance(n := line.get("images"), int)), default=0) < due:
            return self.evaluate(state)
        if not reached(self.run, cfg, state.step):
            return ""
        self.note(f'{cfg.stop.until} holds; to go on: gan resume {self.run.path} --until ""')
        return "quality"

    @cached_property
    def judge(self) -> Judge:
        return _judge(self.plan, self.note)


def reached(run: folder.Run, cfg: Config, step: int) -> bool:
    """Whether the run's last evaluation was at this step, and the last that `until` asks for."""
    lines = journal.read(run.scores)
    return bool(lines) and lines[-1].get("step") == step and _held(lines, cfg)


def check(plan: Plan, resumed: bool = False) -> None:
    """Raises UsageError, before anything is written, if evaluations are asked for that cannot be had."""
    cfg, test, bound = plan.cfg, plan.split.test, _bound(plan.cfg)
    if not evaluation_interval(cfg, plan.store.epoch):
        return
    more = "hold out more (--set data.holdout=0.3), or leave --until and --evaluate-every away"
    if resumed:  # what it learns from cannot be changed
        more = 'go on with --until "", and without intervals.evaluate'
    few = UsageError(f"too few images are held out to judge by: {len(test.images)}", more)
    if not len(test.images):
        raise few
    judge = _judge(plan, progress=plan.reading.progress)
    subject = _subject(judge, plan)
    chosen = {m.name: m for m in judge.chosen(_metrics(bound))}
    why = {name: metric.objection(subject) for name, metric in chosen.items()}
    if all(why[name] for name in QUICK):
        raise few
    if bound is None:
        return
    metric = chosen[metric_of(bound.metric)]
    if why[metric.name]:
        raise UsageError(f"--until {bound}: {why[metric.name]}", 'ask for another score, such as --until "fid<8"')
    _check_space(bound, metric, judge.extractor.label)


def _check_space(bound: Bound, metric: Metric, features: str) -> None:
    """Raises UsageError if the bound is on features that the training is not judged by."""
    known = {"features": [features], "pixels": ["pixels"], "both": [features, "pixels"]}[metric.space]
    name, _, asked = bound.metric.partition("@")
    if asked and asked not in known:
        plain = Bound(name, bound.op, bound.value)
        raise UsageError(f"--until {bound}: while training, {name} is that of {known[0]}", f'--until "{plain}"')


def _subject(judge: Judge, plan: Plan) -> Subject:
    """What an evaluation will be of, with blank images for the samples: enough for a metric to object to."""
    n, train = plan.cfg.intervals.evaluate_n, plan.split.train
    made = generator.Model(plan.cfg.task, {}, plan.shape, Tick(0, 0, 0), {})
    labels, attributes = made.labels_like(train.labels, n), made.attributes_like(train.attributes, n)
    blank = np.zeros((n, *train.images.shape[1:]), np.uint8)
    fakes = Fakes(blank, None if labels is None else np.array(labels, np.int64), {}, attributes)
    return judge.subject(fakes)


def _judge(plan: Plan, note: Note = lambda _text: None, progress: Progress = silent) -> Judge:
    features, n, place = plan.cfg.data.source.features, plan.cfg.intervals.evaluate_n, plan.reading.cache_dir
    return Judge(plan.split, features, n=n, cache_dir=place, progress=progress, note=note)


def _bound(cfg: Config) -> Bound | None:
    return parse_bound(cfg.stop.until) if cfg.stop.until else None


def _metrics(bound: Bound | None) -> list[str]:
    return sorted({*QUICK, *([metric_of(bound.metric)] if bound else [])})


def _held(lines: Sequence[Mapping[str, Any]], cfg: Config) -> bool:
    """Whether this very `until` held in as many of the last evaluations as asked."""
    last = lines[-cfg.stop.patience :]
    held = [line.get("met") is True and line.get("until") == cfg.stop.until for line in last]
    return len(held) == cfg.stop.patience and all(held)


def _is_best(value: float, before: list[Any], better: str) -> bool:
    """Whether no earlier score was as good."""
    known = [v for v in before if isinstance(v, int | float)]
    return math.isfinite(value) and all(value > v if better == "higher" else value < v for v in known)
