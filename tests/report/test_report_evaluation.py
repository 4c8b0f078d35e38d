"""evaluation.png: no text lies on another, however long names are; every class is shown."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import Score
from gancli.evaluation.results import Evaluation, Pair, Pairs
from gancli.report.evaluation import figure

LONG = "efficientnet-lite0"


def evaluation(features: str, classes: int, pairs: bool) -> Evaluation:
    """As of a conditional model, with the longest names and the widest numbers that there are."""
    names = [f"a class of a long name {i}" for i in range(classes)]
    wide = {"error": 0.01735123, "reference": -0.03036123}
    detail = {name: 1 / (i + 1) for i, name in enumerate(names)}
    scores = {
        f"{name}@{features}": Score(12345.678 if name == "fid" else 0.9871, "words", detail=detail, **wide)
        for name in (
            "fid",
            "kid",
            "precision",
            "recall",
            "copied-p",
            "label-agreement",
            "class-kl",
            "density",
            "coverage",
        )
    }
    images = np.zeros((max(1, classes) * 8, 3, 16, 16), np.uint8)
    samples = ImageSamples(images, np.repeat(np.arange(classes), 8) if classes else None)
    some = samples.take(slice(0, 8))
    found = Pairs(tuple(Pair(i, i, 0.1, 0.91) for i in range(8)), some, some) if pairs else None
    protocol = {
        "n_fake": 10_000, "n_real": 10_000, "split": "validation set", "features": features,
        "asked": dict.fromkeys(names, 8),
    }  # fmt: skip
    return Evaluation(scores, protocol, {}, found, samples)


def test_intervals_of_shares_are_drawn_within_their_range() -> None:
    shares = {
        name: Score(value, "", "higher", 0.2, "binomial") for name, value in (("precision", 0.95), ("recall", 0.1))
    }
    spread = {"density": Score(1.5, "", "reference", 0.2, "analytic"), "coverage": Score(0.5, "", "higher")}
    drawn = figure(Evaluation({f"{k}@x": v for k, v in (shares | spread).items()}, {}, {}))
    ends = [
        line
        for axes in drawn.axes
        for container in axes.containers
        if (bars := getattr(container, "errorbar", None)) is not None
        for line in bars.lines[2][0].get_segments()
    ]
    found = {round(float(line[:, 1].mean()), 3): (line[:, 1].min(), line[:, 1].max()) for line in ends}
    lows, highs = zip(*found.values(), strict=True)
    assert min(lows) == 0
    assert sorted(high for high in highs)[-2:] == [1.0, pytest.approx(1.892)]


@pytest.mark.parametrize("features", [LONG, "x", "classifier-0123abcd"])
@pytest.mark.parametrize(("classes", "pairs"), [(0, False), (10, True), (10, False)])
def test_no_text_lies_on_another(features: str, classes: int, pairs: bool) -> None:
    drawn = figure(evaluation(features, classes, pairs))
    drawn.draw_without_rendering()
    for axes in drawn.axes:
        own = (axes.title, axes._left_title, axes._right_title, *axes.texts)
        labels = (*axes.get_xticklabels(), *axes.get_yticklabels())
        turned = any(label.get_rotation() for label in labels)  # whose boxes are larger than they are
        texts: list[Text] = [text for text in (*own, *(() if turned else labels)) if text.get_text()]
        boxes = [(text, text.get_window_extent()) for text in texts]
        for (a, first), (b, second) in combinations(boxes, 2):
            apart = (
                first.x1 <= second.x0 or second.x1 <= first.x0 or first.y1 <= second.y0 + 2 or second.y1 <= first.y0 + 2
            )
            assert apart, (a.get_text(), b.get_text())
    whole = drawn.bbox
    for text in (t for axes in drawn.axes for t in (axes._left_title, axes._right_title, *axes.texts) if t.get_text()):
        box = text.get_window_extent()
        assert whole.x0 <= box.x0, text.get_text()
        assert box.x1 <= whole.x1, text.get_text()
