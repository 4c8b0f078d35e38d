"""Signals of a GAN that goes wrong, cheap enough for every run, and when to say so. Losses alone are no evidence.

    update     ||w(t + 1) - w(t)|| / ||w(t)|| of each net: a rate far too high
    real       share of train reals whose logit is above 0 (r_t of 2006.06676)
    known      how many training images there are
    overfit    the chance that D ranks a training image above a held-out one: 0.5 is fair, 1 learned by heart. (r_v of 2006.06676, the same
               gap over that between reals and fakes, is noise wherever D is nearly fooled, and gave false alarms.)
    apart      the chance that D ranks a real above a fake (the area under the ROC curve): 1 means that D has won
    spread     mean distance between samples over that between reals, of the same label where there are labels: 0 is collapse
    classes    total variation between the classes of samples and of reals (where a classifier is given): 0 alike, 1 none in common

All are functions of the state, so that a resumed run finds the same. A kind is warned of when it has held for as many looks in a row as
its rule says, and the warning is taken back when it has not held for as many. The rules' bounds come from tests/soak/monitor.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gancli.core.contracts import Task, Turn
from gancli.core.errors import GanError
from gancli.core.seeds import derive, seed_default

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.store import Store
    from gancli.training.state import State

EARLY = 0.1  # of a run
LOOKED_AT = 256  # reals of each kind that D is asked about
Values = dict[str, float]


@dataclass(frozen=True)
class Rule:
    """When a signal is worth a warning."""

    kind: str
    signal: str
    bound: float
    above: bool
    looks: int  # in a row
    text: str  # what it means, and what to try
    past: str = ""  # what is said when it is over
    mean: bool = False  # of the looks, instead of each

    def broken(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the signal is over the bound in every one of the last looks; of a `mean`, whether their mean is."""
        return all(self._judged(lines) or [False])

    def over(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Whether it is within the bound in every one of them; of a `mean`, whether their mean is."""
        return bool(self.past) and not any(self._judged(lines) or [True])

    def _judged(self, lines: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Of each of the last looks, or of their mean, whether it is over the bound; empty as long as there are too few."""
        values = [line.get(self.signal) for line in lines[-self.looks :]]
        known = [float(v) for v in values if isinstance(v, int | float)]
        if len(known) < self.looks:
            return []
        judged = [sum(known) / len(known)] if self.mean else known
        return [v > self.bound if self.above else v < self.bound for v in judged]


SLOWER = "try a lower learning rate (--set optimizer.lr=1e-4)"
RULES = (
    Rule("collapse", "spread", 0.25, False, 3,
         "the samples look alike: G is collapsing; try another --preset, one with a gradient penalty such as r3gan, or another --seed",
         "the samples differ again"),
    Rule("few images", "known", 300, False, 1,
         "so few images are soon learned by heart; try --set 'task.augment=[\"diffaugment\"]', or more data"),
    Rule("overfitting", "overfit", 0.58, True, 4,
         "D tells training images from held-out ones: it learns them by heart; try --set 'task.augment=[\"diffaugment\"]', or more data",
         "D hardly tells training images from held-out ones any more", mean=True),
    Rule("rate of D", "d_update", 0.05, True, 3, f"D changes by more than a twentieth with each step; {SLOWER}",
         "D changes less with each step", mean=True),
    Rule("rate of G", "g_update", 0.05, True, 3, f"G changes by more than a twentieth with each step; {SLOWER}",
         "G changes less with each step", mean=True),
    Rule("no gradient", "g_grad", 1e-7, False, 2, "G learns nothing: no gradient reaches it; try another loss, or another seed",
         "G learns again"),
    Rule("classes", "classes", 0.4, True, 6,
         "some classes are missing from the samples, or nearly; try --set task.pack=2, or another --preset",
         "all classes are among the samples again"),
)  # fmt: skip


class Monitor:
    """Looks at a state when told to; remembers what it said in the lines that it was given back."""

    def __init__(
        self, task: Task, cfg: Config, train: Store, held_out: Store | None, warn: Callable[[str], None],
        note: Callable[[str], None], lines: Sequence[Mapping[str, Any]] = (), every: int = 0,
    ) -> None:  # fmt: skip
        self.task, self.cfg, self.train, self.held_out, self.warn, self.note = task, cfg, train, held_out, warn, note
        self.lines = list(lines)
        self.every = every  # images between looks
        self._before: dict[str, Tensor] = {}

    def stepped(self, state: State) -> Values:
        """To be called at the start and after every step; on steps of the journal gives the nets' updates over their weights."""
        out: Values = {}
        if self._before:
            for name, net in state.nets.items():
                old = self._before.pop(name)
                weights = old.norm().clamp_min(1e-12)
                out[f"{name.lower()}_update"] = float(old.sub_(net.flat).norm() / weights)
        if (state.step + 1) % self.cfg.intervals.log == 0:
            self._before = {name: net.flat.detach().clone() for name, net in state.nets.items()}
        return out

    def due(self, state: State) -> bool:
        last = self.lines[-1].get("images", 0) if self.lines else 0
        return self.every > 0 and state.images // self.every > last // self.every

    def look(
        self, state: State, images: Tensor, labels: Sequence[int] | None, journal: Mapping[str, float],
        classes: float | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """A line of signals, of these samples and the journal's last line; warns of what has held for long enough, or is over."""
        line: dict[str, Any] = {
            "step": state.step,
            "images": state.images,
            "known": self.train.n,
            **self._opinions(state),
        }
        reals = self.train.batch(0, min(len(images), self.train.n))
        alike = labels is not None and reals.y is not None
        base = spread(reals.x.float(), reals.y if alike else None)
        mine = spread(images, torch.tensor(labels) if alike else None)
        line["spread"] = round(mine / base, 4) if base > 0 else 1.0
        if classes is not None:
            line["classes"] = round(classes, 4)
        line |= {k: journal[k] for k in ("d_update", "g_update", "d_grad", "g_grad") if k in journal}
        self._judge(line)
        self.lines.append(line)
        return line

    def _judge(self, line: dict[str, Any]) -> None:
        holds: set[str] = set()
        for old in self.lines:
            holds = (holds | {*old.get("warned", ())}) - {*old.get("over", ())}
        lines = [*self.lines, line]
        early = line["images"] < EARLY * self.cfg.stop.total(self.train.epoch)
        for rule in RULES:
            where = f"({rule.signal} {line.get(rule.signal, 0):.3g} at step {line['step']:,})"
            if rule.kind not in holds and rule.broken(lines):
                line.setdefault("warned", []).append(rule.kind)
                passing = "; so early in a run it often passes" if early and rule.past else ""
                self.warn(f"{rule.text}{passing} {where}")
            elif rule.kind in holds and rule.over(lines):
                line.setdefault("over", []).append(rule.kind)
                self.note(f"{rule.past} {where}")

    def _opinions(self, state: State) -> Values:
        """What D says of train reals, held-out reals and fakes, in evaluation mode; nothing of the run is changed."""
        nets = state.working()
        modes = {module: module.training for net in nets.values() for module in net.modules()}
        try:
            for net in nets.values():
                net.eval()
            seen = self._logits(state, nets, self.train, state.images)
            if seen is None:
                return {}
            real, fake = seen
            out = {"real": round(float((real > 0).float().mean()), 4), "apart": round(above(real, fake), 4)}
            unseen = None if self.held_out is None else self._logits(state, nets, self.held_out, 0)
            if unseen is not None:
                out["overfit"] = round(above(real, unseen[0]), 4)
            return out
        except GanError:
            return {}
        finally:
            for module, mode in modes.items():
                module.training = mode

    def _logits(
        self, state: State, nets: dict[str, nn.Module], store: Store, position: int
    ) -> tuple[Tensor, Tensor] | None:
        """D's logits of some reals and as many fakes, by the run's own phase; None where no phase tells them."""
        n = min(self.cfg.batch_size, self.cfg.runtime.micro_batch or LOOKED_AT, store.n, LOOKED_AT)
        parts = []
        for i in range(min(LOOKED_AT, store.n) // n):
            found = self._part(state, nets, store, position + i * n, n, i)
            if found is None:
                return None
            parts.append(found)
        real, fake = (torch.cat([part[k] for part in parts]).float().cpu() for k in (0, 1))
        return real, fake

    def _part(
        self, state: State, nets: dict[str, nn.Module], store: Store, position: int, n: int, i: int
    ) -> tuple[Tensor, Tensor] | None:
        tick, seed = state.tick(self.cfg.seed), derive(self.cfg.seed, "monitor", i)
        for phase in state.phases:
            batch = self.task.begin(nets, store.batch(position, n), tick)
            seed_default(seed, state.device)
            memory = {k: v.clone() for k, v in state.memory.items()}
            random = torch.Generator().manual_seed(seed)
            turn = Turn(nets, batch, tick, state.shape, random, seed, memory, {}, False, 0, n)
            _, logs = phase.loss(turn)
            if "logit_real" in logs and "logit_fake" in logs:
                return logs["logit_real"].detach().flatten(), logs["logit_fake"].detach().flatten()
        return None


def spread(x: Tensor, labels: Tensor | None = None) -> float:
    """Mean distance between images [N, C, H, W], of pairs with the same label where labels [N] are given."""
    flat = x.detach().float().cpu().flatten(1)
    pairs = torch.ones(len(flat), len(flat), dtype=torch.bool).triu(1)
    if labels is not None:
        same = labels.cpu()[:, None] == labels.cpu()[None, :]
        pairs = pairs & same if bool((pairs & same).any()) else pairs
    return float(torch.cdist(flat, flat)[pairs].mean()) if len(flat) > 1 else 0.0


def above(real: Tensor, fake: Tensor) -> float:
    """The chance that a real's logit is above a fake's; ties count half."""
    difference = real[:, None] - fake[None, :]
    return float(((difference > 0).float() + 0.5 * (difference == 0).float()).mean())
