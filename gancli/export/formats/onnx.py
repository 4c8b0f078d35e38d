"""ONNX: a file that onnxruntime, OpenVINO, TensorRT, browsers and many others run, with a batch of any size."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from gancli.core.exportable import Exportable
from gancli.export.contracts import Arrays, Export, Runner, Source

MOST_ROWS, MOST_STEPS = 4096, 512  # upper bounds of free sizes, in rows and in multiples of the divisor


class Onnx(Export):
    name = "onnx"
    suffix: ClassVar[str] = ".onnx"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")

    def write(self, source: Source, path: Path) -> None:
        path.write_bytes(model_bytes(source))

    def runner(self, source: Source, path: Path) -> Runner | None:  # noqa: ARG002
        return session(path)

    def files(self, source: Source) -> Mapping[str, bytes]:
        return source.exportable.files


def model_bytes(source: Source) -> bytes:
    """The content of an .onnx file, with the model's facts as its metadata. Raises UsageError if the task has nothing to export."""
    import onnx

    proto = _quietly_exported(source.exportable)
    for key, value in source.facts.items():
        if value not in (None, [], {}):
            entry = proto.metadata_props.add()
            entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _quietly_exported(form: Exportable) -> Any:
    """The exporter reports its steps on standard output, and what torch deprecates within itself as warnings."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            program = torch.onnx.export(
                form.module.eval(),
                (),
                kwargs={name: _above_one(x, form.free.get(name, 0)) for name, x in form.inputs.items()},
                dynamo=True,
                external_data=False,
                input_names=list(form.inputs),
                output_names=[form.output],
                dynamic_shapes=_free_sizes(form),
                verbose=False,
            )
        finally:
            logging.disable(logging.NOTSET)
    assert program is not None
    return program.model_proto


def _above_one(example: torch.Tensor, divisor: int) -> torch.Tensor:
    """The example, twice as large where its sides are the divisor itself: torch.export fixes a size that is one step of it."""
    return example.repeat(1, 1, *(2 if side <= divisor else 1 for side in example.shape[2:])) if divisor else example


def _free_sizes(form: Exportable) -> dict[str, dict[int, Any]]:
    """Rows are free, and height and width where the task says so."""
    rows = torch.export.Dim("rows", min=1, max=MOST_ROWS)
    sides = {
        axis: torch.export.Dim(name, min=1, max=MOST_STEPS) for axis, name in ((2, "height_step"), (3, "width_step"))
    }
    return {
        name: {0: rows, **({axis: form.free[name] * side for axis, side in sides.items()} if name in form.free else {})}
        for name in form.inputs
    }


def session(model: Path | bytes) -> Runner:
    """A function that runs a model in onnxruntime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    content = model if isinstance(model, bytes) else str(model)
    loaded = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: Arrays) -> np.ndarray:
        output: np.ndarray = loaded.run(None, dict(inputs))[0]
        return output

    return run
