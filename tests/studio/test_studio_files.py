"""Series, forms, queue, recipes of warnings, and the files of others."""

from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gancli.core import schema
from gancli.core.config import parse_set
from gancli.core.errors import InUseError, UsageError
from gancli.core.files import Folder
from gancli.studio import forms
from gancli.studio.place import Place
from gancli.studio.queue import Queue
from gancli.studio.render import HERE
from gancli.studio.runs import Runs
from gancli.studio.series import Columns, Journals, thinned
from gancli.studio.trying import numbers
from gancli.studio.warnings import advised, text_of
from gancli.training.rules import RULES
from tests.studio.conftest import pretended


def test_no_extreme_is_lost() -> None:
    columns = Columns()
    for i in range(100_000):
        spike = 99.0 if i == 54_321 else -99.0 if i == 12_345 else math.sin(i / 500)
        columns.append({"step": i, "loss/D": spike, **({"rare": 1.0} if i % 1000 == 7 else {})})
    found = thinned(columns, 1000)
    assert found["rows"] == 100_000
    assert len(found["columns"]["step"]) == 1000
    assert max(found["columns"]["loss/D"]) == 99.0
    assert min(found["columns"]["loss/D"]) == -99.0
    assert sum(v is not None for v in found["columns"]["rare"]) >= 100
    zoomed = thinned(columns, 1000, low=54_300, high=54_340)
    assert zoomed["rows"] == 41
    assert zoomed["columns"]["loss/D"][21] == 99.0


def test_a_journal_that_grows_is_cut_or_replaced(tmp_path: Path) -> None:
    file, journals = tmp_path / "metrics.jsonl", Journals()
    file.write_text('{"step": 1, "a": 1}\n{"step": 2, "a": Infinity}\nno json\n{"step": 3, "a": 3')
    assert journals.read(Folder(tmp_path), "metrics.jsonl").rows == 2
    with file.open("a") as more:
        more.write('}\n{"step": 4, "b": 4}\n')
    found = journals.read(Folder(tmp_path), "metrics.jsonl")
    assert found.rows == 4
    assert found.lines(0) == {"step": [1, 2, 3, 4], "a": [1, None, 3, None], "b": [None, None, None, 4]}
    file.write_text('{"step": 1}\n')
    assert journals.read(Folder(tmp_path), "metrics.jsonl").rows == 1
    other = tmp_path / "other"
    other.write_text('{"step": 1}\n{"step": 2}\n')
    other.replace(file)
    assert journals.read(Folder(tmp_path), "metrics.jsonl").rows == 2
    file.unlink()
    assert journals.read(Folder(tmp_path), "metrics.jsonl").rows == 0


def test_every_option_of_the_schema_has_a_field() -> None:
    whole = schema.configuration()
    tasks = [k.removeprefix("task.") for k in whole["$defs"] if k.startswith("task.")]
    for task in tasks:
        keys: dict[str, forms.Field] = {}
        todo = forms.fields(whole, {"task": {"name": task}}, {})
        while todo:
            field = todo.pop()
            keys[field.key] = field
            todo += field.inner
        for name in whole["$defs"][f"task.{task}"]["properties"]:
            assert name == "name" or f"task.{name}" in keys
        assert all(f.choices for f in keys.values() if f.widget == "choice")


def test_another_part_has_other_options() -> None:
    whole = schema.configuration()
    plain = {f.key: f for f in forms.fields(whole, {}, {"task.loss": "lsgan"})}
    task = next(f for f in plain["task"].inner if f.key == "task.loss")
    assert task.value == "lsgan"
    assert task.changed
    assert plain["task"].changed
    assert {f.label for f in task.inner} == {*whole["$defs"]["loss.lsgan"]["properties"]} - {"name"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"task.loss": "hinge"}, {"task": {"loss": "hinge"}}),
        ({"task.penalties": '["r1"]'}, {"task": {"penalties": ["r1"]}}),
        ({"task.penalties": '[{"name": "r1", "weight": 2}]'}, {"task": {"penalties": [{"name": "r1", "weight": 2}]}}),
        ({"data.flip": "true"}, {"data": {"flip": True}}),
        ({"optimizer.lr": "1e-4"}, {"optimizer": {"lr": 1e-4}}),
        ({"stop.until": "fid<8"}, {"stop": {"until": "fid<8"}}),
    ],
)  # fmt: skip
def test_what_is_filled_in_is_what_set_reads(given: dict[str, str], wanted: dict[str, object]) -> None:
    (item,) = forms.sets(given)
    assert parse_set(item) == wanted


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError):
        forms.sets({"a;b": "1"})
    with pytest.raises(UsageError):
        forms.given_in({"o.a": "x" * 5000})


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.kind)
def test_warnings_have_their_words_and_remedies(rule: object) -> None:
    kind = getattr(rule, "kind").format("D")  # noqa: B009
    text = text_of(kind, {"task": {"penalties": [], "augment": []}, "optimizer": {"lr": 1.0}})
    assert text != kind
    for item in advised(text):
        assert parse_set(item)
    assert not [item for item in advised(text_of(kind, {})) if item.startswith("task.")]
    assert text_of("<b>", {}) == "<b>"


