"""Samples that are evaluated while they are made: the same scores, made once, in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gancli.core.data import Split
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.generated import Generated
from gancli.evaluation.inputs import of_model
from gancli.inference import spool
from gancli.inference.generator import CHUNK, Model
from gancli.inference.stream import Stream
from tests.inference.test_inference_generator import made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first seed of every chunk that a model makes."""
    seen: list[int] = []
    task: Any = type(made("none").task)
    generate = task.generate

    def spy(self: Any, nets: Any, ask: Any, spec: Any) -> Any:
        seen.append(ask.seeds[0])
        return generate(self, nets, ask, spec)

    monkeypatch.setattr(task, "generate", spy)
    return seen


def scores(evaluator: Evaluator, generated: Generated, metrics: list[str] | None = None) -> dict[str, Any]:
    return {
        name: (s.value, s.error, s.reference, dict(s.detail))
        for name, s in evaluator(generated, metrics).scores.items()
    }


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_a_stream_has_the_scores_of_its_samples(
    limit: int, digits: Split, tmp_path: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, whether they are kept in memory or in files; and they are made once for all metrics."""
    monkeypatch.setattr(spool, "LIMIT", limit)
    model = made("concat", classes=10)
    n = 3 * CHUNK + 7
    generated = of_model(model, digits.train, digits.test, n, 0, tmp_path, lambda *_: None)
    assert isinstance(generated.samples, Stream)
    assert calls == []
    evaluator = Evaluator(digits.train, digits.test, "digits-v1", n=n, cache_dir=tmp_path)
    streamed = scores(evaluator, generated)
    assert calls == [0, 32, 64, 96]
    stored = Generated(model.generate(generated.samples.ask))
    assert streamed == scores(evaluator, stored)
    assert len(streamed) > 20


def test_of_a_stream_that_is_too_long_some_are_made(digits: Split, cache: Path, calls: list[int]) -> None:
    model = made("none")
    evaluator = Evaluator(digits.train, digits.test, "digits-v1", n=40, cache_dir=cache)
    found = evaluator(Generated(Stream(model, model.from_seeds(range(400)))), ["memorization"], baselines=False)
    assert len(calls) == 2
    assert found.protocol["n_fake"] == 40
    assert found.pairs is not None
    first = found.pairs.pairs[0].fake
    alone = model.generate(model.from_seeds([first]))
    assert isinstance(alone, ImageSamples)
    assert (found.pairs.fakes.images[0] == alone.images[0]).all()


def test_features_alone_keep_no_samples(
    digits: Split, cache: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool.Spool, "add", lambda *_: pytest.fail("kept"))
    model = made("none")
    evaluator = Evaluator(digits.train, digits.test, "digits-v1", n=100, cache_dir=cache)
    found = evaluator(Generated(Stream(model, model.from_seeds(range(100)))), ["fid", "kid", "prc"])
    assert len(calls) == 4
    assert found.samples is not None
    assert len(found.samples) == 100


def test_samples_that_nobody_kept_are_made_again(digits: Split, cache: Path, calls: list[int]) -> None:
    """For a metric that says that it needs features alone."""

    class Careless(Metric):
        name = "test-careless"
        gives = ("test-careless",)

        def compute(self, inputs: Inputs) -> dict[str, Score]:
            return {"test-careless": Score(float(inputs.fake.samples.images.mean()), "")}

    model = made("none")
    evaluator = Evaluator(digits.train, digits.test, "digits-v1", n=100, cache_dir=cache)
    ask = model.from_seeds(range(100))
    found = evaluator(Generated(Stream(model, ask)), [Careless()], baselines=False)
    assert len(calls) == 8
    whole = model.generate(ask)
    assert isinstance(whole, ImageSamples)
    assert found.score("test-careless").value == whole.images.mean()


def test_what_is_not_available_is_said_before_samples_are_made(digits: Split, cache: Path, calls: list[int]) -> None:
    model: Model = made("none")
    evaluator = Evaluator(digits.train, digits.test, "digits-v1", n=100, cache_dir=cache)
    with pytest.raises(UsageError, match="label-agreement is not available"):
        evaluator(Generated(Stream(model, model.from_seeds(range(100)))), ["label-agreement"])
    assert len(calls) == 1, "the chunk that tells what the samples are"


MEMORY = """
import json, resource, sys
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
from gancli.core.images import ImageSamples
from gancli.data.cache import release
from gancli.data.images import ImageDataset
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.generated import Generated
from gancli.inference.stream import Stream

place, n, side = Path(sys.argv[1]), int(sys.argv[2]), 256
METRICS = ["fid", "kid", "prc", "memorization", "swd", "ndb"]

def data(name, size):
    out = np.lib.format.open_memmap(place / f"{name}.npy", mode="w+", dtype=np.uint8, shape=(size, 1, side, side))
    random = np.random.default_rng(size)
    for i in range(0, size, 50):
        out[i : i + 50] = random.integers(0, 256, (min(50, size - i), 1, side, side), np.uint8)
        release(out)
    del out
    return ImageDataset(np.load(place / f"{name}.npy", mmap_mode="c"))

class Noise(Stream):
    def __init__(self, size):
        object.__setattr__(self, "size", size)
    def __len__(self):
        return self.size
    def __iter__(self):
        random = np.random.default_rng(0)
        for i in range(0, self.size, 32):
            yield ImageSamples(random.integers(0, 256, (min(32, self.size - i), 1, side, side), np.uint8))
    labels = attributes = None

def evaluated(train, test, size):
    found = Evaluator(train, test, n=size, cache_dir=place / "cache")(Generated(Noise(size)), METRICS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, sorted(found.scores)

small, _ = evaluated(data("few", 100), data("fewer", 90), 64)
large, names = evaluated(data("train", n + 100), data("test", 2 * n), n)
print(json.dumps({"small": small, "large": large, "names": names}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux")
def test_pictures_of_256_pixels_do_not_stay_in_memory(tmp_path: Path) -> None:
    """Of 2,000 samples, 2,100 training images and 4,000 of the test set (131, 138 and 262 MB) what is read stays on the disk."""
    words = [sys.executable, "-c", MEMORY, str(tmp_path), "2000"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert {"copied@pixels", "fid@random-conv", "ndb@pixels", "swd@pixels"} <= set(found["names"])
    assert found["large"] - found["small"] < 250e6
