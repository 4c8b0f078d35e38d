"""What pages ask of a trained model, carried out in a child of the zygote: what it can be asked for, samples, mappings of pictures.

Which fields a page shows depends on the request that the task answers (`Task.asks`) and on what its mappings say, never on a task's
name: options of a request that are not known here are shown by their type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from gancli.core.errors import DataError, GanError, UsageError
from gancli.core.files import write_atomic
from gancli.core.registry import load_plugin
from gancli.core.samples import Ask, File, FromInput, FromSeeds, Samples, with_options
from gancli.core.task import Task
from gancli.data import whole
from gancli.data.decode import BrokenImageError
from gancli.inference.apply import Applier
from gancli.inference.capabilities import Critical, Latent, Mixing
from gancli.inference.generator import Model
from gancli.inference.loading import load
from gancli.inference.masks import hole_of
from gancli.inference.rejection import chosen
from gancli.inference.writing import SampleOptions, write
from gancli.training import precision

ROWS = (
    "seeds",
    "labels",
    "attributes",
    "images",
    "masks",
    "targets",
    "direction",
)  # fields of a request that have a place in the page
MOST = 400  # samples that a page asks for at once
TYPES = {bool: "bool", int: "whole", float: "number", str: "text"}
WIDEST = 10  # range of a number that has a slider
PIXELS = 40_000_000  # of a picture


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a request.

    Args:
        request: `do` is describe, draw or apply; `run` a folder; `step` and `ema` as for `load`; `plugins` files.

    Returns:
        JSON values; of an error cause, remedy and code.
    """
    try:
        for file in request.get("plugins", ()):
            load_plugin(Path(file))
        precision.set_threads(0)
        notes: list[str] = []
        model = load(request["run"], step=request.get("step"), ema=request.get("ema", True), note=notes.append)
        work = {"describe": describe, "draw": draw, "apply": apply}[request["do"]]
        return {**work(model, request), "step": model.tick.step, "notes": notes}
    except GanError as error:
        return {"cause": error.cause, "remedy": error.remedy, "code": error.code}


def describe(model: Model, _request: Mapping[str, Any]) -> dict[str, Any]:
    """What the model can be asked for."""
    task, asks = model.task, model.task.asks
    maps = {
        name: vars(of) | {"source": of.source.size, "target": of.target.size}
        for name, of in task.maps(model.spec).items()
    }
    names = list(model.facts.get("attributes", ())) if model.choices.from_data else []
    return {
        "needs": asks.needs, "verb": asks.verb, "from_seeds": issubclass(asks, FromSeeds), "spec": model.spec.describe(),
        "fields": [*asks.model_fields], "options": options_of(asks), "maps": maps,
        "classes": [model.class_name(k) for k in model.labels], "latent_classes": not model.choices.from_data,
        "attributes": (names or [str(i) for i in range(model.choices.attributes)])[: model.choices.attributes],
        "latent": isinstance(task, Latent), "mixing": _mixes(task), "critical": isinstance(task, Critical),
    }  # fmt: skip


def _mixes(task: Task) -> bool:
    """Whether its model has styles."""
    return isinstance(task, Mixing) and bool(getattr(getattr(task, "model", None), "styles", True))


def options_of(asks: type[Ask]) -> list[dict[str, Any]]:
    """The options of a request besides its rows: name, type, bounds, default, description."""
    out = []
    for name, field in asks.model_fields.items():
        kinds = [a for a in _flat(field.annotation) if a is not NoneType]
        if name in (*ROWS, *asks.internal) or len(kinds) != 1:
            continue
        kind = "choice" if get_origin(kinds[0]) is Literal else TYPES.get(kinds[0], "")
        if not kind:
            continue
        bounds = {
            k: v for m in field.metadata for k in ("ge", "gt", "le", "lt") if (v := getattr(m, k, None)) is not None
        }
        default = field.get_default(call_default_factory=True)
        out.append({
            "name": name, "type": kind, "about": field.description or "", "low": bounds.get("ge", bounds.get("gt")),
            "high": bounds.get("le", bounds.get("lt")), "choices": [*get_args(kinds[0])] if kind == "choice" else [],
            "slides": "ge" in bounds and "le" in bounds and bounds["le"] - bounds["ge"] <= WIDEST,
            "default": default if isinstance(default, str | int | float | bool) else None,
        })  # fmt: skip
    return out


def _flat(annotation: Any) -> list[Any]:
    return (
        [b for a in get_args(annotation) for b in _flat(a)]
        if get_origin(annotation) in (UnionType, Union)
        else [annotation]
    )


