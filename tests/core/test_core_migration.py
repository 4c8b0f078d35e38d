"""What format 1 wrote is read under today's names: configurations, models, states, journals; what has today's names stays as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gancli.core import migration
from gancli.core.config import flat, read_preset, read_table, resolve

GOLDEN = Path(__file__).parents[1] / "golden"
CONFIGS: dict[str, dict[str, Any]] = json.loads(
    (GOLDEN / "configs-1.json").read_text()
)  # of each preset, as format 1 wrote it
OLD = {
    "optimiser": {"name": "adam", "lr": 1e-4, "schedule": {"course": "cosine", "final": 0.1}},
    "optimisers": {"G": {"lr": 2e-4, "schedule": {"course": "linear"}}, "D": {"betas": [0.0, 0.9]}},
    "average": {"half_life": 7, "ramp": 0.0},
    "rhythm": {"log": 3, "sample": 4, "save": 5, "evaluate": 6, "keep": 7, "evaluate_n": 80},
    "machine": {"device": "cpu", "precision": "fp32", "threads": 2, "micro_batch": 4, "deterministic": True},
    "task": {"name": "generate", "turns": 5},
    "data": {"source": "digits", "holdout": 0.2, "flip": True},
}
NEW = {
    "optimizer": {"name": "adam", "lr": 1e-4, "schedule": {"shape": "cosine", "final": 0.1}},
    "optimizers": {"G": {"lr": 2e-4, "schedule": {"shape": "linear"}}, "D": {"betas": [0.0, 0.9]}},
    "ema": {"half_life": 7, "ramp": 0.0},
    "intervals": {"log": 3, "sample": 4, "save": 5, "evaluate": 6, "keep": 7, "evaluate_n": 80},
    "runtime": {"device": "cpu", "precision": "fp32", "threads": 2, "micro_batch": 4, "deterministic": True},
    "task": {"name": "generate", "n_critic": 5},
    "data": {"source": "digits", "holdout": 0.2, "flip": True},
}


def test_every_section_has_its_name_of_today() -> None:
    assert migration.config(OLD) == NEW
    found = flat(resolve(migration.config(OLD)).dump())
    for key, value in flat({k: v for k, v in NEW.items() if k != "data"}).items():
        assert found[key] == value


def test_today_s_names_stay() -> None:
    assert migration.config(NEW) == NEW
    assert migration.config(migration.config(OLD)) == migration.config(OLD)
    whole = resolve(NEW).dump()
    assert migration.run_config(whole, 10) == whole


def test_nothing_is_changed_in_place() -> None:
    before = json.dumps(OLD)
    migration.run_config(OLD, 10)
    assert json.dumps(OLD) == before


BEFORE: dict[str, dict[str, Any]] = {  # what presets had when format 1 was written
    "infogan": {"task": {"latent": "normal", "condition": {"weight_continuous": 0.1, "hidden": 0}}},
    "pacgan": {"batch_size": 64, "task": {"latent": "normal", "g_steps": 1}},
    "stylegan2": {
        "task": {"model": {"residual": True, "group": 4}, "penalties": [{"name": "r1", "weight": 0.01, "every": 16}]},
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_whole_configuration_of_a_run(name: str) -> None:
    """Every preset's, written by format 1, is the current one of that preset, but without a validation set."""
    found = resolve(migration.run_config(CONFIGS[name], 10))
    preset = read_preset(name, 10)
    if name == "stylegan2":
        del preset["optimizers"]
    layers = {"preset": name}, preset, BEFORE.get(name, {}), {"data": {"source": "digits", "validation": 0.0}}
    assert found == resolve(*layers)


