"""The layers of the package, its libraries, and the size of its files and functions: one table, every file."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import gancli
from gancli.core import registry
from gancli.core.config import presets

ROOT = Path(gancli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PAGE = ROOT.parent / "docs" / "architecture.md"

LAYERS = (  # from the lowest; a room imports from its own layer's files in its own room, and from lower layers
    ("core",),
    (
        "augment",
        "data",
        "degradations",
        "distributed",
        "loggers",
        "losses",
        "models",
        "optimizers",
        "penalties",
        "runs",
    ),
    ("conditions", "tasks"),
    ("inference",),
    ("evaluation", "export"),
    ("augmentation", "training"),
    ("report",),
    ("studio",),
    ("api",),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}
LONGEST_FILE, LONGEST_FUNCTION = 350, 60
LIBRARIES = {
    "typer": ("cli",),
    "rich": ("report",),
    "matplotlib": ("report",),
    "starlette": ("studio",),
    "uvicorn": ("studio",),
    "jinja2": ("studio",),
    "PIL": ("core", "data", "degradations", "evaluation"),
}


def room(file: Path) -> str:
    """The first folder, or the file's own name at the root."""
    return file.relative_to(ROOT).with_suffix("").parts[0]


def module(file: Path) -> str:
    return ".".join(("gancli", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imported(file: Path, lazily: bool = True) -> set[str]:
    """What a file imports, without what is imported for types alone; `lazily` also within functions."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
        if not lazily and isinstance(node, ast.FunctionDef):
            node.body = []
    out: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            out |= {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            out |= {a.name for a in node.names}
    return out


def rooms() -> dict[str, int]:
    """Rooms and their number of files, presets among them."""
    found = Counter(room(file) for file in FILES if file.parent != ROOT)
    return dict(found)


def table() -> str:
    """The layers as docs/architecture.md shows them, highest first."""
    files = rooms()
    lines = ["| floor | rooms (files) |", "|-|-|"]
    for floor in range(len(LAYERS) - 1, -1, -1):
        names = ", ".join(f"`{name}` ({files[name]})" for name in LAYERS[floor])
        lines.append(f"| {floor} | {names} |")
    return "\n".join(lines)


def test_every_file_is_in_a_room_of_the_table() -> None:
    assert {file.name for file in FILES if file.parent == ROOT} == {"__init__.py", "__main__.py"}
    assert set(rooms()) == set(FLOOR)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_down(file: Path) -> None:
    here = room(file)
    floor = FLOOR.get(here, len(LAYERS))
    for name in imported(file):
        if not name.startswith("gancli.") or name == "gancli.__version__":
            continue
        there = name.split(".")[1]
        assert there == here or FLOOR[there] < floor, f"{file.relative_to(ROOT)} imports {name}"


def test_no_circle_among_files() -> None:
    known = {module(file): file for file in FILES}
    imports = {name: imported(file, lazily=False) for name, file in known.items()}
    graph = {
        name: {m for m in known for i in found if m in (i, i.rpartition(".")[0])} - {name}
        for name, found in imports.items()
    }
    done: set[str] = set()
    while ready := [name for name in graph if name not in done and graph[name] <= done]:
        done |= set(ready)
    assert done == set(graph), f"circles among {sorted(set(graph) - done)}"


def test_the_page_shows_the_table() -> None:
    assert table() in PAGE.read_text(), f"docs/architecture.md must hold:\n{table()}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(file: Path) -> None:
    names = {n.split(".")[0] for n in imported(file)}
    for library, homes in LIBRARIES.items():
        assert library not in names or room(file) in homes, f"{library} belongs into {homes}"
    assert not {"pickle", "dill", "joblib", "shelve"} & names
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("torch.load", "torch.save"), "pickle is neither read nor written"
            assert not any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)


@pytest.mark.parametrize("folder", ["models", "tasks", "losses", "penalties", "augment", "conditions"])
def test_random_numbers_come_from_core_sharding(folder: str) -> None:
    """What is drawn for each datum is drawn through `core.sharding` or from a seed, so that ranks and parts change nothing."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            seeded = any(k.arg == "generator" for k in node.keywords)
            weights = name == "torch.randn" and folder == "models" and _in_init(file, node)
            drawn = re.fullmatch(r"torch\.(rand|randn|randint|randperm|bernoulli|normal)(_like)?", name)
            assert seeded or weights or not drawn, f"{file.name}:{node.lineno}: {name}"
            assert name != "nn.Dropout", f"{file.name}:{node.lineno}: use models.layers.Dropout"


def _in_init(file: Path, call: ast.Call) -> bool:
    """Whether a call is in a module's `__init__`: initial weights are drawn there."""
    tree = ast.parse(file.read_text())
    inits = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    return any(n.lineno <= call.lineno <= (n.end_lineno or 0) for n in inits)


@pytest.mark.parametrize("folder", ["training", "distributed", "runs", "report", "inference", "cli"])
def test_no_part_is_named(folder: str) -> None:
    """A preset, a loss, a model, a task, a metric is data: nothing here asks for one by name."""
    variants = set(presets())
    for kind in ("model", "loss", "penalty", "augment", "condition", "task", "metric"):
        variants |= set(registry.parts(kind))
    variants -= {"none"}
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            for text in [*getattr(node, "comparators", []), *getattr(node, "patterns", [])]:
                found = {c.value for c in ast.walk(text) if isinstance(c, ast.Constant)} & variants
                assert not found, f"{file.name}:{node.lineno} asks for {found}"


def test_files_and_functions_are_short() -> None:
    for file in (*FILES, *(ROOT.parent / "tests").rglob("*.py"), *(ROOT.parent / "benchmarks").rglob("*.py")):
        text = file.read_text()
        assert len(text.splitlines()) <= LONGEST_FILE, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{node.name} in {file} has {length} lines"


def test_no_file_only_forwards_and_none_is_named_after_nothing() -> None:
    for file in FILES:
        assert file.stem not in ("utils", "util", "misc", "common", "helper", "helpers", "manager")
        body = ast.parse(file.read_text()).body
        own = [n for n in body if not isinstance(n, ast.Import | ast.ImportFrom | ast.Expr)]
        assert own or file.stem in ("__init__", "__main__"), f"{file} only forwards"
