"""What every kind of data set keeps to: a stream that is pure in (seed, position), an order, a fingerprint, parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from gancli.core.contracts import Degradation
from gancli.core.data import Batch, Dataset, Orders, Reading, Split, Window
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import build
from gancli.core.specs import Degraded, Domains, Images, Pairs, Tokens
from gancli.core.text import TextSamples
from gancli.data import cache, holdout
from gancli.data.degraded import DegradedDataset
from gancli.data.domains import DomainsDataset
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.data.pairs import PairDataset
from gancli.data.tokens import TokenDataset, Vocabulary
from gancli.degradations.gauss import Gauss

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
N = 23


class Hole(Degradation):
    """A square of black somewhere, and where it is."""

    name = "test-hole"
    masks: ClassVar[bool] = True

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        top, left = torch.randint(0, x.shape[1] - 2, (2,), generator=random).tolist()
        mask = torch.zeros_like(x[:1])
        mask[:, top : top + 2, left : left + 2] = 1
        return torch.where(mask > 0, -1, x), mask


def pictures(n: int = N, c: int = 3, h: int = 8, w: int = 6, seed: int = 0, labels: bool = False) -> ImageDataset:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n, c, h, w), dtype=np.uint8)
    return ImageDataset(images, random.integers(0, 3, n), classes=tuple("abc")) if labels else ImageDataset(images)


def tokens(n: int = N) -> TokenDataset:
    random = np.random.default_rng(0)
    rows = random.integers(1, 6, (n, 7)).astype(np.uint16)
    rows[:, 5:] = 0
    return TokenDataset(rows, Vocabulary(("", *"abcde")), np.arange(n) % 2, ("x", "y"))


MADE: dict[str, Callable[[], Dataset]] = {
    "images": lambda: pictures(labels=True),
    "images, moved": lambda: pictures().augmented(flip=True, enlarge=1.25),
    "pairs": lambda: PairDataset(pictures(c=1), pictures(seed=1)),
    "pairs, moved": lambda: PairDataset(pictures(c=1), pictures(seed=1)).augmented(flip=True, enlarge=1.25),
    "domains": lambda: DomainsDataset(pictures(), pictures(11, 1, 5, 5, seed=1)),
    "domains, moved": lambda: DomainsDataset(pictures(11), pictures(seed=1)).augmented(flip=True, enlarge=1.25),
    "degraded": lambda: DegradedDataset(pictures(), (Gauss(sigma="5-50"),)),
    "degraded, moved": lambda: DegradedDataset(pictures(), (Hole(), Gauss())).augmented(flip=True, enlarge=1.25),
    "degraded, fixed": lambda: DegradedDataset(pictures(), (Hole(), Gauss())).for_evaluation(),
    "tokens": tokens,
}
every = pytest.mark.parametrize("kind", MADE)


def loader(data: Dataset, seed: int = 0) -> Loader:
    return Loader(data, seed, CPU, torch.float32)


def window(n: int = 400, seed: int = 0) -> Window:
    return Window(Orders(seed), 0, n, 0, n)


def equal(a: Batch, b: Batch) -> bool:
    return a.fields.keys() == b.fields.keys() and all(torch.equal(a[k], b[k]) for k in a.fields)


def joined(parts: list[Batch]) -> Batch:
    return Batch({k: torch.cat([p[k] for p in parts]) for k in parts[0].fields})


@every
@pytest.mark.parametrize("position", [0, 16, 3 * N - 5])
def test_a_batch_is_the_same_in_whatever_parts(kind: str, position: int) -> None:
    whole = loader(MADE[kind]()).batch(position, 16)
    assert whole.n == 16
    for cuts in ([0, 16], [0, 8, 16], [0, 4, 8, 12, 16], [0, 1, 15, 16]):
        parts = [loader(MADE[kind]()).batch(position, 16, a, b - a) for a, b in pairwise(cuts)]
        assert equal(joined(parts), whole)
    again = loader(MADE[kind]())
    again.batch(5, 7)  # whatever was drawn before
    assert equal(again.batch(position, 16), whole)


@every
def test_another_seed_or_position_is_another_batch(kind: str) -> None:
    a, b = loader(MADE[kind]()), loader(MADE[kind](), 1)
    assert not equal(a.batch(0, 16), b.batch(0, 16))
    assert not equal(a.batch(0, 16), a.batch(16, 16))


@pytest.mark.parametrize("kind", [k for k in MADE if "moved" not in k])
def test_without_moves_a_datum_does_not_depend_on_the_size_of_the_batch(kind: str) -> None:
    data = loader(MADE[kind]())
    whole = data.batch(0, 40)
    assert equal(joined([data.batch(p, 8) for p in range(0, 40, 8)]), whole)
    assert equal(joined([data.batch(p, 1) for p in range(40)]), whole)


@every
def test_a_batch_is_what_the_spec_says(kind: str) -> None:
    data = MADE[kind]()
    spec, batch = data.spec, loader(data).batch(0, 4)
    seen = {k: (*v.shape[1:], v.dtype) for k, v in batch.fields.items()}

    def like(images: Images) -> tuple[int, int, int, torch.dtype]:
        return images.channels, images.height, images.width, torch.float32

    if isinstance(spec, Images):
        label = {"label": (torch.int64,)} if spec.classes else {}
        assert seen == {"real": like(spec), **label}
    elif isinstance(spec, Pairs):
        assert seen == {"source": like(spec.source), "real": like(spec.target)}
    elif isinstance(spec, Domains):
        assert seen == {"a": like(spec.a), "b": like(spec.b)}
    elif isinstance(spec, Degraded):
        mask = {"mask": (1, spec.image.height, spec.image.width, torch.float32)} if spec.mask else {}
        assert seen == {"source": like(spec.image), "real": like(spec.image), **mask}
    else:
        assert isinstance(spec, Tokens)
        assert seen == {"tokens": (spec.length, torch.int64), "label": (torch.int64,)}
    assert all(v.min() >= -1 and v.max() <= 1 for v in batch.fields.values() if v.is_floating_point())
    assert build("spec", spec.model_dump(mode="json")) == spec


@every
def test_fields_that_are_not_floating_point_keep_their_type(kind: str) -> None:
    batch = Loader(MADE[kind](), 0, CPU, torch.bfloat16).batch(0, 4)
    assert {v.dtype for v in batch.fields.values()} <= {torch.bfloat16, torch.int64}


def datum(batch: Batch, i: int) -> bytes:
    name = next(k for k in ("tokens", "real", "a") if k in batch)
    return batch[name][i].numpy().tobytes()


@pytest.mark.parametrize("kind", [k for k in MADE if "moved" not in k])
def test_each_datum_once_in_a_pass_whatever_the_batches(kind: str) -> None:
    data = loader(MADE[kind]())
    for start in (0, N):
        seen = [datum(data.batch(p, min(5, start + N - p)), 0) for p in range(start, start + N)]
        assert len(set(seen)) == N
        assert seen == [datum(data.batch(start, N), i) for i in range(N)]
    assert not equal(data.batch(0, N), data.batch(N, N))  # each pass has an order of its own


@every
def test_the_fingerprint_is_of_the_data_alone(kind: str) -> None:
    data = MADE[kind]()
    assert data.fingerprint == MADE[kind]().fingerprint
    parts = [data, data.take(slice(0, N - 1)), data.take(np.arange(N)[::-1])]
    assert len({part.fingerprint for part in parts}) == 3
    if kind == "pairs, moved":
        assert data.fingerprint == MADE["pairs"]().fingerprint
    if not kind.startswith("tokens"):
        assert data.augmented(flip=True).fingerprint == data.fingerprint


def test_fingerprints_of_changed_data() -> None:
    chain = (Gauss(),)
    words = Vocabulary(("", *"abcde"))
    other = pictures(seed=1)
    sets: list[Dataset] = [
        pictures(), other,
        PairDataset(pictures(), other), PairDataset(other, pictures()), PairDataset(pictures(), pictures()),
        DomainsDataset(pictures(), other), DomainsDataset(other, pictures()),
        DegradedDataset(pictures(), chain), DegradedDataset(pictures(), chain, fixed=True), DegradedDataset(other, chain),
        DegradedDataset(pictures(), (Gauss(sigma=24),)), DegradedDataset(pictures(), chain * 2),
        tokens(), replace(tokens(), labels=None), replace(tokens(), vocabulary=replace(words, separator=" ")),
        replace(tokens(), vocabulary=Vocabulary(("", *"abcdf"))), replace(tokens(), tokens=tokens().tokens[:, ::-1]),
        replace(tokens(), classes=("x", "z")),
    ]  # fmt: skip
    assert len({data.fingerprint for data in sets}) == len(sets)


@every
def test_take_is_some_of_the_data_in_this_order(kind: str) -> None:
    data = MADE[kind]()
    index = np.array([4, 1, 7])
    some = data.take(index)
    assert len(some) == 3
    assert data.take(np.isin(np.arange(N), index)).fingerprint == data.take(np.sort(index)).fingerprint
    assert data.take(slice(2, 9, 3)).fingerprint == data.take(np.array([2, 5, 8])).fingerprint
    assert data.take(slice(-3, None)).fingerprint == data.take(np.arange(N - 3, N)).fingerprint
    assert len(data.take(slice(0, 0))) == 0
    assert some.samples().pack().keys() == data.samples().pack().keys()
    assert type(some) is type(data)


def arrays(data: Dataset) -> list[np.ndarray]:
    if isinstance(data, ImageDataset):
        return [data.images]
    if isinstance(data, TokenDataset):
        return [data.tokens]
    return [part.images for part in vars(data).values() if isinstance(part, ImageDataset)]


@every
def test_a_slice_copies_nothing(kind: str) -> None:
    data = MADE[kind]()
    for mine, whole in zip(arrays(data.take(slice(2, 9))), arrays(data), strict=True):
        assert np.shares_memory(mine, whole)


@every
def test_a_validation_set_is_held_out_of_it(kind: str, how: Reading) -> None:
    data = MADE[kind]()
    split = holdout.with_validation(Split(data, data.take(slice(0, 0))), replace(how, validation=0.2))
    assert (len(split.train), len(split.validation)) == (18, 5)
    assert len(split.validation.strata if split.validation.strata is not None else range(5)) == 5


@every
def test_for_evaluation_nothing_is_random(kind: str) -> None:
    data = MADE[kind]().for_evaluation()
    a, b = (loader(data, seed).batch(0, N) for seed in (0, 1))
    name = next(k for k in ("source", "a", "tokens", "real") if k in a)
    assert not torch.equal(a[name], b[name])
    assert {x.numpy().tobytes() for x in a[name]} == {x.numpy().tobytes() for x in b[name]}
    assert data.fingerprint == data.for_evaluation().fingerprint


@pytest.mark.parametrize("kind", [k for k in MADE if k != "tokens"])
def test_in_another_size(kind: str) -> None:
    data = MADE[kind]().resized((4, 4), 1)
    batch = loader(data).batch(0, 2)
    assert all(v.shape[1:] == (1, 4, 4) for k, v in batch.fields.items() if k != "label")
    assert MADE[kind]().resized(None, None).fingerprint == MADE[kind]().fingerprint


def test_tokens_are_neither_resized_nor_mirrored() -> None:
    assert tokens().resized(None, None).fingerprint == tokens().fingerprint
    assert tokens().augmented(flip=False).fingerprint == tokens().fingerprint
    with pytest.raises(UsageError, match="no image size"):
        tokens().resized((4, 4), None)
    with pytest.raises(UsageError, match="cannot be augmented"):
        tokens().augmented(flip=True)


@pytest.mark.parametrize("kind", [k for k in MADE if not k.startswith(("tokens", "degraded, "))])
@pytest.mark.parametrize("budget", [0, 10**6])
def test_batches_on_a_gpu(kind: str, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is not there: fake tensors know devices, and refuse to mix them."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (4 * budget, 4 * budget))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    with FakeTensorMode(allow_non_fake_inputs=True):
        batch = Loader(MADE[kind](), 0, GPU, torch.float16).batch(N - 2, 4)
        assert {v.device for v in batch.fields.values()} == {GPU}


# Samples


def test_samples() -> None:
    images = pictures(labels=True).samples()
    assert isinstance(images, ImageSamples)
    assert np.array_equal(images.images, pictures(labels=True).images)
    pairs = PairDataset(pictures(c=1), pictures(seed=1)).samples()
    assert pairs.targets is None
    assert np.array_equal(pairs.inputs, pictures(c=1).images)
    assert np.array_equal(pairs.images, pictures(seed=1).images)
    domains = DomainsDataset(pictures(), pictures(11, seed=1))
    assert np.array_equal(domains.samples().images, pictures(11, seed=1).images)
    assert np.array_equal(domains.a.samples().images, pictures().images)


def test_lines_of_text() -> None:
    words = Vocabulary(("", "the", "cat", "sat"), " ")
    data = TokenDataset(np.array([[1, 2, 3, 0], [2, 0, 0, 0], [0, 0, 0, 0]], np.uint16), words)
    assert isinstance(data.samples(), TextSamples)
    assert data.samples().lines == ("the cat sat", "cat", "")
    assert replace(data, vocabulary=Vocabulary(("", *"abc"))).samples().lines == ("abc", "b", "")
    assert "label" not in data.batch(window(2))
    assert tokens().samples().labels.tolist() == [i % 2 for i in range(N)]
    assert tokens().strata.tolist() == [i % 2 for i in range(N)]


# Size


def test_a_copy_that_is_too_large_for_memory_lies_in_the_cache(how: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAPPED_FROM", 1000)
    data = PairDataset(pictures(c=1), pictures(seed=1))
    plain = data.resized((9, 7), 3)
    for _ in range(2):
        made = data.resized((9, 7), 3, how)
        for mine, other in zip(arrays(made), arrays(plain), strict=True):
            assert isinstance(mine, np.memmap)
            assert np.array_equal(mine, other)
    assert len(list((how.cache_dir / "arrays").glob("*.npy"))) == 2
    index = np.arange(N)[::-1]
    reordered = made.take(index, how)
    assert all(isinstance(x, np.memmap) for x in arrays(reordered))
    assert all(np.array_equal(x, y[index]) for x, y in zip(arrays(reordered), arrays(plain), strict=True))
    assert not any(isinstance(x, np.memmap) for x in arrays(made.take(index[:2])))
