"""A study on small data: the digits of scikit-learn, one of them rare, and generators that give real images, copies or anything.

Their "samples" are images of an array, by label and seed: what a perfect generator, one that copies and one that ignores its labels
would give is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gancli.augmentation.options import Options
from gancli.augmentation.parts import Parts, parts
from gancli.augmentation.subject import Subject
from gancli.core.contracts import Tick
from gancli.core.data import Split
from gancli.core.images import ImageSamples
from gancli.core.specs import Images
from gancli.core.task import Choices
from gancli.data.images import ImageDataset
from gancli.inference.generator import Model
from gancli.runs.folder import Run
from gancli.tasks.generate import Generate

RARE, FEW, EACH = 3, 3, 40
ALSO = 8  # is as rare
CLASSES = (0, 3, 8, 9)  # of the digits
NAMES = tuple(map(str, CLASSES))
AT = (CLASSES.index(RARE), CLASSES.index(ALSO))
OBSERVER: dict[str, Any] = {"steps": 120, "batch": 32, "widths": [16, 32], "pool_after": [0]}
QUICK: dict[str, Any] = {
    "name": "estimator",
    "target": "LogisticRegression",
    "options": {"max_iter": 200, "tol": 0.01},
    "rows": 240,
}


class Replay(Generate):
    """Gives images of an array instead of those of a net; the seed says which of a label."""

    name = "test-replay"

    def choices(self, spec: Any) -> Choices:
        return Choices(len(NAMES), 0, True)

    def images(self, nets: Any, ask: Any, spec: Any) -> torch.Tensor:
        by_label = nets["G"].table
        found = [
            by_label[label][seed % len(by_label[label])] for label, seed in zip(ask.labels, ask.seeds, strict=True)
        ]
        return torch.from_numpy(np.stack(found)).float() / 127.5 - 1

    def generate(self, nets: Any, ask: Any, spec: Any) -> ImageSamples:
        images = ((self.images(nets, ask, spec) + 1) * 127.5).round().to(torch.uint8).numpy()
        return ImageSamples(images, np.array(ask.labels))


class Table(torch.nn.Module):
    def __init__(self, table: list[np.ndarray]) -> None:
        super().__init__()
        self.table = table


@dataclass(frozen=True)
class Digits:
    """The data, and the images that no part of it has."""

    split: Split[ImageDataset]
    parts: Parts
    spare: list[np.ndarray]  # by class, uint8 [n, 1, 8, 8]


def enlarged(images: np.ndarray) -> np.ndarray:
    return (images * 15).astype(np.uint8)[:, None]


@pytest.fixture(scope="session")
def digits() -> Digits:
    """40 training images of each class and 3 of two rare ones, 12 for validation, 70 for tests; the others are spare."""
    data = load_digits()
    by_class = [enlarged(data.images[data.target == k]) for k in CLASSES]

    def part(of: Callable[[int], slice]) -> ImageDataset:
        images = [own[of(k)] for k, own in enumerate(by_class)]
        labels = np.repeat(np.arange(len(images)), [len(own) for own in images])
        return ImageDataset(np.concatenate(images), labels, classes=NAMES)

    split = Split(
        train=part(lambda k: slice(0, FEW if k in AT else EACH)),
        validation=part(lambda _k: slice(EACH, EACH + 12)),
        test=part(lambda _k: slice(EACH + 12, EACH + 82)),
    )
    return Digits(split, parts(split), [own[EACH + 82 :] for own in by_class])


def model(table: list[np.ndarray]) -> Model:
    """A model whose samples of a class are these images."""
    spec = Images(channels=1, height=8, width=8, classes=len(NAMES))
    return Model(Replay(), {"G": Table(table)}, spec, Tick(0, 1, 1), {"classes": list(NAMES), "same_data": True})


@pytest.fixture
def generators(digits: Digits) -> dict[str, Model]:
    """A perfect generator, one that copies its training images (with a little noise), and one that ignores its labels."""
    real = digits.parts.real
    random = np.random.default_rng(0)
    own = [real.images[real.labels == k] for k in range(len(NAMES))]
    copies = [
        np.clip(x[random.integers(0, len(x), 100)] + random.integers(-2, 3, (100, 1, 8, 8)), 0, 255).astype(np.uint8)
        for x in own
    ]
    mixed = np.concatenate(digits.spare)
    anything = [mixed[random.permutation(len(mixed))] for _ in NAMES]
    return {"perfect": model(digits.spare), "copies": model(copies), "ignores": model(anything)}


@pytest.fixture
def subject(digits: Digits, tmp_path: Path) -> Callable[[Model], Subject]:
    run = Run(tmp_path / "run")
    return lambda made: Subject(run, made, digits.split.train, digits.parts, None)


@pytest.fixture
def options() -> Options:
    return Options.model_validate(
        {
            "classifier": QUICK,
            "observer": OBSERVER,
            "seeds": 4,
            "ratios": [2.0],
            "agreements": [0.0],
            "filters": {"rank": 0.0, "agreement": 0.0},
            "to": f"{RARE}=40,{ALSO}=40",
        }
    )
