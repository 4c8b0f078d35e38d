"""The whole model: its inputs, the condition, the net, and what the task does with its output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from safetensors.numpy import load_file

from .layers import Bicubic
from .seeds import Draw, draw
from .weights import Net


def build(folder: str | Path) -> Any:
    """Build the model of an exported folder.

    Args:
        folder: with `config.json` and `model.safetensors`.

    Returns:
        A keras.Model with the trained weights. Its inputs are named z, label, attributes and noise, or image and mask.
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    if "image" in config["export"]["inputs"]:
        return _mapping(config, tensors)
    return _sampling(config, tensors)


def inputs(folder: str | Path, seeds: Sequence[int], labels: Sequence[int] | None = None) -> dict[str, np.ndarray]:
    """The inputs of a model that samples, drawn from seeds: its images are those of `gan sample --seed`.

    Args:
        folder: with `config.json`.
        seeds: N seeds.
        labels: N labels; None: (seed div 8) mod (number of classes).

    Returns:
        Arrays by the name of the input.
    """
    export = json.loads((Path(folder) / "config.json").read_text())["export"]
    draws = {
        name: [Draw(**{**how, "path": tuple(how["path"])}) for how in several]
        for name, several in export["draws"].items()
    }
    arrays = {name: draw(several, seeds) for name, several in draws.items()}
    if "label" in export["inputs"]:
        classes = export["choices"]["classes"]
        arrays["label"] = np.array([s // 8 % classes for s in seeds] if labels is None else labels, np.int32)
    return arrays


def _inputs(shapes: dict[str, tuple[int | None, ...]]) -> dict[str, Any]:
    return {
        name: keras.Input(shape, dtype="int32" if name == "label" else "float32", name=name)
        for name, shape in shapes.items()
    }


def _sampling(config: dict[str, Any], tensors: dict[str, Any]) -> Any:
    """A model that makes images from latent vectors."""
    task, spec = config["task"], config["spec"]
    given = _inputs({name: tuple(shape) for name, shape in config["export"]["inputs"].items()})
    g, c = Net(tensors, "G."), _condition(given, task["condition"], spec)
    if c is not None and g.has("embedding.weight"):
        c, g = g.dense(c, "embedding"), g.at("net")
    shape = (spec["channels"], spec["height"], spec["width"])
    family = import_module(f".model_{task['model']['name']}", __package__)
    noise = {"noise": given["noise"]} if "noise" in given else {}
    images = family.generator(g, given["z"], c, task["model"], shape, **noise)
    return keras.Model(given, ops.clip(images, -1, 1), name="generator")


def _condition(given: dict[str, Any], condition: dict[str, Any], spec: dict[str, Any]) -> Any:
    """The condition vector: the one-hot label, the attributes, or both."""
    parts = []
    if "label" in given:
        classes = condition.get("classes", spec["classes"])
        parts.append(ops.cast(ops.one_hot(given["label"], classes), "float32"))
    if "attributes" in given:
        last = condition["name"] == "infogan"
        parts.insert(len(parts) if last else 0, given["attributes"])
    if len(parts) == 2:
        return keras.layers.Concatenate()(parts)
    return parts[0] if parts else None


def _mapping(config: dict[str, Any], tensors: dict[str, Any]) -> Any:
    """A model that maps images to images, of any size that the net can halve."""
    task, export = config["task"], config["export"]
    given = _inputs({name: (None, None, shape[0]) for name, shape in export["inputs"].items()})
    x = given["image"]
    backwards = "direction" in task and export["direction"] != task["direction"]
    g = Net(tensors, "F.net." if backwards else "G.net.")
    size = tuple(export["size"])
    family = import_module(f".translator_{task['translator']['name']}", __package__)

    def net(x: Any) -> Any:
        z = task.get("z", 0)
        x = keras.layers.Concatenate()([x, *[ops.zeros_like(x[..., :1])] * z]) if z else x
        return family.translator(g, x, task["translator"], size)

    if "degrade" not in task:  # translation
        return keras.Model(given, ops.tanh(net(x)), name="generator")
    if (scale := export["scale"]) > 1:
        x = Bicubic(scale)(x)
    if "mask" not in given:
        return keras.Model(given, ops.clip(x + net(x), -1, 1), name="generator")
    mask = given["mask"]
    x = x * (1 - mask)
    made = net(keras.layers.Concatenate()([x, mask]))
    return keras.Model(given, ops.clip(x + (mask * made if export["exact"] else made), -1, 1), name="generator")
