"""Signals of a GAN that goes wrong, cheap enough for every run. Losses alone are no evidence.

    update/NET    ||w(t + 1) - w(t)|| / ||w(t)||: a learning rate far too high
    real/CRITIC   share of training reals on the real side of the loss's decision boundary (r_t of 2006.06676)
    known         how many training data there are
    overfit/CRITIC  the chance that it ranks a training datum above a validation datum: 0.5 is fair, 1 memorized. (r_v of 2006.06676,
               the same gap over that between reals and fakes, is noise wherever D is nearly fooled, and gave false alarms.)
    apart/CRITIC  the chance that it ranks a real above a fake (area under the ROC curve): 1 means that D has won
    spread        mean distance between samples over that between reals, of the same label where there are labels: 0 is collapse
    classes       total variation between the classes of samples and of reals (where a classifier is given): 0 alike, 1 none in common

All are functions of the state, so that a resumed run finds the same. A kind is warned of when it has held for as many looks in a row as
its rule says, and the warning is taken back when it has not held for as many (`rules.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core.errors import GanError
from gancli.core.samples import Samples
from gancli.core.seeds import derive, seed_default
from gancli.core.sinks import Note
from gancli.core.task import Context
from gancli.data.loader import Loader
from gancli.evaluation.selection import classifier
from gancli.training.net import in_evaluation
from gancli.training.rules import RULES, name_of

if TYPE_CHECKING:
    from gancli.training.prepare import Plan
    from gancli.training.state import State

EARLY = 0.1  # of a run
SEEN = 256  # reals of each kind that a critic is asked about
DRAWN = 64  # samples that are compared
LOOKS = 4  # in an epoch


class Monitor:
    """Looks at a state four times in an epoch; remembers what it said in the lines that it was given back."""

    def __init__(self, plan: Plan, warn: Note, note: Note, lines: Sequence[Mapping[str, Any]] = ()) -> None:
        self.plan, self.warn, self.note = plan, warn, note
        self.lines = list(lines)
        self.every = max(1, plan.loader.epoch // LOOKS)  # images between looks
        self._before: dict[str, Tensor] = {}
        held_out, train = plan.split.validation, plan.loader
        self.held_out = Loader(held_out, plan.cfg.seed, train.device, train.dtype) if len(held_out) else None

    def stepped(self, state: State) -> dict[str, float]:
        """To be called at the start and after every step; on steps of the journal gives the nets' updates over their weights."""
        out: dict[str, float] = {}
        if self._before:
            for name, net in state.nets.items():
                old = self._before.pop(name)
                weights = old.norm().clamp_min(1e-12)
                out[f"update/{name}"] = float(old.sub_(net.flat).norm() / weights)
        if (state.step + 1) % self.plan.cfg.intervals.log == 0:
            self._before = {name: net.flat.detach().clone() for name, net in state.nets.items()}
        return out

    @property
    def last(self) -> int:
        """The images drawn at the last look."""
        return int(self.lines[-1].get("images", 0)) if self.lines else 0

    def due(self, state: State) -> bool:
        return state.images // self.every > self.last // self.every

    def look(self, state: State, scalars: Mapping[str, Any]) -> dict[str, Any]:
        """A line of signals, with those of the last scalars; warns of what has held for long enough, or is over."""
        cfg, data = self.plan.cfg, self.plan.loader.data
        made = state.model(cfg.task).generate(cfg.task.preview(state.spec, data, DRAWN))
        line: dict[str, Any] = {"step": state.step, "images": state.images, "known": len(data), **self._logits(state)}
        reals = data.samples().take(
            self.plan.loader.orders.indices("order", len(data), 0, min(DRAWN, len(data))).numpy()
        )
        base, mine = self._spreads(reals, made)
        line["spread"] = round(mine / base, 4) if base > 0 else 1.0
        if self._classify is not None:
            line["classes"] = round(self._classes(made), 4)
        line |= {k: v for k, v in scalars.items() if k.startswith(("update/", "grad/"))}
        self._apply_rules(line)
        self.lines.append(line)
        return line

    def conclude(self) -> None:
        """At the end of a run: warn again of what is wrong with its samples, if it was said and is not over."""
        holds, line = self._holding(), self.lines[-1] if self.lines else {}
        for rule in RULES:
            for signal, kind in rule.signals(line).items():
                if rule.repeated and kind in holds and rule.broken(self.lines, signal):
                    said = rule.says(name_of(signal), self._config)
                    self.warn(f"still so at the end: {said} ({signal} {line[signal]:.3g})")

    @cached_property
    def _config(self) -> dict[str, Any]:
        return self.plan.cfg.dump()

    def _holding(self) -> set[str]:
        """The kinds that were warned of and are not over."""
        holds: set[str] = set()
        for old in self.lines:
            holds = (holds | {*old.get("warned", ())}) - {*old.get("over", ())}
        return holds

    def _spreads(self, reals: Samples, made: Samples) -> tuple[float, float]:
        labels = [getattr(samples, "labels", None) for samples in (reals, made)]
        alike = self.plan.cfg.task.choices(self.plan.spec).from_data and all(y is not None for y in labels)
        base, mine = (
            spread(torch.from_numpy(samples.vectors()), torch.from_numpy(y) if alike and y is not None else None)
            for samples, y in zip((reals, made), labels, strict=True)
        )
        return base, mine

    def _apply_rules(self, line: dict[str, Any]) -> None:
        """Warn of what has held for long enough, and take back what is over; both are recorded in the line."""
        holds, lines = self._holding(), [*self.lines, line]
        share = line["images"] / self.plan.cfg.stop.total(self.plan.loader.epoch)
        for rule in RULES:
            for signal, kind in rule.signals(line).items():
                where = f"({signal} {line.get(signal, 0):.3g} at step {line['step']:,})"
                name = name_of(signal)
                if kind not in holds and share >= rule.after and rule.broken(lines, signal):
                    line.setdefault("warned", []).append(kind)
                    passing = "; so early in a run it often passes" if share < EARLY and rule.past else ""
                    self.warn(f"{rule.says(name, self._config)}{passing} {where}")
                elif kind in holds and rule.over(lines, signal):
                    line.setdefault("over", []).append(kind)
                    self.note(f"{rule.past.format(name)} {where}")

    def _logits(self, state: State) -> dict[str, float]:
        """How the critics rank training reals, validation reals and fakes; nothing of the run is changed."""
        nets = {name: in_evaluation(net) for name, net in state.working().items()}
        out: dict[str, float] = {}
        try:
            seen = self._ranked(state, nets, self.plan.loader, state.images)
            unseen = {} if self.held_out is None else self._ranked(state, nets, self.held_out, 0)
            for name, (real, fake) in seen.items():
                decided = self.plan.cfg.task.centered(real, fake)[0]
                out[f"real/{name}"] = round(float((decided > 0).float().mean()), 4)
                out[f"apart/{name}"] = round(above(real, fake), 4)
                if name in unseen:
                    out[f"overfit/{name}"] = round(above(real, unseen[name][0]), 4)
        except GanError:
            return {}
        return out

    def _ranked(
        self, state: State, nets: dict[str, nn.Module], loader: Loader, position: int
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """The critics' logits of some reals and as many fakes, flat."""
        cfg, task = self.plan.cfg, self.plan.cfg.task
        n = min(cfg.batch_size, cfg.runtime.micro_batch or SEEN, loader.n, SEEN)
        parts: list[dict[str, tuple[Tensor, Tensor]]] = []
        for i in range(min(SEEN, loader.n) // n):
            tick, seed = state.tick(cfg.seed), derive(cfg.seed, "monitor", i)
            task.prepare(nets, state.spec, tick)
            batch = task.view(nets, loader.batch(position + i * n, n))
            seed_default(seed, state.device)
            memory = {k: v.clone() for k, v in state.memory.items()}
            random = torch.Generator().manual_seed(seed)
            ctx = Context(
                nets, batch, tick, state.spec, random, seed, memory, state.device, state.dtype, total=n
            )  # fmt: skip
            with torch.no_grad():
                parts.append(task.critics(ctx))
        names = parts[0] if parts else {}
        return {
            name: (
                torch.cat([part[name][0].flatten() for part in parts]).float().cpu(),
                torch.cat([part[name][1].flatten() for part in parts]).float().cpu(),
            )
            for name in names
        }

    @cached_property
    def _classify(self) -> Callable[[Samples], np.ndarray] | None:
        plan = self.plan
        return classifier(plan.cfg.data.source.features, plan.split.train, plan.reading.cache_dir, plan.loader.device)

    def _classes(self, made: Samples) -> float:
        """Total variation between the shares of the samples' classes and of the data's."""
        labels = self.plan.split.train.strata
        assert self._classify is not None and labels is not None  # noqa: PT018
        found = self._classify(made)
        size = max(int(labels.max()), int(found.max())) + 1
        real, fake = np.bincount(labels, minlength=size), np.bincount(found, minlength=size)
        return float(np.abs(real / real.sum() - fake / fake.sum()).sum() / 2)


def spread(x: Tensor, labels: Tensor | None = None) -> float:
    """Mean distance between samples.

    Args:
        x: [N, ...].
        labels: [N]; only pairs with the same label count, if there are any.
    """
    flat = x.detach().float().cpu().flatten(1)
    pairs = torch.ones(len(flat), len(flat), dtype=torch.bool).triu(1)
    if labels is not None:
        same = labels.cpu()[:, None] == labels.cpu()[None, :]
        pairs = pairs & same if bool((pairs & same).any()) else pairs
    return float(torch.cdist(flat, flat)[pairs].mean()) if len(flat) > 1 else 0.0


def above(real: Tensor, fake: Tensor) -> float:
    """The chance that a real's logit [N] is above a fake's [M]; ties count half. By sorting, for many patches."""
    order = fake.sort().values
    below, at_most = torch.searchsorted(order, real), torch.searchsorted(order, real, right=True)
    return float((below + at_most).double().mean() / 2 / len(order))
