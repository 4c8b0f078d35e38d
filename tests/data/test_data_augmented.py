"""Flips, crops and degradations: pure in (seed, position), one draw for a pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gancli.core.data import Reading, Split
from gancli.core.errors import DataError
from gancli.core.images import PairSamples, to_uint8
from gancli.data import holdout
from gancli.data.degraded import DegradedDataset
from gancli.data.domains import DomainsDataset
from gancli.data.images import ImageDataset
from gancli.data.pairs import PairDataset
from gancli.degradations.gauss import Gauss
from tests.data.test_data_datasets import Hole, N, loader, pictures, window


def test_half_of_the_pictures_are_mirrored() -> None:
    plain, moved = (pictures(400).augmented(flip).batch(window())["real"] for flip in (False, True))
    mirrored = (moved == plain.flip(-1)).flatten(1).all(1)
    assert ((moved == plain).flatten(1).all(1) ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


def test_crops_of_the_enlarged_pictures_lie_everywhere() -> None:
    ramp = np.broadcast_to(np.arange(0, 200, 4, dtype=np.uint8), (400, 1, 50, 50))
    data = ImageDataset(np.ascontiguousarray(ramp)).augmented(flip=False, enlarge=1.25)
    plain, moved = (x.batch(window())["real"][:, 0, 25] for x in (data.for_evaluation(), data))
    slope = 127.5 * (moved[:, 40] - moved[:, 10]) / 30
    assert torch.allclose(slope, torch.full_like(slope, 4 / 1.25), atol=0.02)
    left = (moved[:, 25] - plain[:, 25]) * 127.5 / 4  # pixels that the middle has moved by
    assert left.abs().max() <= 5.11
    assert (left.min(), left.max()) < (-4.5, 4.5)
    assert left.max() > 4.5
    assert abs(left.mean()) < 0.5


def test_a_pair_is_moved_as_one() -> None:
    x = pictures(400)
    batch = PairDataset(x, x).augmented(flip=True, enlarge=1.3).batch(window())
    assert torch.equal(batch["source"], batch["real"])
    assert not torch.equal(batch["real"], PairDataset(x, x).batch(window())["real"])


def test_two_domains_are_drawn_and_moved_independently() -> None:
    x = pictures(400)
    plain = DomainsDataset(x, x)
    batch = plain.batch(window())
    same = (batch["a"] == batch["b"]).flatten(1).all(1)
    assert same.sum() < 20
    mirrored = {}
    for name in ("a", "b"):
        moved = plain.augmented(flip=True).batch(window())[name]
        mirrored[name] = (moved != batch[name]).flatten(1).any(1)
    assert 100 < (mirrored["a"] == mirrored["b"]).sum() < 300


def test_a_smaller_domain_is_gone_over_more_often() -> None:
    data = DomainsDataset(pictures(20), pictures(5, seed=1))
    assert len(data) == 20
    seen = [b.numpy().tobytes() for b in loader(data).batch(0, 20)["b"]]
    assert [len(set(seen[i : i + 5])) for i in range(0, 20, 5)] == [5] * 4
    assert seen[:5] != seen[5:10]


def test_of_two_domains_both_are_held_out_of(how: Reading) -> None:
    data = DomainsDataset(pictures(200), pictures(60, seed=1))
    split = holdout.with_validation(Split(data, data.take(slice(0, 0))), replace(how, validation=0.1))
    assert (len(split.train.a), len(split.validation.a)) == (180, 20)
    assert (len(split.train.b), len(split.validation.b)) == (54, 6)
    for name in ("a", "b"):
        parts = [{x.tobytes() for x in getattr(part, name).images} for part in (split.train, split.validation)]
        assert parts[0].isdisjoint(parts[1])


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(DataError, match="23 of 8x6 and 22 of 8x6"):
        PairDataset(pictures(), pictures(22))
    with pytest.raises(DataError, match="of 8x6 and 23 of 8x7"):
        PairDataset(pictures(), pictures(w=7))


def test_each_pass_degrades_a_picture_anew_and_a_fixed_set_never() -> None:
    data = DegradedDataset(pictures(), (Hole(), Gauss()))
    for fixed in (False, True):
        passes = [loader(replace(data, fixed=fixed)).batch(p, N) for p in (0, N)]
        by_picture = [{x.numpy().tobytes(): s for x, s in zip(b["real"], b["source"], strict=True)} for b in passes]
        assert by_picture[0].keys() == by_picture[1].keys()
        assert all(torch.equal(s, by_picture[1][x]) == fixed for x, s in by_picture[0].items())


def test_a_fixed_picture_is_degraded_alike_in_any_part_and_run_and_as_a_sample() -> None:
    data = DegradedDataset(pictures(), (Gauss(sigma="10-50"),)).for_evaluation()
    made = data.samples()
    assert isinstance(made, PairSamples)
    assert np.array_equal(made.images, pictures().images)
    known = {x.tobytes(): y for x, y in zip(made.images, made.inputs, strict=True)}
    part = data.take(np.array([9, 3, 20]))
    assert np.array_equal(part.samples().inputs, made.inputs[[9, 3, 20]])
    for some, seed in ((data, 5), (part, 6)):
        batch = loader(some, seed).batch(7, 10)
        for real, source in zip(to_uint8(batch["real"]), to_uint8(batch["source"]), strict=True):
            assert np.array_equal(known[real.tobytes()], source)


def test_samples_of_a_set_in_training_are_those_of_a_fixed_one() -> None:
    data = DegradedDataset(pictures(), (Gauss(),))
    assert np.array_equal(data.samples().inputs, data.for_evaluation().samples().inputs)


def test_degradations_are_chained_and_their_masks_united() -> None:
    batch = DegradedDataset(pictures(), (Hole(), Hole())).batch(window(N))
    area = batch["mask"].flatten(1).sum(1)
    assert batch["mask"].unique().tolist() == [0, 1]
    assert area.max() == 8
    assert area.min() >= 4
    black = (batch["source"] == -1).all(1, keepdim=True)
    assert torch.equal(black | (batch["mask"] > 0), black)
    assert torch.equal(
        torch.where(batch["mask"] > 0, 0, batch["source"]), torch.where(batch["mask"] > 0, 0, batch["real"])
    )
    assert DegradedDataset(pictures(), (Hole(), Hole())).spec.mask
    assert "mask" not in DegradedDataset(pictures(), ()).batch(window(N))


def test_what_is_degraded_is_the_moved_picture() -> None:
    batch = DegradedDataset(pictures(), ()).augmented(flip=True, enlarge=1.2).batch(window(N))
    assert torch.equal(batch["source"], batch["real"])
    assert not torch.equal(batch["real"], pictures().batch(window(N))["real"])