@pytest.mark.parametrize(("classes", "condition"), [(0, "none"), (1, "none"), (2, "projection"), (10, "projection")])
@pytest.mark.parametrize("form", ["labels-if-any", {"name": "labels-if-any"}])
def test_labels_if_any(classes: int, condition: str, form: Any) -> None:
    old = {"task": {"condition": form}}
    assert migration.config(old, classes)["task"]["condition"] == {"name": condition}
    assert migration.config(old) == old, "it waits until the classes are known"
    model = migration.model({"task": {"name": "generate", "condition": form}, "shape": {"classes": classes}})
    assert model["task"]["condition"] == {"name": condition}


def test_a_run_of_format_1_has_no_validation_set_and_a_new_run_of_its_configuration_has(tmp_path: Path) -> None:
    assert migration.run_config(OLD)["data"]["validation"] == 0
    assert migration.run_config({"data": {"validation": 0.1}})["data"]["validation"] == 0.1
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["best-cpu"]))
    table = read_table(tmp_path / "config.json")
    assert "validation" not in table["data"]
    assert table["task"]["condition"] == {"name": "labels-if-any"}


def test_a_user_s_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[optimiser]\nschedule = { course = "linear" }\n[rhythm]\nlog = 7\n')
    assert read_table(tmp_path / "mine.toml") == {
        "optimizer": {"schedule": {"shape": "linear"}}, "intervals": {"log": 7},
    }  # fmt: skip


def test_a_model_s_folder() -> None:
    shape = {"channels": 1, "height": 8, "width": 8, "classes": 10, "attributes": 0}
    facts = {"preset": "textbook", "average": True}
    found = migration.model({"format": 1, "task": {"name": "generate", "turns": 2}, "shape": shape, "facts": facts})
    assert found["spec"] == {"name": "images", **shape}
    assert found["facts"] == {"preset": "textbook", "ema": True}
    assert found["task"] == {"name": "generate", "n_critic": 2}
    assert migration.model(found) == found


def test_the_state_s_window() -> None:
    window = {"d_loss": [1.0, 2], "g_loss": [2.0, 2], "logit_real": [3.0, 2], "d_lecam": [4.0, 2], "d_aux": [5.0, 2]}
    found = migration.state({"step": 3, "optimiser": {"G": {"step": 3.0}}, "window": window})
    assert found["optimizer"] == {"G": {"step": 3.0}}
    assert found["window"] == {
        "loss/D": [1.0, 2], "loss/G": [2.0, 2], "logit/D/real": [3.0, 2], "penalty/D/lecam": [4.0, 2],
        "auxiliary/D": [5.0, 2],
    }  # fmt: skip
    assert migration.state(found) == found


def test_a_line_of_the_journal_keeps_the_columns_of_scripts() -> None:
    old = {
        "step": 3,
        "d_loss": 1,
        "g_loss": 2,
        "d_grad": 3,
        "g_update": 4,
        "logit_fake": 5,
        "d_r1": 6,
        "g_aux": 7,
        "g_zcr": 8,
    }
    new = {
        "step": 3, "d_loss": 1, "g_loss": 2, "loss/D": 1, "loss/G": 2, "grad/D": 3, "update/G": 4, "logit/D/fake": 5,
        "penalty/D/r1": 6, "auxiliary/G": 7, "penalty/G/zcr": 8,
    }  # fmt: skip
    assert migration.line(old) == new
    assert migration.line(new) == new


def test_a_line_of_the_monitor() -> None:
    old = {"real": 1, "apart": 2, "overfit": 3, "spread": 4, "d_update": 5, "warned": ["overfitting", "collapse"]}
    new = {
        "real/D": 1, "apart/D": 2, "overfit/D": 3, "spread": 4, "update/D": 5, "warned": ["overfitting of D", "collapse"],
    }  # fmt: skip
    assert migration.line(old) == new
    assert migration.line(new) == new
    assert migration.line({"over": ["no gradient", "rate of D"]}) == {"over": ["no gradient of G", "rate of D"]}
    assert migration.line({"warned": "x", "over": [[]]}) == {"warned": "x", "over": [[]]}
