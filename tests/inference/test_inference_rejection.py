"""Rejection sampling: D's choice among candidates, the same whatever else is chosen."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.registry import build
from gancli.core.specs import Images
from gancli.inference.generator import Model
from gancli.inference.rejection import chosen, logits

MODELS: list[dict[str, Any]] = [
    {"model": {"name": "mlp", "z": 4, "g_widths": [16], "d_widths": [16]}},
    {"model": {"name": "mlp", "z": 4, "g_widths": [16], "d_widths": [16]}, "pack": 2},
    {"model": {"name": "dcgan", "z": 4, "g_width": 4, "d_width": 4}, "condition": "projection"},
    {"model": {"name": "progressive", "z": 4, "width": 4, "widest": 4, "hold": 10, "fade": 10}},
]


def made(options: dict[str, Any]) -> Model:
    torch.manual_seed(0)
    spec = Images(channels=1, height=16, width=16, classes=3)
    task: Any = build("task", {"name": "generate", **options})
    nets = {name: net.eval() for name, net in task.nets(spec).items()}
    task.prepare(nets, spec, Tick(0, 0, 100))
    return Model(task, nets, spec, Tick(0, 0, 100), {})


@pytest.mark.parametrize("options", MODELS, ids=lambda o: o["model"]["name"])
def test_the_chosen_are_candidates_with_higher_logits(options: dict[str, Any]) -> None:
    model = made(options)
    seeds = list(range(40))
    ask = model.from_seeds(seeds, model.seed_labels(seeds))
    found = chosen(model, ask, 8)
    assert [seed // 8 for seed in found] == seeds
    plain, best = logits(model, ask), logits(model, ask.replace(seeds=tuple(found)))
    assert best.shape == (40,)
    assert best.mean() > plain.mean()


def test_a_choice_does_not_depend_on_the_others() -> None:
    model = made(MODELS[0])
    whole = chosen(model, model.from_seeds(range(50)), 4)
    assert chosen(model, model.from_seeds([49, 3]), 4) == [whole[49], whole[3]]


def test_where_most_candidates_are_alike_not_always_the_first_or_the_best_is_taken() -> None:
    model = made(MODELS[0])
    ask = model.from_seeds(range(100))
    found = chosen(model, ask, 8)
    candidates = logits(model, model.from_seeds(range(800))).view(100, 8)
    taken = torch.tensor([seed % 8 for seed in found])
    assert 10 < int((taken == candidates.argmax(1)).sum()) < 95
    assert len(set(taken.tolist())) == 8


def test_a_model_folder_has_no_discriminator() -> None:
    model = made(MODELS[0])
    del model.nets["D"]
    with pytest.raises(UsageError, match="does not hold the discriminator") as caught:
        chosen(model, model.from_seeds([0]), 2)
    assert "run folder" in (caught.value.remedy or "")
