"""`gan init`: a file that changes nothing until a setting is uncommented, and in which every setting is valid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gancli.core.config import presets, read_preset, resolve
from gancli.report.template import PLACEHOLDER, template
from tests.conftest import Gan

SMALL = ["--set", "task.model.g_width=4", "--set", "task.model.d_width=4"]
SETTING = re.compile(r"^#(?=[a-z_]+[\w.]* = )", re.M)


def test_a_preset_that_depends_on_the_data_says_so() -> None:
    assert "# channels_above 1: preset fastgan, optimizer.lr 0.0005\n" in template("best", "mine.toml", {})
    assert "depends on the data" not in template("fastgan", "mine.toml", {}).split("preset =")[0].split("also where")[0]


@pytest.mark.parametrize("preset", presets())
def test_every_setting_is_that_of_the_preset(preset: str) -> None:
    text = template(preset, "x.toml", {})
    assert tomllib.loads(text) == {"preset": preset}
    everything = tomllib.loads(SETTING.sub("", text))
    base = read_preset(preset)
    expected = resolve(PLACEHOLDER, base, {"preset": preset})
    assert resolve(PLACEHOLDER, base, everything) == expected
    assert resolve(everything) == expected  # nothing is missing
    assert max(map(len, text.splitlines())) < 400


def test_a_file_that_is_edited(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = gan("init", "mine.toml", "--preset", "lsgan", "--set", "task.loss=hinge", "--set", "seed=5")
    assert said.code == 0, said.err
    text = Path("mine.toml").read_text()
    assert {line for line in text.splitlines() if line and line[0] != "#"} == {
        'preset = "lsgan"', 'task.loss.name = "hinge"', "seed = 5",
    }  # fmt: skip
    assert "# negative slope of D's leaky ReLU (float >= 0)" in text
    Path("mine.toml").write_text(text.replace("#batch_size = ", "batch_size = 16 # "))
    said = gan("train", "--config", "mine.toml", "--data", "digits", "--dry-run", "--json", *SMALL)
    assert said.code == 0, said.err
    cfg = said.json()["config"]
    assert (cfg["preset"], cfg["batch_size"], cfg["seed"], cfg["task"]["loss"]["name"]) == ("lsgan", 16, 5, "hinge")


def test_refusals(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gan.toml").write_text("mine")
    for words, why in (
        ([], "gan.toml exists"),
        (["x.toml", "--preset", "dcgn"], "did you mean dcgan"),
        (["x.toml", "--set", "task.los=hinge"], "loss"),
        (["no/x.toml"], "mkdir -p no"),
    ):
        said = gan("init", *words)
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert why in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["gan.toml"]
    assert Path("gan.toml").read_text() == "mine"
    assert gan("init", "-", "--preset", "dcgan").out.startswith("# dcgan: ")
