"""Predictions that are there already: a study that was stopped goes on with the arms that are done.

A file's name carries a digest of everything that its content depends on: results of other options are never mixed in.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gancli.augmentation.scores import Predictions
from gancli.core.errors import CheckpointError
from gancli.core.files import Folder

FOLDER = "results"
LARGEST = 1 << 30  # bytes of a file


@dataclass(frozen=True)
class Store:
    """The results of a study, a file for each training of a classifier."""

    path: Path

    @property
    def _folder(self) -> Folder:
        return Folder(self.path) / FOLDER

    def recall(self, arm: str, seed: int, depends: dict[str, Any], n: int) -> Predictions | None:
        """What was kept of n images; None if there is nothing, or it is damaged."""
        try:
            content = self._folder.read(_name(arm, seed, depends), LARGEST)
            with np.load(io.BytesIO(content), allow_pickle=False) as found:
                out = Predictions(found["labels"], found["confidence"], found["of_true"])
        except (CheckpointError, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        fields = (out.labels, out.confidence, out.of_true)
        return out if all(field.shape == (n,) for field in fields) and out.labels.dtype == np.int64 else None

    def keep(self, arm: str, seed: int, depends: dict[str, Any], found: Predictions) -> None:
        """Write predictions atomically."""
        out = io.BytesIO()
        np.savez(out, labels=found.labels, confidence=found.confidence, of_true=found.of_true)
        Folder(self.path).make(parents=True)
        self._folder.make()
        self._folder.write(_name(arm, seed, depends), out.getvalue(), synced=False)


def _name(arm: str, seed: int, depends: dict[str, Any]) -> str:
    text = json.dumps(depends, sort_keys=True)
    return f"{arm}-{seed:03}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