def draw(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """Samples from seeds, as one file: a grid or lines, a walk, a grid of mixed styles."""
    seeds = [int(s) for s in request["seeds"]]
    if not 1 <= len(seeds) <= MOST:
        raise UsageError(f"{len(seeds):,} samples at once", f"a page shows up to {MOST}; gan sample makes more")
    labels = [int(k) for k in request["labels"]] if request.get("labels") else None
    given = {k: v for k, v in request.get("options", {}).items() if v is not None}
    form, out = request.get("form", "grid"), Path(request["out"])
    facts = {"run": Path(request["run"]).name, "step": model.tick.step, "ema": model.facts["ema"]}
    attributes = {str(k): float(v) for k, v in (request.get("attributes") or {}).items()} or None
    if form in ("walk", "mix"):
        mix = [int(s) for s in request["mix"]] if form == "mix" else None
        options = SampleOptions(
            seeds, labels, attributes, float(given.get("truncation", 1.0)), frames=request.get("frames"), mix=mix, facts=facts
        )  # fmt: skip
        made = write(model, options, out.with_suffix(".gif" if form == "walk" else ".png"), lambda *_: None)
        return {"file": made.name, "media": "image", "n": len(seeds)}
    ask = _ask(model, seeds, labels, attributes, given)
    if (best := int(request.get("best_of") or 1)) > 1 and isinstance(ask, FromSeeds):
        ask = ask.replace(seeds=tuple(chosen(model, ask, min(best, 64))))
    samples = model.generate(ask)
    titles = {"classes": [model.class_name(k) for k in model.labels]} if model.conditional else {}
    file = samples.render(request.get("columns"), {**facts, **_recipe(ask, attributes, given), **titles})
    return _written(out, file, samples)


def _ask(
    model: Model, seeds: Sequence[int], labels: Sequence[int] | None, attributes: Mapping[str, float] | None, given: dict[str, Any]
) -> Ask:  # fmt: skip
    """The request, of the task's kind."""
    asks = model.task.asks
    if issubclass(asks, FromSeeds):
        drawn = model.seed_labels(seeds) if labels is None else [labels[i % len(labels)] for i in range(len(seeds))]
        return with_options(model.from_seeds(seeds, drawn, attributes), given)
    rows = {"seeds": tuple(seeds)} if "seeds" in asks.model_fields else {}
    unknown = given.keys() - asks.model_fields.keys()
    if unknown:
        raise UsageError(f"this model has no {min(unknown)}")
    return asks(**rows, **given)


def _recipe(ask: Ask, attributes: Mapping[str, float] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of how it was made."""
    seeds, labels = getattr(ask, "seeds", None), getattr(ask, "labels", None)
    out: dict[str, Any] = {} if not seeds else {"seeds": list(seeds)}
    if seeds and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        out["seeds"] = f"{seeds[0]}-{seeds[-1]}"
    if labels is not None:
        out["labels"] = list(labels)
    return {**out, **({"attributes": dict(attributes)} if attributes else {}), **given}


def _written(out: Path, file: File, samples: Samples) -> dict[str, Any]:
    place = out.with_suffix(file.suffix)
    write_atomic(place, file.content)
    text = file.content.decode("utf-8", "replace") if samples.media == "text" else ""
    return {"file": place.name, "media": samples.media, "n": len(samples), "text": text[:100_000]}


def apply(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """A picture mapped by the model, with a mask where it has holes."""
    options = {k: v for k, v in request.get("options", {}).items() if v is not None}
    if not issubclass(model.task.asks, FromInput):
        raise UsageError(f"this model makes samples from {model.task.asks.needs}, not from pictures")
    applier = Applier(model, request.get("direction", ""), options=options)
    picture = _read(Path(request["picture"]))
    mask = None
    if applier.map.masks:
        mask = _mask(request, picture)
    seed = int(request.get("seed", 0)) if applier.map.answers else None
    made = applier(picture, seed, mask)
    recipe = {
        "run": Path(request["run"]).name,
        "step": model.tick.step,
        **options,
        **({} if seed is None else {"seed": seed}),
    }
    out = Path(request["out"]).with_suffix(".png")
    write_atomic(out, whole.encode(made, ".png", recipe))
    before = out.with_name(f"{out.stem}-in.png")
    write_atomic(before, whole.encode(picture, ".png"))
    height, width = made.pixels.shape[1:]
    return {"file": out.name, "before": before.name, "width": width, "height": height, "scale": applier.map.scale}


def _read(path: Path) -> whole.Picture:
    """A picture. Raises DataError if it cannot be read or is too large for a page."""
    try:
        picture = whole.read(path.read_bytes())
    except BrokenImageError as error:
        raise DataError(f"the picture cannot be read: {error}", "PNG, JPEG, WebP, TIFF and others can be") from None
    if picture.pixels[0].size > PIXELS:
        raise DataError("the picture has more than 40 megapixels", "gan apply takes larger ones")
    return picture


def _mask(request: Mapping[str, Any], picture: whole.Picture) -> np.ndarray:
    """What is missing: painted, or transparent in the picture. Raises DataError if nothing is."""
    if request.get("mask"):
        found = hole_of(_read(Path(request["mask"])), "white")
        if found.shape != picture.pixels.shape[1:]:
            raise DataError(
                f"the mask is {found.shape[1]}x{found.shape[0]}, the picture another size", "paint it again"
            )
    elif picture.alpha is not None:
        found = np.asarray(picture.alpha <= 127)
    else:
        raise DataError("nothing is missing in the picture", "paint what is to be filled")
    if not found.any():
        raise DataError("the mask is empty", "paint what is to be filled")
    return found
