"""Conditions: what reaches which net, heads against their formulas, codes that are drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core.errors import UsageError
from gancli.core.nets import Condition
from gancli.core.registry import build, parts
from gancli.core.specs import Images

SHAPE = Images(channels=1, height=8, width=8, classes=5, attributes=3)
NAMES = list(parts("condition"))


def made(name: str, **options: Any) -> Condition:
    return build("condition", {"name": name, **options})  # type: ignore[return-value]


@pytest.mark.parametrize("name", NAMES)
def test_vector_and_head_fit(name: str) -> None:
    condition = made(name)
    width = condition.width(SHAPE)
    y, a = torch.arange(4), torch.randn(4, condition.width(SHAPE) - 10 if name == "infogan" else 3)
    c = condition.encode(y, a, SHAPE)
    head = condition.head(6, SHAPE)
    features = torch.randn(4, 6)
    if width == 0:
        assert c is None
    else:
        assert c is not None
        assert c.shape == (4, width)
        embedding = condition.embedding(SHAPE, "G")
        assert (c if embedding is None else embedding(c)).shape == (4, condition.embedded_width(SHAPE))
    assert head(features, c).shape == (4,)
    if condition.has_auxiliary:
        assert c is not None
        for fake in (False, True):
            loss = condition.auxiliary(head, features, c, fake)
            assert loss.shape == (4,)
            assert torch.isfinite(loss).all()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "none"])
def test_what_is_not_given_is_drawn_per_sample(name: str) -> None:
    condition = made(name)
    noise = torch.randn(2000, condition.width(SHAPE))
    c = condition.encode(None, None, SHAPE, noise)
    assert c is not None
    one = condition.encode(None, None, SHAPE, noise[7:8])
    assert one is not None
    torch.testing.assert_close(one[0], c[7], rtol=0, atol=0)
    if name not in ("attributes", "infogan"):
        torch.testing.assert_close(c.mean(0), torch.full((5,), 0.2), atol=0.05, rtol=0)


@pytest.mark.parametrize("name", ["concat", "embedding", "projection", "acgan", "attributes"])
def test_data_without_it_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        made(name).width(Images(channels=1, height=8, width=8))


def test_projection_is_its_formula() -> None:
    head = made("projection").head(6, SHAPE)
    features, y = torch.randn(4, 6), torch.tensor([0, 3, 3, 1])
    c = torch.eye(5)[y]
    table = head.table.weight.t()  # type: ignore[union-attr, operator]
    expected = features @ head.linear.weight[0] + head.linear.bias + (table[y] * features).sum(1)  # type: ignore[union-attr, index]
    torch.testing.assert_close(head(features, c), expected)


@pytest.mark.parametrize("name", [n for n in NAMES if made(n).has_auxiliary])
def test_what_is_guessed_from_the_image_was_not_told_with_it(name: str) -> None:
    assert not made(name).in_trunk


def test_acgan_s_loss_is_the_cross_entropy() -> None:
    condition = made("acgan", weight=2.0, weight_fake=3.0)
    head = condition.head(6, SHAPE)
    features, y = torch.randn(4, 6), torch.tensor([0, 3, 3, 1])
    logits = head.classify(features)  # type: ignore[operator]
    expected = -logits.log_softmax(1)[torch.arange(4), y]
    torch.testing.assert_close(condition.auxiliary(head, features, torch.eye(5)[y], False), 2 * expected)
    torch.testing.assert_close(condition.auxiliary(head, features, torch.eye(5)[y], True), 3 * expected)


def test_infogan_s_codes() -> None:
    condition = made("infogan", classes=4, continuous=2, weight=1.0, weight_continuous=0.1)
    c = condition.encode(None, None, SHAPE, torch.randn(4000, 6))
    assert c is not None
    torch.testing.assert_close(c[:, :4].mean(0), torch.full((4,), 0.25), atol=0.04, rtol=0)
    assert c[:, 4:].abs().max() <= 1
    assert float(c[:, 4:].var()) == pytest.approx(1 / 3, abs=0.03)  # uniform in [-1, 1]
    head, features = condition.head(6, SHAPE), torch.randn(4000, 6)
    q = head.classify(features)  # type: ignore[operator]
    expected = -(q[:, :4].log_softmax(1) * c[:, :4]).sum(1) + 0.1 * (q[:, 4:] - c[:, 4:]).square().sum(1) / 2
    torch.testing.assert_close(condition.auxiliary(head, features, c, True), expected)
    assert condition.auxiliary(head, features, c, False).abs().max() == 0  # nothing is to be read from a real
    told = condition.encode(torch.tensor([2]), torch.tensor([[0.5, -1.0]]), SHAPE)
    assert told is not None
    assert told.tolist() == [[0, 0, 1, 0, 0.5, -1]]


def test_attributes_and_labels_together() -> None:
    condition = made("attributes", labels=True)
    c = condition.encode(torch.tensor([1]), torch.tensor([[0.1, 0.2, 0.3]]), SHAPE)
    assert c is not None
    torch.testing.assert_close(c, torch.tensor([[0.1, 0.2, 0.3, 0, 1, 0, 0, 0]]))
    assert condition.encode(None, None, SHAPE, torch.randn(2, 8)).shape == (2, 8)  # type: ignore[union-attr]
