"""Layers, refusals, and what differs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gancli.core.cases import chosen
from gancli.core.config import differences, merge, nest, parse_set, presets, read_preset, read_table, resolve
from gancli.core.errors import UsageError

BASE = {"data": {"source": "digits"}}


def test_later_layers_win_table_by_table() -> None:
    a = {"stop": {"epochs": 1, "max_steps": 5}, "seed": 1}
    assert merge([a, {"stop": {"epochs": 2}}]) == {"stop": {"epochs": 2, "max_steps": 5}, "seed": 1}


def test_epochs_take_the_place_of_images() -> None:
    images, epochs = {"stop": {"images": 640}}, {"stop": {"epochs": 2}}
    assert resolve(BASE, images, epochs).stop.total(1000) == 2000
    assert resolve(BASE, epochs, images).stop.total(1000) == 640
    assert resolve(merge([resolve(BASE, images).dump(), epochs])).stop.total(1000) == 2000


def test_the_end_is_expected_by_whatever_comes_first() -> None:
    def expected(images: int, step: int, seconds: float, **stop: float) -> int:
        return resolve(BASE, {"stop": {"epochs": 1, **stop}}).stop.expected(1000, images, step, seconds)

    assert expected(0, 0, 0.0, max_steps=5, max_minutes=1) == 1000
    assert expected(20, 2, 1.0, max_steps=5) == 50
    assert expected(200, 2, 30.0, max_minutes=1) == 400
    assert expected(300, 2, 30.0, max_steps=1) == 300


def test_another_part_starts_afresh_and_the_same_keeps_its_options() -> None:
    a = {"optimizer": {"name": "adam", "lr": 1.0}}
    assert merge([a, {"optimizer": {"name": "sgd"}}])["optimizer"] == {"name": "sgd"}
    assert merge([a, {"optimizer": "sgd"}])["optimizer"] == "sgd"
    assert merge([a, {"optimizer": "adam"}])["optimizer"] == {"name": "adam", "lr": 1.0}
    assert merge([a, {"optimizer": {"lr": 2.0}}])["optimizer"] == {"name": "adam", "lr": 2.0}
    assert merge([{"loss": "hinge"}, {"loss": {"margin": 2}}])["loss"] == {"name": "hinge", "margin": 2}


def test_a_nets_own_optimizer_has_the_rest_from_the_common_one() -> None:
    common = {"optimizer": {"name": "adam", "lr": 1e-4, "betas": [0.0, 0.9]}}
    own = resolve(BASE, common, {"optimizers": {"D": {"lr": 4e-4}}}).optimizer_of("D")
    assert own == resolve(BASE, {"optimizer": {"name": "adam", "lr": 4e-4, "betas": [0.0, 0.9]}}).optimizer
    other = resolve(BASE, common, {"optimizers": {"D": {"name": "sgd"}}}).optimizer_of("D")
    assert other == resolve(BASE, {"optimizer": "sgd"}).optimizer
    assert resolve(BASE, common, {"optimizers": {"D": "adam"}}).optimizer_of("D") == resolve(BASE, common).optimizer
    for wrong in ({"D": 3}, 3):
        with pytest.raises(UsageError, match="optimizer"):
            resolve(BASE, {"optimizers": wrong})


def test_set_reads_toml_and_else_text() -> None:
    assert parse_set("a.b=3") == {"a": {"b": 3}}
    assert parse_set("a=[1, 2]") == {"a": [1, 2]}
    assert parse_set("a=hinge") == {"a": "hinge"}
    assert parse_set('u="fid<8"') == {"u": "fid<8"}
    assert nest("x.y.z", 1) == {"x": {"y": {"z": 1}}}
    for wrong in ("a", "=3", "a..b=1"):
        with pytest.raises(UsageError, match=r"a\.b=value"):
            parse_set(wrong)


def test_unknown_keys_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="batch_size"):
        resolve(BASE, {"batchsize": 3})
    with pytest.raises(UsageError, match="did you mean textbook"):
        read_preset("textbok")


def test_a_dump_resolves_to_itself() -> None:
    cfg = resolve(BASE, {"task": {"model": {"name": "mlp", "z": 7}}, "optimizers": {"G": {"name": "sgd"}}})
    assert resolve(cfg.dump()) == cfg
    assert resolve(cfg.dump()).dump() == cfg.dump()
    assert cfg.optimizer_of("G").name == "sgd"
    assert cfg.optimizer_of("D").name == "adam"


def test_a_configuration_is_frozen() -> None:
    cfg = resolve(BASE)
    with pytest.raises(ValueError, match="frozen"):
        cfg.seed = 3  # type: ignore[misc]


def test_differences_are_by_key() -> None:
    assert differences(resolve(BASE), resolve(BASE, {"seed": 3})) == {"seed": (0, 3)}


@pytest.mark.parametrize("name", presets())
def test_presets_resolve(name: str) -> None:
    text = presets()[name].read_text()
    assert text.startswith(f"# {name}: "), "the first line says what it is, for gan list"
    resolve(BASE, read_preset(name))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "device", "hole", "folder"])
def test_a_config_that_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 10 << 30)
    with pytest.raises(UsageError, match="config file"):
        read_table(path)


CASES = [
    {"when": {"side_above": 64, "images_below": 1000}, "preset": "a", "batch_size": 4},
    {"when": {"channels": 3}, "preset": "b"},
    {"preset": "c"},
]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"side": 128, "images": 999, "channels": 3}, "a"), ({"side": 64, "images": 999, "channels": 3}, "b"),
        ({"side": 128, "images": 1000, "channels": 1}, "c"), ({}, "c"),
    ],
)  # fmt: skip
def test_the_first_case_that_holds_is_chosen(facts: dict[str, float], name: str) -> None:
    assert chosen(CASES, facts) == (name, {"batch_size": 4} if name == "a" else {})


def test_best_is_chosen_for_the_data() -> None:
    few, grey = {"channels": 3, "images": 500, "side": 64}, {"channels": 1, "images": 500, "side": 28}
    assert read_preset("best", 10, grey) == read_preset("best-cpu", 10)
    assert read_preset("best", 0, few)["task"]["augment"][0]["name"] == "diffaugment"
    assert read_preset("best", 0, few)["task"]["condition"] == "none"
    assert "case" not in read_preset("best")


def test_a_case_without_a_preset_changes_keys_of_its_own_preset() -> None:
    tiny, mnist = {"images": 1438, "side": 8, "channels": 1}, {"images": 57_000, "side": 28, "channels": 1}
    plain, fitted = read_preset("textbook", 10), read_preset("textbook", 10, tiny)
    assert read_preset("textbook", 10, mnist) == plain
    assert "case" not in plain
    assert fitted["task"]["model"] == {**plain["task"]["model"], "initialization": "he"}
    assert fitted["optimizer"]["betas"] == [0.0, 0.99]
    assert fitted["batch_size"] == plain["batch_size"]
