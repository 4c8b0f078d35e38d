"""A model that is sampled from: which labels and attributes can be asked for, those of the data, walks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.cli import options
from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import build
from gancli.core.specs import Images
from gancli.data.images import ImageDataset
from gancli.evaluation.inputs import of_model
from gancli.inference.generator import CHUNK, Model
from gancli.inference.spool import joined
from gancli.inference.stream import Stream
from gancli.tasks.sampling import labels_like
from gancli.training import monitor
from tests.conftest import TINY, Gan
from tests.distributed.forked import fork_ranks

MLP = {"name": "mlp", "z": 8, "g_widths": [16], "d_widths": [16]}


def made(
    condition: str | dict[str, Any], classes: int = 4, attributes: int = 0, facts: dict[str, Any] | None = None
) -> Model:
    torch.manual_seed(0)
    shape = Images(channels=1, height=8, width=8, classes=classes, attributes=attributes)
    task: Any = build("task", {"name": "generate", "model": MLP, "condition": condition})
    nets = {name: net.eval() for name, net in task.nets(shape).items()}
    return Model(task, nets, shape, Tick(0, 0, 0), facts or {})


def codes(classes: int = 3, continuous: int = 2) -> dict[str, Any]:
    return {"name": "infogan", "classes": classes, "continuous": continuous}


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """40 labels, and attributes that say whose they are: label, -label."""
    labels = np.random.default_rng(0).integers(0, 4, 40)
    return labels, np.stack([labels, -labels], 1).astype(np.float32)


@pytest.mark.parametrize("data", [0, 1, 4], ids="data has {} classes".format)
@pytest.mark.parametrize("categories", [3, 6])
def test_the_labels_of_drawn_codes_are_their_categories(data: int, categories: int) -> None:
    model = made(codes(categories), data, facts={"classes": list("abcd"[:data])})
    assert model.conditional
    assert model.seed_labels(range(8), 1) == [i % categories for i in range(8)]
    images = model.sample(8, labels=model.seed_labels(range(8), 1))
    assert not images[0].equal(model.sample(1, labels=[1])[0])
    with pytest.raises(UsageError, match=f"there are 0 to {categories - 1}"):
        model.sample(1, labels=[categories])
    assert model.classes == [], "a category that was found is none of the data's classes"


def test_classes_are_named_or_numbered() -> None:
    model = made("concat", facts={"classes": ["cat", "dog", "a,b", "3"]})
    named, numbered = (model.sample(3, labels=labels) for labels in (["dog", "a,b", 0], [1, 2, 0]))
    assert named.equal(numbered)
    with pytest.raises(UsageError, match="no class 'dgo'  ->  did you mean dog"):
        model.sample(1, labels=["dgo"])
    assert options.labels("a,b", model.classes) == [2]
    assert options.labels("cat,dog", model.classes) == [0, 1]


def test_a_seed_has_its_class_whatever_is_drawn_beside_it() -> None:
    model = made("concat")
    assert model.seed_labels([8, 0, 35, 8]) == [1, 0, 0, 1]
    assert model.seed_labels(range(64)) == [i // 8 % 4 for i in range(64)]
    assert made("none").seed_labels([8]) is None


@pytest.mark.parametrize("data", [0, 2, 5], ids="data has {} attributes".format)
def test_the_attributes_of_drawn_codes_are_their_numbers(data: int) -> None:
    names = ["slant", "thickness", "c", "d", "e"][:data]
    model = made(codes(continuous=2), attributes=data, facts={"attributes": names})
    plain = model.sample(2, labels=[0, 0], attributes={"1": 0.0})
    assert not plain.equal(model.sample(2, labels=[0, 0], attributes={"1": 1.0}))
    rows = np.array([[0.0, 0.0], [0.0, 1.0]], np.float32)
    assert model.sample(2, labels=[0, 0], attributes=rows)[0].equal(plain[0])
    with pytest.raises(UsageError, match="knows no attribute 'slant'"):
        model.sample(2, attributes={"slant": 1.0})
    with pytest.raises(UsageError, match=r"\(2, 3\), not \(2, 2\)"):
        model.sample(2, attributes=np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("continuous", [0, 2, 3])
def test_drawn_codes_are_evaluated_as_they_are_drawn(continuous: int, tmp_path: Path) -> None:
    labels, attributes = pairs()
    model = made(codes(continuous=continuous), attributes=2)
    some = ImageDataset(np.zeros((40, 1, 8, 8), np.uint8), labels, attributes, tuple("abcd"), ("one", "two"))
    assert labels_like(model.choices, some.samples(), 10) == (None, None)

    def images() -> np.ndarray:
        found = of_model(model, some, some, 10, 0, tmp_path, lambda *_: None)
        assert found.labels is found.attributes is None
        assert isinstance(found.samples, Stream)
        (chunk,) = found.samples
        assert isinstance(chunk, ImageSamples)
        return chunk.images

    assert np.array_equal(images(), images())
    assert images().any()


def test_attributes_that_say_nothing_are_refused_as_rows_too() -> None:
    with pytest.raises(UsageError, match="without attributes"):
        made("concat", attributes=2).sample(1, attributes=np.zeros((1, 2), np.float32))


@pytest.mark.parametrize("n", [7, 40, 100])
def test_classes_and_attributes_that_are_asked_for_occur_together(n: int) -> None:
    labels, attributes = pairs()
    model = made({"name": "attributes", "labels": True}, attributes=2)
    asked, rows = labels_like(model.choices, ImageSamples(np.zeros((40, 1, 8, 8), np.uint8), labels, attributes), n)
    assert asked is not None and rows is not None  # noqa: PT018
    assert rows[:, 0].tolist() == list(asked)
    if n == 40:
        assert sorted(rows[:, 0]) == sorted(labels)


def test_data_in_a_pattern_still_give_all_classes() -> None:
    known = ImageSamples(np.zeros((400, 1, 8, 8), np.uint8), np.arange(400) % 4)
    found, _ = labels_like(made({"name": "attributes", "labels": True}, attributes=2).choices, known, 100)
    assert set(found or []) == {0, 1, 2, 3}


def test_a_run_with_fewer_categories_than_classes(gan: Gan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []
    spread = monitor.spread

    def spy(x: torch.Tensor, labels: torch.Tensor | None = None) -> float:
        seen.append(labels)
        return spread(x, labels)

    monkeypatch.setattr(monitor, "spread", spy)
    words = ["--set", "task.condition={name='infogan',classes=3}", "--images", "8000", "--name", "i", *TINY]
    said = gan("train", "--data", "digits", *words)
    assert said.code == 0, said.err
    assert seen
    assert all(labels is None for labels in seen), "its categories are not the reals' labels"
    assert list((tmp_path / "runs_dir/i/samples").iterdir())


def test_a_walk_stops_at_the_images_of_its_seeds_and_labels() -> None:
    model = made("concat")
    frames = model.walk([3, 4, 5], 12, [0, 2, 1])
    torch.testing.assert_close(frames[::4], model.sample(seeds=[3, 4, 5], labels=[0, 2, 1]), rtol=0, atol=1e-5)
    one = model.walk([3, 4], 8)
    torch.testing.assert_close(one[4], model.sample(seeds=[4], labels=[0])[0], rtol=0, atol=1e-5)


def test_a_walk_heeds_attributes_and_truncation() -> None:
    model = made("attributes", attributes=2, facts={"attributes": ["slant", "width"]})
    plain = model.walk([3, 4], 4)
    slanted = model.walk([3, 4], 4, attributes={"slant": 2.0})
    torch.testing.assert_close(slanted[::2], model.sample(seeds=[3, 4], attributes={"slant": 2.0}), rtol=0, atol=1e-5)
    assert not slanted.equal(plain)
    still = model.walk([3, 4], 4, attributes={"slant": 2.0}, truncation=0.0)
    torch.testing.assert_close(still[0], still[2])
    with pytest.raises(UsageError, match="slnt"):
        model.walk([3, 4], 4, attributes={"slnt": 2.0})


@pytest.mark.parametrize(
    ("labels", "why"), [([99, 0], "no class 99"), ([-1, 0], "no class -1"), ([1], "1 labels for 2")]
)
def test_a_walk_s_labels_are_checked(labels: list[int], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        made("concat").walk([1, 2], 4, labels)
    with pytest.raises(UsageError, match="not class-conditional"):
        made("none").walk([1, 2], 4, [0, 1])


def test_a_stream_gives_the_samples_of_its_ask_whatever_their_number() -> None:
    model = made("concat")
    ask = model.from_seeds(list(range(2 * CHUNK + 5)), model.seed_labels(range(2 * CHUNK + 5)))
    done: list[int] = []
    chunks = list(model.stream(ask, done.append))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 5]
    assert done == [CHUNK, 2 * CHUNK, 2 * CHUNK + 5]
    whole = joined(chunks).pack()
    assert np.array_equal(model.generate(ask).pack()["images"], whole["images"])
    alone = model.generate(ask.rows([66])).pack()
    assert np.array_equal(alone["images"][0], whole["images"][66])
    assert alone["labels"].tolist() == [66 // 8 % 4]
    again = Stream(model, ask).take(np.array([66, 3]))
    assert np.array_equal(joined(list(again)).pack()["images"], whole["images"][[66, 3]])
    assert again.labels is not None
    assert again.labels.tolist() == [0, 0]


def test_nothing_is_made_before_it_is_read() -> None:
    model = made("none")
    made_: list[int] = []
    generate = type(model.task).generate

    def spy(task: Any, nets: Any, ask: Any, spec: Any) -> Any:
        made_.append(ask.seeds[0])
        return generate(task, nets, ask, spec)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model.task), "generate", spy)
        stream = iter(Stream(model, model.from_seeds(range(100))))
        assert made_ == []
        next(stream)
        assert made_ == [0]
        next(stream)
        assert made_ == [0, 32]


@pytest.mark.parametrize("n", [5, 64, 100])
def test_ranks_share_a_stream(n: int, tmp_path: Path) -> None:
    """Each makes its share of the chunks, and gets all of them in their order."""
    alone = made("concat")
    ask = alone.from_seeds(list(range(n)), alone.seed_labels(range(n)))

    def work(here: Any) -> tuple[list[int], list[int]]:
        model = made("concat")
        model.ranks = here
        calls: list[int] = []
        generate = type(model.task).generate

        def spy(task: Any, nets: Any, asked: Any, spec: Any) -> Any:
            calls.append(asked.seeds[0])
            return generate(task, nets, asked, spec)

        type(model.task).generate = spy
        found = joined(list(model.stream(ask))).pack()
        return found["images"].ravel().tolist(), calls

    both = fork_ranks(2, work, tmp_path)
    expected = alone.generate(ask).pack()["images"].ravel().tolist()
    assert [found for found, _ in both] == [expected, expected]
    assert sorted(set(both[0][1]) | set(both[1][1])) == list(range(0, n, CHUNK))
    chunks = -(-n // CHUNK)
    assert [len(calls) for _, calls in both] == 2 * [-(-chunks // 2)]