def test_numbers() -> None:
    assert numbers("0-3,9") == [0, 1, 2, 3, 9]
    for text in ("", "a", "3-1", "0-400", "1" * 30):
        with pytest.raises(UsageError):
            numbers(text)


def ended(queue: Queue, seconds: float = 60.0) -> None:
    import time

    end = time.monotonic() + seconds
    while any(not e.over for e in queue.entries()) and time.monotonic() < end:
        queue.wake()
        time.sleep(0.05)


def test_the_queue_runs_in_order_and_keeps_what_was_said(tmp_path: Path) -> None:
    queue = Queue(Place(tmp_path / "runs").folder("queue"))
    with queue.locked("runner.lock"):  # as if there were a runner: nothing is started yet
        first = queue.add("train", "a", ["--version"], "cpu")
        second = queue.add("train", "b", ["list", "nothing-of-this-name"], "cpu")
        with pytest.raises(InUseError):
            queue.add("train", "a", ["--version"], "cpu")
        third = queue.add("export", "a", ["--version"], "export")
        assert [e.run for e in queue.entries()] == ["a", "b", "a"]
        queue.move(second.id, -1)
        assert [e.id for e in queue.entries()] == [second.id, first.id, third.id]
        queue.move(second.id, -1)
        assert queue.entries()[0].id == second.id
    ended(queue)
    found = {e.id: e for e in queue.entries()}
    assert [found[e.id].state for e in (first, second, third)] == ["done", "failed", "done"]
    assert "no kind of part" in found[second.id].said
    assert found[second.id].started < found[first.id].started  # type: ignore[operator]
    assert found[second.id].ended <= found[first.id].started  # type: ignore[operator]
    queue.cancel(second.id)
    assert len(queue.entries()) == 2


def test_an_entry_that_somebody_wrote_is_passed_over(tmp_path: Path) -> None:
    queue = Queue(Place(tmp_path / "runs").folder("queue"))
    for name, content in (
        ("a", "{"),
        ("b", "[]"),
        ("c", json.dumps({"id": "x"})),
        ("d", json.dumps({"id": "d", "command": 3})),
        ("f", json.dumps({"id": "f", "command": [], "order": "x"})),
    ):
        (queue.folder.path / f"{name}.json").write_text(content)
    (queue.folder.path / "e.json").symlink_to("/etc/passwd")
    assert queue.entries() == []


def test_a_run_is_deleted_in_two_steps(tmp_path: Path) -> None:
    runs = Runs(Place(tmp_path))
    path = pretended(tmp_path, "a")
    (path / "mine.txt").write_text("of somebody")
    kept = runs.discard("a")
    assert runs.names() == []
    assert runs.restore(kept) == "a"
    kept = runs.discard("a")
    assert runs.destroy(kept) == ["mine.txt"]
    assert runs.trash() == [kept]
    (tmp_path / ".studio" / "trash" / kept / "mine.txt").unlink()
    assert runs.destroy(kept) == []
    assert runs.trash() == []
    with pytest.raises(UsageError):
        runs.discard("a")


def test_a_run_that_is_trained_is_not_deleted(tmp_path: Path) -> None:
    from gancli.runs import lock

    path = pretended(tmp_path, "a")
    with lock.locked(path), pytest.raises(InUseError):
        Runs(Place(tmp_path)).discard("a")
    assert path.is_dir()


def test_sparklines_of_long_journals_are_short(tmp_path: Path) -> None:
    pretended(tmp_path, "a", lines=5000)
    assert 2 <= len(Runs(Place(tmp_path)).spark("a")) <= 48


def test_the_files_of_others_are_unchanged() -> None:
    for said in (HERE / "static" / "vendor" / "VENDORED.md", Path(__file__).parent / "axe" / "README.md"):
        rows = re.findall(r"\| `([\w.-]+)` \| \S+ \| \S+ \| \S+ \| `(\w{64})`", said.read_text())
        assert {name for name, _ in rows} == {p.name for p in said.parent.iterdir() if p.suffix in (".js", ".css")}
        for name, digest in rows:
            assert hashlib.sha256((said.parent / name).read_bytes()).hexdigest() == digest


def test_pages_hold_no_code_and_no_outside_address() -> None:
    for file in (*(HERE / "templates").glob("*.html"), *(HERE / "static").glob("*.*")):
        if file.suffix in (".html", ".js", ".css"):
            text = file.read_text()
            assert not re.search(r"""\bon(click|load|error|change)=|style="|javascript:|<script>""", text), file.name
            assert not re.search(r"https?://", text), file.name


def test_the_server_imports_no_torch() -> None:
    code = "import sys, gancli.studio.app, gancli.studio.serve; sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
