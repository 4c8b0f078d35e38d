"""A folder with the generator as a Keras model: `generator.keras`, and the code and weights that build it without torch."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gancli.core.errors import UsageError
from gancli.core.exportable import Draw
from gancli.core.seeds import derive
from gancli.export import seeds
from gancli.export.contracts import Arrays, Export, Runner, Source
from gancli.inference.generator import describe
from gancli.runs import tensors
from gancli.runs.files import as_json

CODE = files("gancli.export") / "keras"
COMMON = ("__init__", "building", "weights", "layers")


class Keras(Export):
    name = "keras"
    needs: ClassVar[tuple[str, ...]] = ("keras",)
    extra: ClassVar[str] = "keras"

    def write(self, source: Source, path: Path) -> None:
        write_folder(source, path)

    def runner(self, source: Source, path: Path) -> Runner | None:  # noqa: ARG002
        return called(load(path / "generator.keras"))


def write_folder(source: Source, path: Path, backend: str = "") -> None:
    """Write the folder of `--to keras`.

    Args:
        source: what is exported.
        path: of the new folder.
        backend: of Keras; empty: torch, unless KERAS_BACKEND says another.

    Raises:
        UsageError: there is no Keras code for the net, or Keras runs on another backend.
    """
    parts = _families(source)
    keras = with_backend(backend)
    path.mkdir()
    model = source.model
    (path / "model.safetensors").write_bytes(b"".join(tensors.encode(model.weights, {"format": "pt"})))
    (path / "config.json").write_bytes(as_json({**describe(model), "export": facts(source)}))
    (path / "README.md").write_text(_readme(source, keras.__version__))
    (path / "generator").mkdir()
    for name in (*COMMON, *parts):
        (path / "generator" / f"{name}.py").write_text((CODE / f"{name}.py").read_text())
    (path / "generator/seeds.py").write_text(_seeds_alone())
    with quiet():
        importlib.import_module("gancli.export.keras").build(path).save(path / "generator.keras")


def facts(source: Source) -> dict[str, Any]:
    """What the Keras code needs to know beside task and data."""
    model, known = source.model, source.model.task.maps(source.model.spec)
    out = dict(source.facts)
    if known:
        one = known[out["direction"]]
        sides = (one.source.height * one.scale, one.source.width * one.scale)
        out |= {"size": list(sides), "scale": one.scale, "exact": bool(getattr(model.task, "exact", False))}
    return out


def _families(source: Source) -> list[str]:
    """The files of the net: that of its name, and what it is taken from. Raises UsageError if there is none."""
    for kind in ("model", "translator"):
        part = getattr(source.model.task, kind, None)
        if part is None:
            continue
        name = f"{kind}_{part.name}"
        if not (CODE / f"{name}.py").is_file():
            raise UsageError(f"there is no Keras code for the {kind} {part.name!r}", "use --to onnx")
        code = (CODE / f"{name}.py").read_text()
        return [name, *(base for base in ("model_fastgan",) if f".{base} " in code)]
    raise UsageError(f"there is no Keras code for the task {source.model.task.name!r}", "use --to onnx")


def with_backend(backend: str = "") -> Any:
    """Import Keras.

    Args:
        backend: that it must run on; empty: torch, unless the user says another.

    Raises:
        UsageError: it runs on another backend already.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", backend or "torch")
        os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # else it logs each of its steps
    keras = importlib.import_module("keras")
    found = keras.backend.backend()
    if backend and found != backend:
        raise UsageError(f"this needs Keras on {backend}, and it runs on {found}", f"set KERAS_BACKEND={backend}")
    return keras


def _seeds_alone() -> str:
    """`gancli.export.seeds` without imports of gancli."""
    before, after = inspect.getsource(seeds).split(
        "from gancli.core.exportable import Draw\nfrom gancli.core.seeds import derive\n"
    )
    before = before.replace("import annotations\n", "import annotations\n\nimport hashlib").replace(
        "from math", "from dataclasses import dataclass\nfrom math"
    )
    return "\n\n".join([before, inspect.getsource(Draw), inspect.getsource(derive), after.lstrip("\n")])


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Keras says of its own code: on torch, it uses what numpy has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def load(path: Path) -> Any:
    """A .keras file as anyone loads it, without arbitrary code."""
    importlib.import_module("gancli.export.keras")  # registers its layers
    with quiet():
        return importlib.import_module("keras").saving.load_model(path, safe_mode=True)


def channels_last(inputs: Arrays) -> dict[str, np.ndarray]:
    """Inputs as Keras takes them: images [N, H, W, C], labels int32."""
    out = {}
    for name, x in inputs.items():
        x = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x  # noqa: PLW2901
        out[name] = x.astype(np.int32) if x.dtype == np.int64 else x
    return out


def called(model: Any) -> Runner:
    """A function that runs a Keras model."""
    ops = importlib.import_module("keras").ops

    def run(inputs: Arrays) -> np.ndarray:
        with quiet():
            images = ops.convert_to_numpy(ops.stop_gradient(model(channels_last(inputs), training=False)))
        return np.asarray(images).transpose(0, 3, 1, 2)

    return run


def _readme(source: Source, version: str) -> str:
    names = ", ".join(f"`{name}`" for name in source.exportable.inputs)
    return f"""# {source.name}

`generator.keras` is a model of Keras {version}. Inputs: {names}. Images are [N, H, W, C] in [-1, 1]. The folder
`generator` contains the code that builds it from `config.json` and `model.safetensors` by keras.layers; importing it
registers the layers that Keras does not have.

```python
import keras

import generator

model = keras.saving.load_model("generator.keras")  # the same as generator.build(".")
{_use(source)}
```

It can be trained further. Weights with spectral normalization were divided by their largest singular value.
License of the weights: {source.license}. SHA-256 of the weights: `{source.facts["weights_sha256"]}`.
"""


def _use(source: Source) -> str:
    """The line of the example that runs the model."""
    form = source.exportable
    if form.draws:
        return 'images = model(generator.inputs(".", seeds=[7, 8, 9]))  # those of gan sample --seed 7 --n 3'
    multiple = next(iter(form.free.values()))
    return f"images = model({{name: array for each input}})  # height and width: multiples of {multiple}, the training size or more"
