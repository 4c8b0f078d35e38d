"""Completion of runs, presets, parts and classes, without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Gan


def completed(words: str) -> list[str]:
    """What the shell is offered for the last word."""
    code = (
        "import atexit, sys, gancli.cli; sys.argv = ['gan']\n"
        "atexit.register(lambda: print('TORCH' if 'torch' in sys.modules else ''))\ngancli.cli.main()"
    )
    environment = {
        **os.environ,
        "_GAN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.split()
    assert "TORCH" not in lines, "completing imports torch"
    return lines


def test_runs_and_classes(gan: Gan, run: Path, tmp_path: Path) -> None:
    assert gan("train", "--data", "digits", "--preset", "cgan", "--max-steps", "1", "--name", "labeled",
               "--set", "task.model.g_width=4", "--set", "task.model.d_width=4").code == 0  # fmt: skip
    assert completed("gan sample ") == ["labeled", run.name]
    assert completed("gan sample l") == ["labeled"]
    assert completed("gan sample labeled --label ") == [str(i) for i in range(10)]


@pytest.mark.parametrize(("words", "some"), [
    ("gan train --preset best", {"best", "best-cpu"}),
    ("gan train --loss hi", {"hinge"}),
    ("gan export x --to ke", {"keras"}),
    ("gan train --data dig", {"digits"}),
    ("gan train --image-s", {"--image-size"}),
])  # fmt: skip
def test_names(words: str, some: set[str]) -> None:
    assert set(completed(words)) == some
