"""The contract of an export format, and what it gets: a trained model with its facts."""

from __future__ import annotations

import hashlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from gancli import __version__
from gancli.core.errors import UsageError
from gancli.core.exportable import Exportable
from gancli.core.kernels import restore
from gancli.core.registry import Part
from gancli.export.mapping import mapping
from gancli.inference.generator import Model
from gancli.inference.loading import load
from gancli.runs import tensors

Arrays = Mapping[str, np.ndarray]  # inputs by name
Runner = Callable[[Arrays], np.ndarray]  # the output, such as images float32 [N, C, H, W], from inputs with N rows
SEED_RULE = "blake2b-8 of the path, MT19937; normal numbers by Box-Muller: docs/export.md"


@dataclass(frozen=True)
class Source:
    """What is exported.

    Attributes:
        path: a run or model folder.
        step: the checkpoint; None: the newest.
        ema: whether the EMA weights are used.
        direction: the mapping, of a task that maps images to images; empty: its first.
        license: of the weights, as the user says.
        note: called with messages.
    """

    path: Path
    step: int | None = None
    ema: bool = True
    direction: str = ""
    license: str = "unknown"
    note: Callable[[str], None] = lambda _text: None

    @property
    def name(self) -> str:
        """The name of the run."""
        path = self.path.resolve()
        return path.parent.name if path.name == "model" else path.name

    @cached_property
    def model(self) -> Model:
        """The model, on the CPU, of torch's own layers. Raises CheckpointError and UsageError."""
        model = load(self.path, step=self.step, ema=self.ema, note=self.note)
        for net in model.nets.values():
            restore(net)
        return model

    @cached_property
    def exportable(self) -> Exportable:
        """The module to export. Raises UsageError if the task has none."""
        model = self.model
        if model.task.maps(model.spec):
            return mapping(model, self.direction)
        if self.direction:
            raise UsageError(f"the task {model.task.name!r} has no directions", "leave --direction away")
        try:
            return model.task.exportable(model.nets, model.spec)
        except TypeError as error:
            raise UsageError(str(error)) from None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a stranger needs to know of the model; JSON."""
        model, form = self.model, self.exportable
        digest = hashlib.sha256()
        for piece in tensors.encode(model.weights, {"format": "pt"}):
            digest.update(piece)
        return {
            "producer": f"gancli {__version__}",
            "name": self.name,
            "task": model.task.name,
            "preset": model.facts.get("preset"),
            "data": model.facts.get("data"),
            "step": model.tick.step,
            "ema": bool(model.facts.get("ema", True)),
            "license": self.license,
            "weights_sha256": digest.hexdigest(),
            "classes": model.classes,
            "choices": asdict(model.choices),
            "attributes": list(model.facts.get("attributes", ())),
            "direction": self.direction or next(iter(model.task.maps(model.spec)), None),
            **form.facts,
            "output": form.output,
            "inputs": {name: list(x.shape[1:]) for name, x in form.inputs.items()},
            "free": dict(form.free),
            "defaults": dict(form.defaults),
            "draws": {name: [asdict(draw) for draw in draws] for name, draws in form.draws.items()},
            "seed_rule": SEED_RULE if form.draws else None,
        }


class Export(Part, ABC):
    """A format of `gan export --to`.

    Attributes:
        suffix: of the file that is written; empty: a folder.
        needs: modules beside those of gancli.
        extra: the extra of gancli that installs them.
    """

    kind: ClassVar[str] = "export"
    suffix: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = "export"

    @abstractmethod
    def write(self, source: Source, path: Path) -> None:
        """Write the file or folder.

        Args:
            source: what is exported.
            path: does not exist yet. It is renamed afterwards.

        Raises:
            UsageError: the model cannot be exported in this format.
        """

    def runner(self, source: Source, path: Path) -> Runner | None:  # noqa: ARG002
        """A function that runs what was written in the runtime of the format; None: it is not a model that runs."""
        return None

    def files(self, source: Source) -> Mapping[str, bytes]:  # noqa: ARG002
        """Small files that belong next to the one that is written, by what follows its name without the suffix."""
        return {}

    def check_needs(self) -> None:
        """Raises UsageError if a module that the format needs is not installed."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if missing:
            raise UsageError(f"--to {self.name} needs {', '.join(missing)}", f"pip install 'gancli[{self.extra}]'")


def by_torch(form: Exportable, inputs: Arrays) -> np.ndarray:
    """The output of the module itself, such as images [N, C, H, W]."""
    with torch.no_grad():
        output: np.ndarray = form.module(**{k: torch.from_numpy(v) for k, v in inputs.items()}).numpy()
    return output
