"""Names of what was dropped, paths as the user calls them, and what a run's page says of the queue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gancli.core.errors import UsageError
from gancli.studio import data, newrun
from gancli.studio.calls import Call
from gancli.studio.live import _shown
from gancli.studio.place import Place
from gancli.studio.queue import Entry
from gancli.studio.render import ENVIRONMENT
from gancli.studio.studio import Studio

UPLOAD = "0123456789abcdef"


def dropped(tmp_path: Path, *files: str) -> Place:
    place = Place(tmp_path / "runs", start=tmp_path)
    for file in files:
        path = place.folder("uploads").path / UPLOAD / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return place


def test_paths_are_those_of_the_folder_of_the_studio(tmp_path: Path) -> None:
    place = Place(tmp_path / "runs", start=tmp_path)
    command = place.command("train", "--data", str(tmp_path / "my photos"), "--name", "a")
    assert place.shell(command) == "gan train --data 'my photos' --name a"
    assert (
        place.shell(place.command("evaluate", str(tmp_path / "runs" / "a"), "--n", "300")) == "gan evaluate a --n 300"
    )
    assert place.near(f"of {tmp_path}/runs/.studio/uploads/x") == "of runs/.studio/uploads/x"
    assert place.near(f"{tmp_path}/runs/a/config.json") == "runs/a/config.json"
    assert place.near(f"/elsewhere{tmp_path}/a") == f"/elsewhere{tmp_path}/a"
    assert place.near("task.loss=hinge") == "task.loss=hinge"


def test_runs_elsewhere_keep_their_path(tmp_path: Path) -> None:
    place = Place(Path("/other/runs"), start=tmp_path)
    assert (
        place.shell(place.command("evaluate", "/other/runs/a")) == "gan evaluate /other/runs/a --runs-dir /other/runs"
    )


def test_an_upload_has_the_name_that_the_user_gave(tmp_path: Path) -> None:
    place = dropped(tmp_path, "red/trainA/a.png", "red/trainB/b.png")
    data.rename(place, UPLOAD, "red to blue")
    assert data.upload_of(place, UPLOAD).name == "red to blue"
    assert (data.upload_of(place, UPLOAD) / "trainA" / "a.png").is_file()
    body: dict[str, Any] = {"data": "dropped: red to blue", "upload": UPLOAD, "preset": "cut"}
    call = Call(Studio(place), {}, {}, body)
    assert newrun.chosen(call) == f"upload:{UPLOAD}"
    assert newrun.stem_of(call) == "red-to-blue-cut"
    assert data.named(call.studio, newrun.chosen(call)) == str(data.upload_of(place, UPLOAD))
    typed = replace(call, body={"data": "digits", "upload": UPLOAD})
    assert newrun.chosen(typed) == "digits"


@pytest.mark.parametrize("called", ["", "..", ".hidden", "a/b", "a\x1b[31m", "x" * 151])
def test_an_upload_cannot_be_called_everything(tmp_path: Path, called: str) -> None:
    place = dropped(tmp_path, "red/a.png")
    with pytest.raises(UsageError, match="cannot be called"):
        data.rename(place, UPLOAD, called)
    assert data.upload_of(place, UPLOAD).name == "red"


def test_an_upload_of_several_parts_is_not_renamed(tmp_path: Path) -> None:
    place = dropped(tmp_path, "red/a.png", "blue/b.png")
    with pytest.raises(UsageError, match="more than one"):
        data.rename(place, UPLOAD, "other")


@pytest.mark.parametrize(
    ("state", "pid", "said"),
    [("running", 7, "said"), ("running", 8, "running"), ("running", None, "running"), ("waiting", 7, "waiting"), ("failed", 7, "failed")],
)  # fmt: skip
def test_the_status_of_a_run_counts_and_not_the_queue(state: str, pid: int | None, said: str) -> None:
    """A training that has saved and stopped is still in the queue for as long as its process ends."""
    entry = Entry("1", "train", "a", ("train",), "cpu", 1.0, state=state, pid=7)
    assert _shown(entry, {"state": "stopped", "pid": pid}) == said


def test_code_in_descriptions_is_marked_and_the_rest_escaped() -> None:
    shown = ENVIRONMENT.from_string("{{ text|marked }}").render(text="`a & b` <b>`<i>`</b>")
    assert shown == "<code>a &amp; b</code> &lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;"
