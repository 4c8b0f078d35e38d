"""`estimator`: any object with `fit` and `predict`: an estimator of scikit-learn, or a class of your own.

`fit(X, y)` gets X float32 [N, D], pixels in [0, 1], and y int64 [N]; if the object has an attribute `images` that is true, X is
uint8 [N, C, H, W]. Every arm gives the same number of rows. Weights are passed on as `sample_weight` if `fit` takes it, the
seed as `random_state` or `seed` if the constructor takes it. `predict` returns labels; `predict_proba`, if there is one,
probabilities in the order of `classes_`.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from gancli.augmentation.contracts import Classifier, Lesson, Predict
from gancli.core import plugins
from gancli.core.errors import DataError, UsageError
from gancli.core.registry import load_plugin, nearest, parts
from gancli.evaluation.metrics.cas import one_thread

AT_ONCE = 500  # rows that are drawn at a time


class Estimator(Classifier):
    name = "estimator"
    takes_mixed: ClassVar[bool] = False
    target: str = Field(description="name of a scikit-learn classifier, module:NAME, or file.py:NAME")
    options: dict[str, Any] = Field({}, description="arguments of its constructor")
    rows: int = Field(10_000, ge=1, description="images that each arm gives")

    @property
    def takes_weights(self) -> bool:
        return "sample_weight" in inspect.signature(self.made(0).fit).parameters

    @property
    def identity(self) -> Mapping[str, object]:
        place, _, _ = self.target.rpartition(":")
        file = Path(place)
        known = hashlib.sha256(file.read_bytes()).hexdigest() if file.suffix == ".py" and file.is_file() else ""
        return {**self.model_dump(mode="json"), "sha256": known}

    def check(self) -> None:
        self.made(0)

    def made(self, seed: int) -> Any:
        """A new object.

        Raises:
            UsageError: there is no such thing, or it has no `fit` and `predict`.
        """
        make = found(self.target)
        own = dict(self.options)
        accepted = inspect.signature(make).parameters if callable(make) else {}
        own |= {name: seed % 2**32 for name in ("random_state", "seed") if name in accepted and name not in own}
        try:
            out = make(**own) if callable(make) else make
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{self.target}: {error}", "options of the constructor: --set classifier.options.NAME=VALUE"
            ) from None
        if not all(callable(getattr(out, name, None)) for name in ("fit", "predict")):
            raise UsageError(f"{self.target} has no fit and predict", "name a class whose objects have both")
        return out

    def fit(self, lesson: Lesson) -> Predict:
        thing = self.made(lesson.seed)
        parts = [lesson.batch(at, min(AT_ONCE, self.rows - at)) for at in range(0, self.rows, AT_ONCE)]
        images = (
            torch.cat([part.images for part in parts])
            .add_(1)
            .mul_(127.5)
            .round_()
            .clamp_(0, 255)
            .to(torch.uint8)
            .numpy()
        )
        labels = torch.cat([part.targets for part in parts]).argmax(1).numpy()
        weights = [part.weights for part in parts if part.weights is not None]
        more = {"sample_weight": torch.cat(weights).numpy()} if weights else {}
        with one_thread(), _seeded(lesson.seed):
            try:
                thing.fit(_inputs(thing, images), labels, **more)
            except (TypeError, ValueError) as error:
                raise DataError(f"{self.target}: fit failed: {error}", "see its options") from error

        def predict(some: np.ndarray) -> np.ndarray:
            with one_thread():
                return _probabilities(thing, _inputs(thing, some), lesson.classes)

        return predict


def named(text: str) -> dict[str, Any]:
    """The table of a classifier that a user names: a registered one, or what `found` finds.

    Raises:
        UsageError: there is no such thing.
    """
    if text in parts("classifier") and text != Estimator.name:
        return {"name": text}
    found(text)
    return {"name": Estimator.name, "target": text}


def found(target: str) -> Any:
    """What a target names. Raises UsageError."""
    place, _, name = target.rpartition(":")
    if not place:
        from sklearn.utils import all_estimators

        known = dict(all_estimators(type_filter="classifier"))
        if name not in known:
            raise UsageError(
                f"no classifier {target!r}",
                nearest(target, known) or "name net, a classifier of scikit-learn, or file.py:NAME",
            )
        return known[name]
    if place.endswith(".py"):
        load_plugin(Path(place))
        module = sys.modules[f"{plugins.PREFIX}{Path(place).stem}"]
    else:
        try:
            module = importlib.import_module(place)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"classifier {target}: {error}", "name file.py:NAME, or a module that is installed"
            ) from None
    if not hasattr(module, name):
        raise UsageError(f"{place} has no {name!r}", nearest(name, vars(module)))
    return getattr(module, name)


def _inputs(thing: Any, images: np.ndarray) -> np.ndarray:
    if getattr(thing, "images", False):
        return images
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _probabilities(thing: Any, inputs: np.ndarray, classes: int) -> np.ndarray:
    """float32 [n, K]; one-hot where there is no `predict_proba`."""
    out = np.zeros((len(inputs), classes), np.float32)
    if callable(getattr(thing, "predict_proba", None)):
        given = np.asarray(thing.predict_proba(inputs), np.float32)
        out[:, np.asarray(getattr(thing, "classes_", range(given.shape[1])), int)] = given
        return out
    labels = np.asarray(thing.predict(inputs))
    if labels.shape != (len(inputs),) or not np.isin(labels, np.arange(classes)).all():
        raise DataError(
            f"predict returned {labels.dtype} {list(labels.shape)}",
            f"it must return labels 0 .. {classes - 1}, one a row",
        )
    out[np.arange(len(inputs)), labels.astype(int)] = 1
    return out


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The global generators of numpy and torch, seeded, for objects that use them; afterwards as before."""
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)
