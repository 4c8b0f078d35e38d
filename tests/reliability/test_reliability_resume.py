"""Row 12 of the fault table: 2N steps are N steps, a resume and N more, for every preset, each tensor and journal line to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faults import Bench, differing, kept
from PIL import Image
from sklearn.datasets import load_digits

from gancli.core.config import Config, Layer, merge, presets, read_preset, resolve
from gancli.core.specs import Tokens
from gancli.runs import checkpoint
from gancli.runs.tensors import decode
from gancli.training.prepare import again
from gancli.training.start import extend
from tests.conftest import data_of

SMALL = {
    "g_width": 16, "d_width": 16, "width": 16, "widest": 16, "group": 8, "blocks": 1, "z": 8, "w": 8, "mapping": 1,
    "g_widths": [8], "d_widths": [8], "hold": 200, "fade": 200,
}  # fmt: skip


def measured(place: Path) -> Path:
    """60 digits as pictures, with two attributes in labels.csv."""
    place.mkdir()
    lines = ["file,ink,peak"]
    for i, digit in enumerate(load_digits().images[:60].astype(np.uint8)):
        Image.fromarray(digit * 15).save(place / f"{i}.png")
        lines.append(f"{i}.png,{digit.mean()},{digit.max()}")
    (place / "labels.csv").write_text("\n".join(lines))
    return place


def smaller(preset: str, place: Path) -> Layer:
    """Overrides that make a preset tiny, where it has such options."""
    cfg = resolve(read_preset(preset), {"preset": preset, "data": {"source": "digits"}})
    task: Layer = {}
    for name in ("model", "translator", "critic"):
        part: Any = getattr(cfg.task, name, None)
        options = {k: v for k, v in SMALL.items() if part is not None and k in type(part).model_fields}
        task |= {name: options} if options else {}
    if cfg.task.accepts is Tokens:
        sizes = ("width", "embedding", "filters", "critic_embedding", "critic_width")
        task |= {name: 8 for name in sizes if name in type(cfg.task).model_fields}
        task |= {"stage": 60} if "stage" in type(cfg.task).model_fields else {}
    images = cfg.task.accepts is not Tokens
    shape: Layer = (
        {"image_size": [16, 16]} if images and type(getattr(cfg.task, "model", None)).__name__ != "MLP" else {}
    )
    pictures = place / "pictures"
    source = (
        {"name": "folder", "path": str(measured(pictures))} if preset == "attributes" else data_of(preset, pictures)
    )
    return {
        "preset": preset, "task": task, "batch_size": 20, "data": {**shape, "repeat": 1, "source": source},
        "intervals": {"log": 3, "sample": 240, "save": 10_000},
    }  # fmt: skip


@pytest.mark.timeout(900)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("preset", presets())
def test_every_preset(tmp_path: Path, preset: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import faults

    monkeypatch.setattr(faults, "TINY", {**faults.TINY, "task": {}})
    layer = merge([smaller(preset, tmp_path), {"runtime": {"threads": threads}}])
    steps, at = (8, 5) if threads == 1 else (4, 2)  # other tests use both cores at the same time
    bench = Bench(tmp_path, steps, layer)
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    bench.go(parts, at, resumed=False)
    bench.go(parts, steps)
    torch.set_num_threads(1)
    assert checkpoint.newest(parts.checkpoints, print).step == steps
    assert not differing(kept(parts), kept(whole))


def test_adas_p_and_lazy_penalties_in_flight(tmp_path: Path) -> None:
    """Stopped between two of ADA's looks and two of a lazy penalty's steps, and when p has moved."""
    task = {
        "augment": [{"name": "ada", "speed": 1000, "start": 0.3, "target": -1.0}],
        "penalties": [{"name": "r1", "weight": 1.0, "every": 3}, {"name": "gp", "weight": 10.0, "every": 5}],
        "n_critic": 2,
    }  # fmt: skip
    bench = Bench(tmp_path, 20, {"task": task})
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    bench.go(parts, 7, resumed=False)
    p = decode(kept(parts)["memory.safetensors"], "memory")["ada_p"]
    assert 0.3 < float(p) < 1
    bench.go(parts, 11)
    bench.go(parts)
    assert not differing(kept(parts), kept(whole))


@pytest.mark.parametrize(("threads", "at"), [(1, 3), (1, 88), (1, 91), (2, 88)])
def test_threads_and_an_epochs_end(tmp_path: Path, threads: int, at: int) -> None:
    """An epoch is 1,438 images, 90 steps of 16: stopped before, near and after its end, within the journal's window."""
    bench = Bench(tmp_path, 95, {"runtime": {"threads": threads}, "intervals": {"log": 10, "save": 100_000}})
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    bench.go(parts, at, resumed=False)
    bench.go(parts)
    assert not differing(kept(parts), kept(whole))
    torch.set_num_threads(1)


def test_other_threads_are_said(bench: Bench) -> None:
    run = bench.new()
    bench.go(run, 10)
    cfg: Config = extend(run, [{"runtime": {"threads": 2}, "stop": {"max_steps": 12}}])
    plan, bench.plan = bench.plan, again(cfg, bench.how)
    try:
        heard = bench.go(run)
    finally:
        bench.plan = plan
        torch.set_num_threads(1)
    assert any("bits may differ from here on: threads 1 -> 2" in text for text in heard.said), heard.said


def test_evaluations_are_kept_with_the_best_and_go_on_after_a_resume(tmp_path: Path) -> None:
    """The best checkpoint is spared; an evaluation that a signal broke off is made up for."""
    layer = merge([{"intervals": {"evaluate": 160, "evaluate_n": 64, "keep": 1, "save": 80}}])
    bench = Bench(tmp_path, 60, layer)
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    bench.go(parts, 33, resumed=False)
    bench.go(parts)
    assert not differing(kept(parts), kept(whole))
    from gancli.runs import journal

    best = [line["step"] for line in journal.read(whole.scores) if line["best"]][-1]
    steps = {checkpoint.step_of(p) for p in checkpoint.listed(whole.checkpoints)}
    assert steps == {best, 60}


def test_a_signal_within_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    from gancli.core.errors import StoppedError
    from gancli.training import validation

    bench = Bench(tmp_path, 40, {"intervals": {"evaluate": 160, "evaluate_n": 64}})
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    real, count = validation.quick, []

    def slow(*args: Any) -> Any:
        count.append(1)
        if len(count) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("the signal was not heard")
        return real(*args)

    monkeypatch.setattr(validation, "quick", slow)
    with pytest.raises(StoppedError):
        bench.go(parts, resumed=False)
    assert checkpoint.newest(parts.checkpoints, print).step == 30
    bench.go(parts)
    assert not differing(kept(parts), kept(whole))
