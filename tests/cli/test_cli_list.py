"""`gan list`, and the help: parts, presets and runs, readable on 80 columns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gancli.core.registry import parts
from tests.conftest import TINY, Gan


def evaluated(run: Path, fid: float, step: int) -> None:
    scores = {"precision@digits-v1": {"value": 0.5, "meaning": ""}, "fid@digits-v1": {"value": fid, "meaning": ""}}
    (run / "evaluation.json").write_text(json.dumps({"scores": scores, "protocol": {"fakes": {"step": step}}}))


def test_runs_newest_first_with_their_state_and_headline_score(gan: Gan, run: Path) -> None:
    evaluated(run, 12.345, 10)
    assert gan("train", "--data", "digits", "--name", "later", "--max-steps", "3", *TINY).code == 0
    os.utime(run / "config.json", (1e9, 1e9))
    said = gan("list", "runs")
    assert said.code == 0, said.err
    head, *rows = [line.split() for line in said.out.splitlines()]
    assert head == ["run", "data", "preset", "state", "step", "images", "fid", "at", "step"]
    assert rows == [
        ["later", "digits", "textbook", "finished:", "steps", "3", "96", "-", "-"],
        ["small", "digits", "textbook", "finished:", "steps", "20", "640", "12.35", "10"],
    ]
    found = gan("list", "runs", "--json").json()["runs"]
    assert list(found) == ["later", "small"]
    small = found["small"]
    assert (small["score"], small["value"], small["score_step"], small["images"]) == ("fid", 12.345, 10, 640)
    assert (small["state"], small["reason"]) == ("finished", "steps")
    assert list(gan("list", "runs", "small", "--json").json()["runs"]) == ["small"]


def test_a_broken_run_is_shown_with_its_reason(gan: Gan, run: Path) -> None:
    for name, text in (("torn", "{"), ("foreign", '{"a": 1}'), ("list", "[]")):
        (run.parent / name).mkdir()
        (run.parent / name / "config.json").write_text(text)
    (run / "evaluation.json").write_text("[]")
    said = gan("list", "runs")
    assert said.code == 0, said.err
    assert "small" in said.out
    assert "warning: torn: " in said.err
    assert "is damaged" in said.err
    assert "foreign: config.json is not that of a run" in said.err
    assert gan("list", "runs", "--json").json()["runs"]["foreign"]["broken"]


def test_no_runs_name_the_remedy(gan: Gan) -> None:
    said = gan("list", "runs")
    assert (said.code, said.out) == (0, "")
    assert "gan train" in said.err
    assert len(said.err.splitlines()) == 1
    assert gan("list", "runs", "--json").json() == {"runs": {}}


def test_a_part_is_told_before_its_options(gan: Gan) -> None:
    lines = gan("list", "penalty", "r1").out.splitlines()
    assert lines[0] == "penalty r1"
    assert lines[1].startswith("R1 (1801.04406")
    assert lines[2] == "paper: arXiv 1801.04406"
    assert lines[4].split() == ["option", "type", "default", "meaning"]
    assert next(line for line in lines if line.startswith("final")).split()[1:7] == [
        "float",
        ">=",
        "0",
        "|",
        "none",
        "-",
    ]
    assert """set by gan train --set 'task.penalties=[{ name = "r1", OPTION = VALUE }]'""" in lines[-2:]
    assert "It has no options." in gan("list", "loss", "hinge").out
    assert "required" in gan("list", "data", "folder").out
    assert "batch | instance | layer" in gan("list", "model", "dcgan").out
    assert "wasserstein" in gan("list", "preset", "wgan").out
    best = gan("list", "preset", "best").out
    assert "channels_above 1: preset fastgan, optimizer.lr 0.0005\notherwise: preset best-cpu\n" in best
    assert "otherwise" not in gan("list", "preset", "wgan").out


@pytest.mark.parametrize("words", [[], ["model", "resnet"], ["optimizer", "adam"], ["preset", "stylegan2"]])
def test_tables_fit_80_columns_and_are_wrapped_at_words(
    gan: Gan, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = set(gan("list", *words).out.split())
    monkeypatch.setenv("COLUMNS", "80")
    narrow = gan("list", *words).out
    prose = 3 if len(words) > 1 else 0  # lines that are no table; without a terminal they are not wrapped
    assert max(map(len, narrow.splitlines()[prose:])) <= 80
    assert set(narrow.split()) == whole
    assert "`folder`: " not in narrow


@pytest.mark.parametrize("words", [[], ["train"], ["evaluate"], ["list"]])
def test_help_names_the_variables_once(gan: Gan, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = gan(*words, "--help")
    assert said.code == 0
    assert "env var" not in said.out
    assert "GAN_VERSION" not in said.out
    assert said.out.count("GAN_TRAIN_EPOCHS=20") == (words == ["train"])
    assert said.out.count("Each option is also an environment variable") == len(words)


def test_an_error_is_wrapped_at_words_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli import cli

    text = "error: " + "remarkable " * 20
    monkeypatch.setenv("COLUMNS", "80")
    assert cli._wrapped(text) == text
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    lines = cli._wrapped(text).splitlines()
    assert max(map(len, lines)) <= 80
    assert {word for line in lines for word in line.split()} == {"error:", "remarkable"}


def test_every_configuration_key_is_listed(gan: Gan, monkeypatch: pytest.MonkeyPatch) -> None:
    found = gan("list", "config", "--json").json()["config"]
    assert found["stop.until"]["description"]
    assert found["ema.half_life"] == {
        "type": "int >= 0", "default": 20_000, "required": False, "description": "half-life in images; 0: no EMA",
    }  # fmt: skip
    lines = gan("list", "config", "intervals").out.splitlines()
    assert lines[0].split() == ["intervals", "type", "default", "meaning"]
    assert {line.split()[0] for line in lines[1:] if line} == {key for key in found if key.startswith("intervals.")}
    assert [line.split()[0] for line in gan("list", "config", "optimizer.schedule.shape").out.splitlines() if line][
        1:
    ] == ["optimizer.schedule.shape"]
    said = gan("list", "config", "interval")
    assert (said.code, "did you mean intervals" in said.err) == (2, True)
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, gan("list", "config").out.splitlines())) <= 80


def test_the_schema_is_printed(gan: Gan, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        'from gancli.losses.hinge import Hinge\nclass Own(Hinge):\n    """An own loss."""\n    name = "own_of_list"\n'
    )
    said = gan("list", "--schema", "--plugin", tmp_path / "own.py")
    assert said.code == 0, said.err
    assert said.json()["$defs"]["loss.own_of_list"]["description"] == "An own loss."
    said = gan("list", "loss", "--schema")
    assert (said.code, "leave loss out" in said.err) == (2, True)


def test_without_a_verb_the_help_is_all(gan: Gan) -> None:
    said = gan()
    assert (said.code, said.err) == (2, "")
    assert "train" in said.out


def test_options_set_keys_that_there_are(gan: Gan) -> None:
    from gancli.cli import groups

    known = gan("list", "config", "--json").json()["config"]
    paths = [key.path for group in (groups.DataOptions, groups.RecipeOptions, groups.LengthOptions, groups.RuntimeOptions)
             for key in groups.keys(group).values()]  # fmt: skip
    assert len(paths) >= 18
    for path in set(paths) - set(known):  # an option of the parts of a kind
        key, _, option = path.rpartition(".")
        kind = {"data.source": "data"}.get(key, key)
        assert any(option in cls.model_fields for cls in parts(kind).values()), path
