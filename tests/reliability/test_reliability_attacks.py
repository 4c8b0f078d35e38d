"""Run folders of strangers: some of the attacks of tests/soak/attacks.py. Nothing may act, hang, flood or change what is not the run's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from attacks import Arena
from malice import ESCAPES, attacks

from gancli.core.errors import CheckpointError
from gancli.inference.loading import load
from gancli.runs import folder

pytestmark = pytest.mark.timeout(900)

EVERY = {attack.name: attack for attack in attacks()}
SOME = (
    "link as .lock", "link to a folder as samples", "link as curves.png", "dangling link as .config.json.tmp", "pipe as history.jsonl",
    "pipe as log.txt", "link as model/README.md", "dangling link as status.json",
    "pipe as metrics.jsonl", "pipe as .lock", "link to a device as history.jsonl", "hole as metrics.jsonl",
    "hard link as log.txt", "link to a folder as checkpoints", "folders that look like old checkpoints",
    "a command as the name of a file", "infinite in checkpoints/000020/timings.json", "deep is history.jsonl",
    "surrogate in config.json", "texts lines in monitor.jsonl", "wide lines in metrics.jsonl",
    "dollars lines in metrics.jsonl", "escapes in config.json", "list is evaluation.json",
    "nets of 400 million parameters", "many options in config.json", "9000 pixels in a preview",
)  # fmt: skip


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return Arena(tmp_path_factory.mktemp("arena"))


def test_there_are_many_attacks() -> None:
    assert len(EVERY) > 400


@pytest.mark.parametrize("name", SOME)
def test_an_attack(arena: Arena, name: str) -> None:
    others = arena.verbs()[:-1]
    verb = (
        "compare" if "evaluation" in name else "film" if "preview" in name else others[SOME.index(name) % len(others)]
    )
    verbs = ("resume", verb)
    assert not list(arena.trial(EVERY[name], verbs=verbs))


@pytest.mark.parametrize("file", ["curves.png", "evaluation.png", "model/README.md"])
def test_the_studio_shows_no_file_of_another_name(arena: Arena, file: str) -> None:
    assert not list(arena.trial(EVERY[f"hard link as {file}"], verbs=("studio",)))


@pytest.mark.parametrize(
    "name", ["curves.png", "log.txt", ".lock", "checkpoints", "model/README.md", "samples/000010.png"]
)
def test_every_command_names_the_link(arena: Arena, name: str) -> None:
    kind = "link to a folder" if name == "checkpoints" else "link"
    arena.lay(EVERY[f"{kind} as {name}"])
    with pytest.raises(CheckpointError) as refused:
        folder.find(arena.run.parent, arena.run.name)
    assert f"{arena.run / name} is a link" in str(refused.value)
    with pytest.raises(CheckpointError, match="is a link"):
        load(arena.run)


def test_every_command_ends_with_a_line_that_names_the_file(arena: Arena) -> None:
    arena.lay(EVERY["link to shell as log.txt"])
    for verb in arena.verbs():
        done = arena.command(verb, arena.run)
        if verb != "studio":  # which shows the run without it
            assert "evil/log.txt is a link" in done.text, (verb, done.text)
        assert done.code == (0 if verb in ("list", "studio") else 4), (verb, done.text)
        assert (arena.victim / "bashrc").read_text() == "# shell\n"


def test_what_a_folder_says_is_printed_without_control_characters(arena: Arena) -> None:
    arena.lay(EVERY["escapes in config.json"])
    (arena.run / "evaluation.json").write_text(f'{{"{ESCAPES!r}": 1}}')
    for verb in ("doctor", "list"):
        text = arena.command(verb, arena.run).text
        assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_link_that_the_user_made_is_followed_at_the_top(arena: Arena, tmp_path: Path) -> None:
    arena.lay()
    (tmp_path / "runs").symlink_to(arena.run.parent)
    (tmp_path / "mine").symlink_to(arena.run)
    assert folder.find(tmp_path / "runs", arena.run.name).config()
    assert load(tmp_path / "mine").tick.step == 20
    assert arena.command("resume", tmp_path / "mine").code == 0
    assert (arena.run / "checkpoints" / "000030").is_dir()


def test_pruning_keeps_what_no_manifest_names(arena: Arena) -> None:
    arena.lay()
    for name in ("000004", "000005"):
        (arena.run / "checkpoints" / name).mkdir()
        (arena.run / "checkpoints" / name / "notes.txt").write_text("mine")
    (arena.run / "checkpoints" / "000006").mkdir()
    os.link(arena.run / "config.json", arena.run / "checkpoints/000006/state.json")
    assert arena.command("resume", arena.run).code == 0
    left = sorted(p.name for p in (arena.run / "checkpoints").iterdir())
    assert left == ["000004", "000005", "000020", "000030"]
