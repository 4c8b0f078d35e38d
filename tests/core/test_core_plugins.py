"""Plug-ins: recorded with their hash, named where they are missing, refused in a line where they are no parts."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gancli.core.plugins import changed, missing
from tests.conftest import TINY, Gan

MARGIN = '''"""A loss."""
from gancli.losses.hinge import Hinge


class Margin(Hinge):
    """An own loss."""

    name = "margin_of_plugins"
'''


def elsewhere(code: str) -> subprocess.CompletedProcess[str]:
    """Code in a process that knows no plug-in."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)


def test_a_run_records_its_plugin_and_names_it(gan: Gan, tmp_path: Path) -> None:
    file = tmp_path / "my margin.py"
    file.write_text(MARGIN)
    words = ["train", "--data", "digits", "--plugin", file, "--loss", "margin_of_plugins", "--max-steps", "2"]
    assert gan(*words, "--name", "m", *TINY).code == 0
    run = tmp_path / "runs_dir/m"
    record = [{"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}]
    assert json.loads((run / "environment.json").read_text())["plugins"] == record
    assert json.loads((run / "model/config.json").read_text())["facts"]["plugins"] == record
    lines = [f"import gancli\nfor path in {[str(run), str(run / 'model')]}:"]
    lines += ["    try:\n        gancli.load(path)\n    except Exception as error:\n        print(error)"]
    lines += [f"gancli.load({str(run)!r}, plugins=[{str(file)!r}])", "print('loaded')"]
    lines += ["from gancli.runs.folder import Run", "from pathlib import Path"]
    done = elsewhere("\n".join(lines))
    said = done.stdout.splitlines()
    assert said[-1] == "loaded", done.stderr
    assert len(said) == 3
    for line in said[:2]:
        assert "no loss 'margin_of_plugins'" in line
        assert "--plugin 'my margin.py'" in line
        assert "did you mean" not in line


def test_a_resume_without_its_plugin_names_it(gan: Gan, tmp_path: Path) -> None:
    file = tmp_path / "margin.py"
    file.write_text(MARGIN.replace("margin_of_plugins", "margin_of_resume"))
    words = ["train", "--data", "digits", "--plugin", file, "--loss", "margin_of_resume", "--max-steps", "2"]
    assert gan(*words, "--name", "m", *TINY).code == 0
    code = f"from gancli.runs.folder import Run\nfrom pathlib import Path\nRun(Path({str(tmp_path / 'runs_dir/m')!r})).config()"
    done = elsewhere(code)
    assert "--plugin margin.py" in done.stderr.splitlines()[-1]


def test_a_run_without_plugins_records_none(run: Path) -> None:
    assert "plugins" not in json.loads((run / "environment.json").read_text())
    assert "plugins" not in json.loads((run / "model/config.json").read_text())["facts"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch\nclass Net(torch.nn.Module):\n    name = 'net'\n", "Net is no part: it is a subclass of Module"),
        (
            "from gancli.core.nets import Model\nclass M(Model):\n    name = 'half'\n",
            "M lacks discriminator, generator",
        ),
        ("import no_such_module\n", "cannot be imported: ModuleNotFoundError"),
        (
            "from gancli.losses.hinge import Hinge\nclass B(Hinge):\n    name = 'b'\n    margin = 2.0\n",
            "cannot be imported",
        ),
    ],
)
def test_what_is_no_part_is_refused_in_a_line(gan: Gan, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "own.py").write_text(text)
    found = gan("list", "model", "--plugin", tmp_path / "own.py")
    assert (found.code, len(found.err.splitlines())) == (2, 1), found.err
    assert said in found.err


def test_a_part_of_another_kind_is_named(gan: Gan) -> None:
    assert "'hinge' is a loss" in gan("train", "--data", "digits", "--model", "hinge", "--dry-run").err


@pytest.mark.parametrize("records", [None, "x", [1], [{"file": 1}], {"file": "a"}])
def test_damaged_records_are_ignored(records: object) -> None:
    assert missing(records) == ""
    assert changed(records) == []


def test_a_changed_plugin_is_told(gan: Gan, tmp_path: Path) -> None:
    file = tmp_path / "margin_c.py"
    file.write_text(MARGIN.replace("margin_of_plugins", "margin_of_change"))
    gan("list", "loss", "--plugin", file)
    assert changed([{"file": "margin_c.py", "sha256": "0" * 64}]) == [
        "the plug-in margin_c.py has changed since the model was trained with it"
    ]
