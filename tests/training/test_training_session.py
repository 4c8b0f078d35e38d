"""A session reports to its sinks: what, in which order, and what is forgotten when the run goes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from faults import Bench

from gancli.core.contracts import Logs
from gancli.core.errors import DivergedError
from gancli.core.samples import Samples
from gancli.core.sinks import Progress, Sink, Sinks
from gancli.runs import journal
from gancli.training import loop
from gancli.training.prepare import again
from gancli.training.session import train


class Recording(Sink):
    """Every call, in its order."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.logs: list[Logs] = []

    def begin(self, progress: Progress) -> None:
        self.calls.append(("begin", progress.step, progress))

    def step(self, progress: Progress, logs: Logs) -> None:
        self.calls.append(("step", progress.step, progress))
        self.logs.append(logs)

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        self.calls.append(("scalars", step, dict(values)))

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        self.calls.append(("samples", step, name, len(samples), dict(recipe)))

    def event(self, kind: str, **facts: Any) -> None:
        self.calls.append((kind, facts.get("step"), facts))

    def rewind(self, step: int, still_open: bool = False) -> None:
        self.calls.append(("rewind", step, still_open))

    def sync(self) -> None:
        self.calls.append(("sync", None))

    def end(self) -> None:
        self.calls.append(("end", None))

    def kinds(self, *wanted: str) -> list[Any]:
        """The step of each call of a kind; of several kinds, (kind, step) in their order."""
        found = [call[:2] for call in self.calls if call[0] in wanted]
        return [step for _, step in found] if len(wanted) == 1 else found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    return Bench(tmp_path_factory.mktemp("bench"), 30, {"task": {"penalties": []}})


def test_everything_is_reported_in_its_order(bench: Bench) -> None:
    run, sink = bench.new(), Recording()
    train(run, bench.plan, [sink])
    names = [call[0] for call in sink.calls]
    assert names[0] == "begin"
    assert names[-2:] == ["end", "finished"]
    assert sink.calls[-1][2] == {"reason": "steps"}
    assert sink.kinds("step") == list(range(1, 31))
    assert sink.kinds("scalars") == list(range(3, 31, 3))
    assert sink.kinds("samples") == [20, 30]
    assert sink.kinds("monitor") == [None]
    assert sink.kinds("saving", "sync", "saved") == [
        (kind, None if kind == "sync" else step) for step in (10, 20, 30) for kind in ("saving", "sync", "saved")
    ]
    at_30 = [call[0] for call in sink.calls[names.index("step") :] if call[1] == 30]
    assert at_30 == ["step", "scalars", "samples", "saving", "saved"]
    assert sink.calls[names.index("monitor") + 1][:2] == ("step", 23), "the monitor looks before the step is reported"


def test_what_is_reported(bench: Bench) -> None:
    run, sink = bench.new(), Recording()
    train(run, bench.plan, [sink])
    assert sink.calls[0][2] == Progress(0, 0, 1438, 1_438_000, 0.0, ("loss/D", "loss/G")), (
        "by epochs, until steps are known"
    )
    fifth = next(call[2] for call in sink.calls if call[:2] == ("step", 5))
    assert (fifth.images, fifth.epoch, fifth.total, fifth.losses) == (80, 1438, 480, ("loss/D", "loss/G"))
    assert sink.logs[0].keys() == {"loss/D", "logit/D/real", "logit/D/fake", "grad/D", "loss/G", "grad/G"}
    assert all(value.shape == () and not value.requires_grad for value in sink.logs[0].values())
    values = next(call[2] for call in sink.calls if call[:2] == ("scalars", 6))
    assert values.keys() == sink.logs[0].keys() | {
        "step", "epoch", "images", "images_per_s", "seconds", "update/D", "update/G",
    }  # fmt: skip
    for key in sink.logs[0]:
        mean = sum(float(logs[key]) for logs in sink.logs[3:6]) / 3
        assert values[key] == pytest.approx(mean, rel=1e-6)
    _, _, name, n, recipe = next(call for call in sink.calls if call[0] == "samples")
    assert (name, n, recipe["step"], recipe["ema"], recipe["rows"][63]) == ("samples", 64, 20, True, "seed000063")
    line = next(call[2]["line"] for call in sink.calls if call[0] == "monitor")
    assert line == journal.read(run.monitor)[0]


