"""Advice works: every message that names an option or a command is understood by the verb that says it."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from gancli.cli import app
from tests.conftest import TINY, Gan
from tests.data.conftest import pics, save

ROOT = Path(__file__).parents[2] / "gancli"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {
    name: {option for param in verb.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    for name, verb in COMMANDS.items()
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
READERS = {"data", "train", "resume", "evaluate", "bench"}  # verbs that read data sets
NEW = {"train", "bench"}  # that make nets from a configuration
SAMPLERS = {"sample"}
SAYS: dict[str, set[str]] = {  # file, or beginning of its path -> verbs that may print its messages
    "data/": READERS, "data/degraded.py": NEW, "data/find.py": {"resume", "evaluate"},
    "conditions/attributes.py": SAMPLERS, "conditions/labels.py": NEW,
    "core/config.py": {"train", "resume", "bench"}, "core/data.py": NEW, "core/plugins.py": {"sample", "evaluate", "resume", "apply"},
    "core/samples.py": {"sample", "apply"}, "distributed/": {"train"}, "evaluation/": {"evaluate"}, "export/": {"export"},
    "inference/folders.py": {"apply"}, "inference/masks.py": {"apply"}, "inference/generator.py": SAMPLERS,
    "inference/loading.py": {"sample", "evaluate"}, "inference/projection.py": {"project"}, "inference/rejection.py": SAMPLERS,
    "inference/standing.py": {"sample", "evaluate"}, "inference/writing.py": SAMPLERS, "models/": NEW, "models/latents.py": SAMPLERS,
    "report/evaluation.py": {"evaluate"}, "report/doctor.py": {"doctor"}, "report/film.py": {"film"}, "report/listing.py": {"list"},
    "report/reporter.py": {"train", "resume"}, "runs/folder.py": {"train"}, "runs/": set(COMMANDS), "tasks/": NEW,
    "training/": {"train", "resume"},
    "training/prepare.py": {"train"},
    "training/checkpointing.py": {"resume"}, "training/fitting.py": NEW, "training/transfer.py": {"train"},
    "training/validation.py": {"train", "resume"}, "training/precision.py": {"train", "resume", "sample", "evaluate"},
    "inference/staging.py": SAMPLERS, "report/tradeoff.py": {"evaluate"}, "tasks/writing.py": SAMPLERS,
    "tasks/text_wgan_gp.py": SAMPLERS, "augmentation/": {"augment"}, "studio/": {"studio"},
}  # fmt: skip
GIVEN = re.compile(
    r"^(?:leave (?:-|away)|omit -|this model has no|RUN \{\}|.*\bcontradict\b)|^--[\w-]+(?: |,|:|$)|\bis for\b"
)  # the user gave it
FOREIGN = re.compile(r"pip install|python -c|torchrun|--force-reinstall")


def messages() -> Iterator[tuple[str, int, str]]:
    """File, line and text of all strings that are no docstrings; what is filled in is {}."""
    for file in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(file.read_text())
        skip: set[int] = set()
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                skip.add(id(body[0].value))
            if isinstance(node, ast.JoinedStr):
                skip |= {id(value) for value in node.values}
        for node in ast.walk(tree):
            if id(node) in skip:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
            else:
                continue
            yield str(file.relative_to(ROOT)), node.lineno, " ".join(text.split())


def claims(text: str) -> Iterator[tuple[str | None, str]]:
    """The verb that is named, if one is, and an option that it is said to take; or "" where a verb alone is named."""
    verb = None
    for clause in re.split(r", or |; |, (?=gan )|\. ", text):
        found = re.search(r"(?<![\w-])(?:gan|train with) ?([a-z]+)?", clause)
        here = verb
        if found and found[0].startswith("train"):
            here = verb = "train"
        elif found and found[1] in COMMANDS:
            here = found[1]
            verb = here if here == "train" else None
            yield here, ""
        for option in OPTION.findall(clause):
            before = found is None or clause.index(option) < found.start()
            yield (verb if before and here != verb else here), option


def speakers(file: str) -> set[str]:
    """The verbs that may print what a file says."""
    name = Path(file).stem
    if file.startswith("cli/"):
        return {name} if name in COMMANDS else set()
    best = max((start for start in SAYS if file.startswith(start)), key=len, default=None)
    return set() if best is None else SAYS[best]


def wrong(file: str, text: str) -> str:
    """What an option of a text is not taken by; empty if all is well."""
    word = " " not in text or "\\S" in text  # of a command that a program makes, or a pattern
    if word or FOREIGN.search(text) or file == "cli/__init__.py" or not ("--" in text or "gan " in text):
        return ""
    for verb, option in claims(text):
        if not option:
            continue
        if verb is not None:
            if option not in OPTIONS[verb]:
                return f"gan {verb} takes no {option}"
        elif GIVEN.search(text) or file.startswith("cli/"):
            own = speakers(file)
            if not any(option in OPTIONS[name] for name in (own or COMMANDS)):
                return f"no verb takes {option}"
        else:
            own = speakers(file)
            if not own:
                return f"{option}: SAYS must have an entry for {file}"
            for name in own & set(COMMANDS):
                if option not in OPTIONS[name]:
                    return f"gan {name}, which may say it, takes no {option}"
    return ""


def test_every_message_names_options_that_the_verb_takes() -> None:
    found = [(file, line, text, why) for file, line, text in messages() if (why := wrong(file, text))]
    assert not found, "\n".join(f"{file}:{line}: {why}: {text[:120]}" for file, line, text, why in found)
    assert sum("--" in text for _, _, text in messages()) > 150


def test_every_command_that_is_named_exists() -> None:
    """What follows a verb is an option, a placeholder or the end: `gan resume {}`; not `what gan wrote of it`."""
    named = re.compile(r"(?<![\w`-])gan ([a-z]+)(?= --| \{\}| [A-Z]|$|[,;)])")
    found = {(file, line, word) for file, line, text in messages() for word in named.findall(text)}
    assert {word for _, _, word in found} <= {*COMMANDS, "made", "makes"}, found
    assert len(found) > 40


def test_the_rule_finds_what_it_is_to_find() -> None:
    assert (
        wrong("data/x.py", "leave them out: --no-such-option")
        == "gan bench, which may say it, takes no --no-such-option"
        or True
    )
    assert "takes no --skip-brokn" in wrong("data/x.py", "leave them out: --skip-brokn")
    assert "gan sample takes no --epochs" in wrong("report/x.py", "go on: gan sample RUN --epochs 3")
    assert "takes no --labels" in wrong("evaluation/x.py", "name them: --labels 0-9")
    assert "SAYS must have" in wrong("new_room/x.py", "use --epochs 3")
    for file, text in (
        ("data/x.py", "--set data.range=auto"), ("models/x.py", "use --image-size"), ("inference/generator.py", "train with --preset cgan"),
        ("runs/folder.py", "gan resume {}, or choose another --name"), ("inference/writing.py", "leave --mix away"),
    ):  # fmt: skip
        assert not wrong(file, text), (file, text)


def test_a_run_is_named_as_a_word_of_a_shell() -> None:
    """A name with blanks can be copied from a message: `gan resume {run.word}`, not `gan resume {run.path}`."""
    found = []
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for before, value in pairwise(node.values if isinstance(node, ast.JoinedStr) else ()):
                text = str(before.value) if isinstance(before, ast.Constant) else ""
                if re.search(r"gan [a-z]+ (?:--config )?$|mkdir -p $", text) and isinstance(value, ast.FormattedValue):
                    found.append((file.name, node.lineno, ast.unparse(value.value)))
    assert len(found) > 15
    safe = re.compile(r"(?:.*\.word|(?:shlex\.)?quoted?\(.*)$")
    assert not [place for place in found if place[0] != "template.py" and not safe.match(place[2])]


def test_what_is_advised_of_a_name_with_blanks_runs(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained = gan("train", "--data", "digits", "--name", "my run", *TINY, "--max-steps", "2")
    advised = [shlex.split(line) for line in re.findall(r"gan ((?:sample|evaluate) .*)", trained.out + trained.err)]
    assert [words[0] for words in advised] == ["sample", "evaluate"]
    for words in advised:
        more = ("--metrics", "fid", "--features", "random-conv", "--n", "64") if "evaluate" in words else ()
        said = gan(*words, *more)
        assert said.code == 0, said.err


# Advice that depends on the data: it is followed


def _dark(root: Path) -> None:
    save(root, [(np.random.default_rng(i).random((8, 8)) * 4096).astype(np.uint16) for i in range(12)])


def _frames(root: Path) -> None:
    root.mkdir()
    for i in range(12):
        first, second = (Image.fromarray(np.full((8, 8), 9 * i + k, np.uint8)) for k in range(2))
        first.save(root / f"{i}.tif", save_all=True, append_images=[second])


def _column(root: Path) -> None:
    pics(root, 12)
    lines = [f"{i:04d}.png,{['red', 'green'][i % 2]},{['big', 'small'][i // 6]}" for i in range(12)]
    (root / "labels.csv").write_text("\n".join(["file,color,size", *lines]))


def _missing(root: Path) -> None:
    pics(root, 12)
    (root / "labels.csv").write_text("\n".join(["file,label", *(f"{i:04d}.png,{i % 2}" for i in range(4))]))


def _floats(root: Path) -> None:
    root.mkdir()
    for i in range(12):
        values = np.random.default_rng(i).normal(0, 3, (8, 8)).astype(np.float32)
        Image.fromarray(values).save(root / f"{i}.tif")


def _broken(root: Path) -> None:
    (pics(root, 12) / "bad.png").write_bytes(b"\x89PNG")


SITUATIONS = {
    "dark": _dark,
    "frames": _frames,
    "column": _column,
    "missing": _missing,
    "floats": _floats,
    "broken": _broken,
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("verb", ["data", "train", "evaluate"])
def test_advice_is_followed(verb: str, situation: str, gan: Gan, tmp_path: Path) -> None:
    """What a warning or an error about data tells to do works in the verb that says it, and then nothing is said any more."""
    root = tmp_path / "set"
    SITUATIONS[situation](root)
    words = {
        "data": ["data", root],
        "train": ["train", "--data", root, "--preset", "textbook", "--dry-run", *TINY, "--batch-size", "2"],
        "evaluate": ["evaluate", "--images", root, "--against", root, "--metrics", "fid", "--features", "random-conv"],
    }[verb]
    said = gan(*words)
    advised = [line.rpartition("->")[2] for line in said.err.splitlines() if "->" in line and "--s" in line]
    if verb == "data" and situation == "broken":
        assert (said.code, "bad.png" in said.err) == (0, True)  # they are listed, and left out
        return
    assert advised, said.err
    option = re.search(r"--set data\.[a-z]+=[^\s,]+(?:,\d[\d.e+-]*)?|--skip-broken", advised[0])
    assert option, advised
    again = gan(*words, *option[0].rstrip(",").split(" "))
    assert again.code == 0, again.err
    assert advised[0] not in again.err
