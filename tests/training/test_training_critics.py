"""Several critics: each has its own keys in the logs, in the journal, and in what the monitor sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from faults import Bench
from torch import Tensor

from gancli.core.contracts import Logs, Nets
from gancli.core.data import Spec
from gancli.core.task import Context, Phase
from gancli.losses.adversarial import critic_loss
from gancli.runs import journal
from gancli.tasks.generate import Generate
from gancli.training.session import train


class TwoCritics(Generate):
    """A generator before two critics, each with its own phase."""

    def nets(self, spec: Spec) -> dict[str, torch.nn.Module]:
        first, second = super().nets(spec), super().nets(spec)
        return {"G": first["G"], "D_A": first["D"], "D_B": second["D"]}

    def phases(self, nets: Nets) -> list[Phase]:
        return [
            Phase("D_A", ("D_A",), lambda ctx: self._critic_of("D_A", ctx)),
            Phase("D_B", ("D_B",), lambda ctx: self._critic_of("D_B", ctx), new_batch=False),
            Phase("G", ("G",), self._generator, new_batch=False),
        ]

    def _of(self, name: str, ctx: Context) -> Context:
        return replace(ctx, nets={"G": ctx.nets["G"], "D": ctx.nets[name]}, cache={})

    def _critic_of(self, name: str, ctx: Context) -> tuple[Tensor, Logs]:
        own = self._of(name, ctx)
        return critic_loss(self._inputs(own, self._fake(own).detach()), self.loss, self.penalties, True, name)

    def _generator(self, ctx: Context) -> tuple[Tensor, Logs]:
        both = [self._g_loss(self._of(name, ctx), True)[0] for name in ("D_A", "D_B")]
        return both[0] + both[1], {}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        return {name: super(TwoCritics, self).critics(self._of(name, ctx))["D"] for name in ("D_A", "D_B")}


def test_two_critics_have_their_own_keys(tmp_path: Path) -> None:
    """In the logs of a step, in the journal and in what the monitor sees."""
    bench = Bench(tmp_path, 24)
    task = TwoCritics(model={"name": "mlp", "z": 4, "g_widths": [8], "d_widths": [8]}, penalties=[{"name": "r1"}])  # type: ignore[arg-type, list-item]
    bench.plan.cfg = bench.plan.cfg.replace(task=task)
    run = bench.new()
    train(run, bench.plan)
    (*_, line) = journal.read(run.journal)
    own = {
        f"{key}{name}{rest}"
        for name in ("D_A", "D_B")
        for key, rest in (("loss/", ""), ("grad/", ""), ("update/", ""), ("penalty/", "/r1"), ("logit/", "/real"), ("logit/", "/fake"))
    }  # fmt: skip
    assert line.keys() == own | {
        "step", "epoch", "images", "images_per_s", "seconds", "loss/G", "grad/G", "update/G", "g_loss",
    }  # fmt: skip
    for key in own:
        assert "_A" in key or line[key] != line[key.replace("_B", "_A")]
    (seen,) = journal.read(run.monitor)
    assert {f"{key}/{name}" for key in ("real", "apart", "overfit") for name in ("D_A", "D_B")} <= seen.keys()
