"""`--log tensorboard`: TensorBoard reads scalars, previews and texts of a run, each step once, however often it was killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gancli.core.loggers import Logger
from gancli.core.sinks import Sink
from gancli.loggers import events
from gancli.loggers.tensorboard import EventFiles
from gancli.runs import checkpoint
from tests.conftest import TINY, Gan

READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
read = EventAccumulator(sys.argv[1], {"scalars": 0, "images": 0, "tensors": 0})
read.Reload()
tags = read.Tags()
print(json.dumps({
    "scalars": {t: [(e.step, e.value) for e in read.Scalars(t)] for t in tags["scalars"]},
    "images": {t: [(e.step, e.width, e.height) for e in read.Images(t)] for t in tags["images"]},
    "texts": {t: [read.Tensors(t)[0].tensor_proto.string_val[0].decode()] for t in tags["tensors"]},
}))
"""


def read_by_tensorboard(folder: Path) -> Any:
    import json

    pytest.importorskip("tensorboard")
    said = subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_a_run_that_was_killed_and_resumed_twice(gan: Gan, tmp_path: Path) -> None:
    words = ["--set", "intervals.log=5", "--set", "intervals.sample=320", "--save-every", "320"]
    run = tmp_path / "runs_dir/it"
    said = gan("train", "--data", "digits", "--log", "tensorboard", "--name", "it", "--max-steps", "28", *words, *TINY)
    assert said.code == 0, said.err
    for steps in ("38", "48"):
        shutil.rmtree(checkpoint.listed(run / "checkpoints")[0])  # as if it had been killed before this checkpoint
        newest = max((run / "tensorboard").iterdir())
        newest.write_bytes(newest.read_bytes() + b"torn")
        said = gan("resume", run, "--max-steps", steps)
        assert said.code == 0, said.err
    found = read_by_tensorboard(run / "tensorboard")
    assert [step for step, _ in found["scalars"]["loss/D"]] == [*range(5, 46, 5), 48]
    assert [step for step, *_ in found["images"]["samples"]] == [10, 20, 30, 40, 48]
    assert {"images", "grad/G"} <= set(found["scalars"])
    assert '"batch_size": 32' in found["texts"]["config"][0]
    assert gan("export", run, "--to", "tensorboard", "--out", tmp_path / "copy").code == 0
    copied = read_by_tensorboard(tmp_path / "copy")
    assert {key: copied["scalars"][key] for key in found["scalars"]} == found["scalars"]
    assert {tuple(one) for one in found["images"]["samples"]} <= {tuple(one) for one in copied["images"]["samples"]}
    raw = [step for file in sorted((run / "tensorboard").iterdir()) for step, _ in events.records(file.read_bytes())]
    assert max(raw) == 48


def test_numbers_images_and_texts(tmp_path: Path) -> None:
    import numpy as np

    from gancli.core.images import png

    files = EventFiles(tmp_path / "tb", {"a": 1}, now=lambda: 1e9)
    files.scalars(2**40, {"x": 0.1, "n": 3, "words": "no number"})
    files.event("validation", line={"step": 20, "images": 9, "fid@x": 2.5})
    files._write(
        events.event(1e9, 300, events.image("i", png(np.zeros((3, 5, 300), np.uint8))), events.text("t", "wörter"))
    )
    found = read_by_tensorboard(tmp_path / "tb")
    assert found["scalars"]["x"] == [[2**40, pytest.approx(0.1)]]
    assert found["scalars"]["n"] == [[2**40, 3]]
    assert found["scalars"]["fid@x"] == [[20, 2.5]]
    assert found["images"]["i"] == [[300, 300, 5]]
    assert found["texts"]["t"] == ["wörter"]


class Broken(Logger):
    name = "broken"

    def open(self, run: Path, config: Mapping[str, Any]) -> Sink:
        class Failing(Sink):
            def scalars(self, step: int, values: Mapping[str, Any]) -> None:
                raise ConnectionError("no route to the server")

        return Failing()


def test_an_error_of_a_logger_does_not_stop_training(gan: Gan, tmp_path: Path) -> None:
    words = ["--log", "broken,tensorboard", "--max-steps", "4", "--set", "intervals.log=1", "--name", "it"]
    said = gan("train", "--data", "digits", *words, *TINY)
    assert said.code == 0, said.err
    assert said.err.count("the logger broken is off: ConnectionError: no route to the server") == 1
    assert (tmp_path / "runs_dir/it/metrics.jsonl").read_text().count("\n") == 4
    assert len(list((tmp_path / "runs_dir/it/tensorboard").iterdir())) == 1


def test_an_unknown_logger(gan: Gan) -> None:
    said = gan("train", "--data", "digits", "--log", "tensorbord", *TINY)
    assert (said.code, "did you mean tensorboard" in said.err) == (2, True)


def test_a_damaged_preview_is_named_and_large_numbers_fit(gan: Gan, run: Path, tmp_path: Path) -> None:
    journal = run / "metrics.jsonl"
    journal.write_text('{"step": 1, "images": 1, "loss/D": 1e300, "loss/G": -1e300}\n')
    (run / "samples" / "²7.png").write_bytes(b"")
    assert gan("export", run, "--to", "tensorboard", "--out", tmp_path / "a").code == 0
    (run / "samples" / "000021.png").write_bytes(b"none")
    said = gan("export", run, "--to", "tensorboard", "--out", tmp_path / "b")
    assert (said.code, "000021.png is no preview" in said.err) == (4, True), said.err
