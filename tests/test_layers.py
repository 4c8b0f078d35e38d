"""The house's walls: imports go one way, and some names stay out of some rooms."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gancli
from gancli.core import registry
from gancli.core.config import presets

ROOT = Path(gancli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PARTS = ("data", "models", "losses", "augment", "metrics", "optimizers")
BASE = ("errors", "registry", "clock", "contracts", "sources", "config", "rows", "__init__")

# room -> what of gancli it may import, besides its own room and the base
ALLOWED = {
    "data": (),
    "models": (),
    "losses": (),
    "augment": (),
    "optimizers": (),
    "metrics": (),
    "tasks": ("models", "losses", "augment", "data"),
    "engine": ("data.store",),
    "run": (),
    "report": ("images", "evaluate", "metrics", "engine.state", "plan", "run", "model", "train"),
}


def room(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported(file: Path) -> set[str]:
    """Modules of gancli that a file imports, without what is imported for types alone."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    out: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            out |= {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            out |= {a.name for a in node.names}
    return out


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_one_way(file: Path) -> None:
    here = room(file)
    if here not in ALLOWED:
        return
    for name in imported(file):
        if not name.startswith("gancli."):
            continue
        target = name.removeprefix("gancli.")
        fits = (*ALLOWED[here], *BASE, here)
        assert any(target == a or target.startswith(f"{a}.") for a in fits), f"{here} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(file: Path) -> None:
    names = {n.split(".")[0] for n in imported(file)}
    here = room(file)
    assert "typer" not in names or here == "cli"
    assert not {"rich", "matplotlib"} & names or here == "report"
    assert not {"pickle", "dill", "joblib", "shelve"} & names
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("torch.load", "torch.save"), "pickle is neither read nor written"
            assert not any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)


@pytest.mark.parametrize("folder", ["engine", "cli"])
def test_no_variant_is_named_in_engine_or_cli(folder: str) -> None:
    """A preset, a loss, a model is data: nothing in the engine or the command line knows one by name."""
    variants = set(presets())
    for kind in ("model", "loss", "penalty", "augment", "condition"):
        variants |= set(registry.parts(kind))
    variants -= {"none"}
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            for text in [*getattr(node, "comparators", []), *getattr(node, "patterns", [])]:
                found = {c.value for c in ast.walk(text) if isinstance(c, ast.Constant)} & variants
                assert not found, f"{file.name}:{node.lineno} asks for {found}"


def test_files_and_functions_are_short() -> None:
    for file in FILES:
        assert len(file.read_text().splitlines()) <= 400, file


def test_no_room_is_named_after_nothing() -> None:
    for file in FILES:
        assert file.stem not in ("utils", "util", "misc", "common", "helper", "helpers", "manager")
