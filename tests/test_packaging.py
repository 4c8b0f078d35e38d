"""What is installed: wheel and sdist are built, the wheel is installed alone, and both names of the command run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import gancli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = (
    "gancli/presets/textbook.toml",
    "gancli/export/page/seeds.js",
    "gancli/export/page/text.js",
    "gancli/py.typed",
    "gancli/export/keras/layers.py",
)


def built(kind: str, place: Path) -> Path:
    """The wheel or sdist, built by the project's own build system, which is hatchling."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    code = f"import hatchling.build as b, os; os.chdir({str(ROOT)!r}); print(b.build_{kind}({str(place)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / done.stdout.split()[-1]


def test_the_wheel_installed_alone(tmp_path: Path) -> None:
    wheel = built("wheel", tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert set(NEEDED) <= set(names)
        assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]
        venv.create(tmp_path / "env", with_pip=False, symlinks=True)
        (place,) = (tmp_path / "env/lib").glob("python*/site-packages")
        archive.extractall(place)  # which is what an installer does with a wheel of Python alone
    here = [path for path in sys.path if path.endswith("site-packages")]
    (place / "others.pth").write_text("\n".join(here))  # the libraries of this environment
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    code = "import sys, gancli; sys.argv = ['gan', *sys.argv[1:]]; assert 'env' in gancli.__file__; from gancli.cli import main; main()"
    words = ["train", "--data", "digits", "--max-steps", "10", "--name", "it", "--quiet"]
    for arguments in (["--help"], [*words, "--runs-dir", str(tmp_path / "runs")]):
        command = [tmp_path / "env/bin/python", "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/it/model/model.safetensors").is_file()


def test_the_sdist_holds_what_builds_it(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", *NEEDED} <= names
    assert not [name for name in names if name.startswith((".git/", "runs/", ".venv/"))]


def test_metadata() -> None:
    assert PROJECT["version"] == gancli.__version__
    assert PROJECT["scripts"] == {"gan": "gancli.cli:main", "gancli": "gancli.cli:main"}
    versions = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d", text)]
    assert PROJECT["requires-python"] == f">={versions[0]}"


def test_the_containerfile_is_careful() -> None:
    """No container engine is needed for this; that an image can be built is not tested."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    words = [line.split() for line in lines if line and line[0] not in "# "]
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "ENTRYPOINT", "CMD"}
    assert {word[0] for word in words} <= known
    order = [word[0] for word in words]
    assert order.index("USER") > max(i for i, name in enumerate(order) if name == "RUN")  # the rest runs without rights
    assert next(word for word in words if word[0] == "USER")[1] != "root"
    base = next(word for word in words if word[0] == "FROM")[1]
    assert ":" in base.rpartition("/")[2]
    assert not base.endswith(":latest")
    for copied in (word[1:-1] for word in words if word[0] == "COPY"):
        assert all((ROOT / path).exists() for path in copied)
    assert "https://download.pytorch.org/whl/cpu" in "\n".join(lines)
