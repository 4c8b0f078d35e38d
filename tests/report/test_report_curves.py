"""`curves.png`: which panels there are, what is in them, and that it is drawn without a warning (warnings are errors here)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from gancli.report import curves
from gancli.runs import journal

OLD = Path(__file__).parents[1] / "golden" / "format-1" / "metrics.jsonl"


def lines(n: int, **values: float) -> list[dict[str, Any]]:
    """A journal: keys with "/" are given with "__"."""
    named = {key.replace("__", "/"): value for key, value in values.items()}
    return [{"step": 50 * i, "epoch": i / 2, "images": 5000 * i, "seconds": i, **named} for i in range(1, n + 1)]


def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *given: Any) -> Figure:
    """What `draw` saves."""
    found: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *words: Any, **more: Any) -> None:
        found.append(figure)
        save(figure, *words, **more)

    monkeypatch.setattr(Figure, "savefig", keep)
    curves.draw(given[0], tmp_path / "c.png", "a run", *given[1:])
    with Image.open(tmp_path / "c.png") as picture:
        picture.verify()
    return found[0]


def test_panels_are_grouped_by_prefix_in_their_order() -> None:
    found = curves.panels(
        lines(
            3,
            images_per_s=9,
            grad__G=1,
            custom__x=2,
            penalty__D__r1=3,
            logit__D__real=0,
            loss__G=1,
            loss__D=2,
            d_loss=2,
            p=1,
        )
    )
    assert [p.title for p in found] == [
        "loss", "D(x): sigmoid of the mean logit", "penalty", "custom", "p", "gradient norm", "images per second",
    ]  # fmt: skip
    assert {key: len(points) for key, points in found[0].curves.items()} == {("G", ""): 3, ("D", ""): 3}
    assert found[2].curves == {("D", "r1"): [(5000, 3), (10000, 3), (15000, 3)]}


def test_old_journals_have_the_same_panels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "logit_real" in OLD.read_text()
    old = journal.read(OLD)
    found = curves.panels(old)
    assert [p.title for p in found][:2] == ["loss", "D(x): sigmoid of the mean logit"]
    assert set(found[1].curves) == {("D", "real"), ("D", "fake")}
    axes = drawn(monkeypatch, tmp_path, old * 2).axes
    assert [a.get_title(loc="left") for a in axes if a.axison] == [p.title for p in found]


@pytest.mark.parametrize("logit", [2.0, 300.0])
def test_logits_are_drawn_by_their_sigmoid_unless_they_are_too_large(logit: float) -> None:
    (panel,) = curves.panels(lines(2, logit__D__real=logit, logit__D__fake=0.0))
    assert panel.title == ("D(x): sigmoid of the mean logit" if logit < 10 else "mean logit")
    assert panel.curves[("D", "real")][0][1] == pytest.approx(1 / (1 + math.exp(-2)) if logit < 10 else 300)
    assert panel.curves[("D", "fake")][0][1] == (0.5 if logit < 10 else 0)


def test_the_headline_score_is_over_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = [
        {"step": 7 * i, "images": 7000 * i, "until": "fid<8", "met": False, "precision@x": 0.5, "fid@x": 30.0 / i}
        for i in (1, 2)
    ]
    figure = drawn(monkeypatch, tmp_path, lines(3, loss__D=1), scores, "fid")
    axes = next(a for a in figure.axes if "validation" in a.get_title(loc="left"))
    assert axes.get_title(loc="left") == "validation fid (x)"
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[7000, 30], [14000, 15]]]  # type: ignore[union-attr]
    assert not any("validation" in p.title for p in curves.panels(lines(3, loss__D=1), scores, "kid"))


def test_many_nets_and_what_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nets = [f"{kind}_{i}" for i in range(6) for kind in "DG"]
    values = {f"{prefix}__{net}": 1.0 for prefix in ("loss", "grad", "update") for net in nets}
    damaged: list[dict[str, Any]] = [
        {"images": 30_000, "loss/D_0": None, "loss/G_0": "x", "loss/D_1": 1e300, "note": True},
        {"images": None},
    ]
    figure = drawn(monkeypatch, tmp_path, [*lines(4, **values), *damaged])
    loss = figure.axes[0]
    assert len(loss.lines) == 12
    legend = loss.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == sorted(nets)
    colors = [
        {
            a.get_title(loc="left"): line.get_color()
            for a in figure.axes[:3]
            for line in a.lines
            if line.get_label() == net
        }
        for net in nets
    ]
    assert all(len(set(of.values())) == 1 and len(of) == 3 for of in colors), "a net has one color in all panels"


def test_too_few_lines_draw_nothing(tmp_path: Path) -> None:
    curves.draw(lines(1, loss__D=1), tmp_path / "c.png", "a run")
    assert not (tmp_path / "c.png").exists()