def test_the_journal_has_what_was_reported_and_the_columns_of_scripts(bench: Bench) -> None:
    run, sink = bench.new(), Recording()
    train(run, bench.plan, [sink])
    lines = [json.loads(line) for line in run.journal.read_text().splitlines()]
    reported = [call[2] for call in sink.calls if call[0] == "scalars"]
    assert lines == [{"d_loss": v["loss/D"], "g_loss": v["loss/G"], **v} for v in reported]
    assert list(lines[0])[:3] == ["step", "d_loss", "g_loss"]


@pytest.mark.parametrize(("first", "still_open"), [(20, True), (21, False)])
def test_a_resume_rewinds_before_it_begins(bench: Bench, first: int, still_open: bool) -> None:
    """After step 20 the window of steps 19 and 20 is open; after step 21 it was just closed."""
    run, sink = bench.new(), Recording()
    bench.go(run, first, resumed=False)
    train(run, bench.plan, [sink], resumed=True)
    assert sink.kinds("note", "rewind", "begin")[-2:] == [("rewind", first), ("begin", first)]
    assert sink.calls[[call[0] for call in sink.calls].index("rewind")][2] is still_open
    assert sink.kinds("step") == list(range(first + 1, 31))
    assert [line["step"] for line in journal.read(run.journal)] == list(range(3, 31, 3))


def test_a_divergence_rewinds_to_the_last_checkpoint(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loop.step

    def fails_at_the_full_rate(task: Any, state: Any, loader: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 17 and state.nets["G"].rule.lr == cfg.optimizer.lr:
            raise DivergedError("the loss of G is nan at step 17; nothing was updated")
        return real(task, state, loader, cfg, *more)

    monkeypatch.setattr(loop, "step", fails_at_the_full_rate)
    run, sink = bench.new(), Recording()
    train(run, bench.plan, [sink], on_divergence="rollback")
    assert sink.kinds("begin", "end", "warning", "rewind", "finished") == [
        ("begin", 0), ("end", None), ("warning", None), ("rewind", 10), ("begin", 10), ("end", None), ("finished", None),
    ]  # fmt: skip
    assert sink.kinds("step") == [*range(1, 18), *range(11, 31)]


def test_every_sink_is_told_the_same(bench: Bench) -> None:
    one, other = Recording(), Recording()
    train(bench.new(), bench.plan, [one, Sink(), other])
    assert one.calls == other.calls
    assert len(one.calls) > 50


def test_the_fan_out_leaves_nothing_out() -> None:
    """Every method of a sink is one of `Sinks`, with the same arguments."""
    told = Recording()
    every = Sinks([told])
    progress = Progress(1, 2, 3, 4, 5.0)
    every.begin(progress)
    every.step(progress, {})
    every.scalars(6, {"x": 1})
    every.event("note", text="y")
    every.rewind(7, still_open=True)
    every.sync()
    every.end()
    every.note("n")
    every.warn("w")
    assert [call[:2] for call in told.calls] == [
        ("begin", 1), ("step", 1), ("scalars", 6), ("note", None), ("rewind", 7), ("sync", None), ("end", None),
        ("note", None), ("warning", None),
    ]  # fmt: skip
    own = {name for name in vars(Sink) if not name.startswith("_")}
    assert own <= vars(Sinks).keys()


@pytest.mark.parametrize(("seconds", "saved"), [(0.0, 7), (600.0, 1)])
def test_a_checkpoint_is_written_after_some_minutes_at_most(
    seconds: float, saved: int, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "UNSAVED", seconds)
    cfg = bench.plan.cfg
    intervals = cfg.intervals.replace(save=None, sample=None)
    plan = replace(bench.plan, cfg=cfg.replace(intervals=intervals, stop=cfg.stop.replace(max_steps=7)))
    sink = Recording()
    train(bench.new(), plan, [sink])
    assert len(sink.kinds("saved")) == saved
    assert sink.kinds("samples") == [2, 4, 6, 7]  # a quarter of the run each


def test_without_a_validation_set_previews_are_asked_for_with_training_data(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, asked = type(bench.plan.cfg.task), list[int]()
    real = task.preview

    def preview(self: Any, spec: Any, data: Any, n: int) -> Any:
        asked.append(len(data))
        return real(self, spec, data, n)

    monkeypatch.setattr(task, "preview", preview)
    for share, size in ((0.0, 1438), (0.05, 90)):
        plan = again(bench.until(3).cfg, replace(bench.how, validation=share))
        train(bench.new(), plan, [])
        assert asked.pop() == size
