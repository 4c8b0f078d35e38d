"""SavedModel of TensorFlow, by way of Keras: for TensorFlow Serving, TensorFlow.js and C++, without Keras and without torch."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gancli.export.contracts import Arrays, Export, Runner, Source
from gancli.export.formats.keras import channels_last, facts, load, with_backend, write_folder
from gancli.runs.files import as_json


class SavedModel(Export):
    name = "savedmodel"
    needs: ClassVar[tuple[str, ...]] = ("keras", "tensorflow")
    extra: ClassVar[str] = "keras,tensorflow"

    def write(self, source: Source, path: Path) -> None:
        write_saved_model(source, path)
        (path / "gan.json").write_bytes(as_json(facts(source)))

    def runner(self, source: Source, path: Path) -> Runner | None:  # noqa: ARG002
        loaded = importlib.import_module("tensorflow").saved_model.load(str(path))

        def run(inputs: Arrays) -> np.ndarray:
            images: np.ndarray = loaded.serve(channels_last(inputs)).numpy()
            return images.transpose(0, 3, 1, 2)

        return run


def write_saved_model(source: Source, path: Path) -> Any:
    """Write the folder of a SavedModel, with one function `serve`; returns the Keras model. Raises UsageError."""
    with_backend("tensorflow")
    with tempfile.TemporaryDirectory() as beside:
        write_folder(source, Path(beside) / "keras", "tensorflow")
        model = load(Path(beside) / "keras/generator.keras")
    model.export(path, format="tf_saved_model", verbose=False)
    return model
