"""TensorFlow Lite (LiteRT), by way of Keras: one file for phones and small devices, in float32."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np

from gancli.core.errors import UsageError
from gancli.export.contracts import Arrays, Export, Runner, Source
from gancli.export.formats.keras import channels_last
from gancli.export.formats.savedmodel import write_saved_model


class TFLite(Export):
    name = "tflite"
    suffix: ClassVar[str] = ".tflite"
    needs: ClassVar[tuple[str, ...]] = ("keras", "tensorflow")
    extra: ClassVar[str] = "keras,tensorflow"

    def write(self, source: Source, path: Path) -> None:
        lite = importlib.import_module("tensorflow").lite
        with tempfile.TemporaryDirectory() as beside:
            write_saved_model(source, Path(beside) / "it")
            converter = lite.TFLiteConverter.from_saved_model(str(Path(beside) / "it"))
            try:
                path.write_bytes(converter.convert())
            except lite.experimental.ConverterError as error:  # pragma: no cover
                raise UsageError(
                    f"TensorFlow Lite lacks an operation of this net: {error}", "use --to savedmodel"
                ) from None

    def runner(self, source: Source, path: Path) -> Runner | None:  # noqa: ARG002
        lite = importlib.import_module("tensorflow").lite
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it moves to another package
            interpreter = lite.Interpreter(model_content=path.read_bytes(), num_threads=1)
        details = {
            one["name"].removeprefix("serving_default_").partition(":")[0]: one
            for one in interpreter.get_input_details()
        }

        def run(inputs: Arrays) -> np.ndarray:
            arrays = channels_last(inputs)
            for name, x in arrays.items():
                interpreter.resize_tensor_input(details[name]["index"], x.shape)
            interpreter.allocate_tensors()
            for name, x in arrays.items():
                interpreter.set_tensor(details[name]["index"], x)
            interpreter.invoke()
            images: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            return images.transpose(0, 3, 1, 2)

        return run
