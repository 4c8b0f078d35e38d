"""The monitor of a run: its samples, its classifier and `monitor.jsonl` around `engine/monitor.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from gancli.core.images import to_uint8
from gancli.core.registry import build
from gancli.data.store import Store
from gancli.evaluation.contracts import Features
from gancli.inference import generator
from gancli.runs import folder, journal
from gancli.training.monitor import Monitor
from gancli.training.prepare import Plan
from gancli.training.state import State

DRAWN = 64  # samples looked at
CLASSIFIED = 16  # of them at once: maps of 64 would take 30 MB
LOOKS = 4  # in an epoch


class Signs:
    """Looks at the run four times in an epoch, and at each line of the journal at how far the nets moved."""

    def __init__(
        self, run: folder.Run, plan: Plan, warn: Callable[[str], None], note: Callable[[str], None], state: State
    ) -> None:
        train, test, cfg = plan.store, plan.split.test, plan.cfg
        held_out = Store(test, cfg.seed, train.device, train.dtype) if len(test.images) else None
        before, every = journal.read(run.monitor), max(1, train.epoch // LOOKS)
        self.plan = plan
        self.monitor = Monitor(cfg.task, cfg, train, held_out, warn, note, before, every)
        self.journal = journal.Journal(run.monitor, warn)
        self.last: dict[str, Any] = (journal.read(run.journal) or [{}])[-1]
        self.updates = self.monitor.stepped(state)

    def stepped(self, state: State) -> None:
        self.updates = self.monitor.stepped(state)
        if self.monitor.due(state):
            self.look(state)

    def look(self, state: State) -> None:
        made = generator.of_state(self.plan.cfg.task, state)
        labels = made.row_labels(DRAWN) if made.told else None
        images = made.sample(DRAWN, seed=0, labels=labels)
        classes = None if self.classifier is None else self._classes(to_uint8(images))
        self.journal.write(self.monitor.look(state, images, labels, self.last, classes))

    @cached_property
    def classifier(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """uint8 images to labels, where the source names features that know its classes."""
        source, train = self.plan.cfg.data.source, self.plan.split.train
        if source.features == "auto" or train.labels is None:
            return None
        part = build("features", source.features)
        assert isinstance(part, Features)
        net = part.prepare(train, self.plan.reading.cache_dir, self.plan.store.device)
        if not net.columns or net.columns != train.classes:
            return None

        def classify(images: np.ndarray) -> np.ndarray:
            parts = [net(images[i : i + CLASSIFIED]).probabilities for i in range(0, len(images), CLASSIFIED)]
            return np.concatenate([p.argmax(1) for p in parts if p is not None])

        return classify

    def _classes(self, images: np.ndarray) -> float:
        """Total variation between the shares of the samples' classes and of the data's."""
        train = self.plan.split.train
        assert self.classifier is not None and train.labels is not None  # noqa: PT018
        real = np.bincount(train.labels, minlength=len(train.classes))
        fake = np.bincount(self.classifier(images), minlength=len(real))
        return float(np.abs(real / real.sum() - fake / fake.sum()).sum() / 2)
