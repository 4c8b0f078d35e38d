"""gan: train, resume, sample and evaluate generative adversarial networks (GANs).

    import gancli
    run = gancli.train("digits", epochs=5)     # as gan train
    model = run.model()                        # or gancli.load("digits-textbook-0001")
    images = model.sample(64, seed=0)          # float tensor [64, C, H, W] in [-1, 1]
    gancli.evaluate(run.path, metrics=["fid"]).score("fid").value

The command line is `gan`; the same things from Python are `train`, `resume`, `evaluate`, `records`, `sweep`, `load`, `Model`,
`Callback`, and the modules
`gancli.training` and `gancli.evaluation`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gancli.api.callbacks import Callback
    from gancli.api.evaluation import evaluate
    from gancli.api.records import records
    from gancli.api.sweep import sweep
    from gancli.api.training import Trained, resume, train
    from gancli.core.errors import GanError
    from gancli.inference.generator import Model
    from gancli.inference.loading import load

__version__ = "0.1.0"
__all__ = [
    "Callback",
    "GanError",
    "Model",
    "Trained",
    "__version__",
    "evaluate",
    "load",
    "records",
    "resume",
    "sweep",
    "train",
]
_HOMES = {
    "Callback": "api.callbacks", "GanError": "core.errors", "Model": "inference.generator", "Trained": "api.training",
    "evaluate": "api.evaluation", "load": "inference.loading", "records": "api.records", "resume": "api.training",
    "sweep": "api.sweep", "train": "api.training",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names are imported when they are used: `import gancli` alone does not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gancli' has no attribute {name!r}")
    return getattr(import_module(f"gancli.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """What there is, for completion: the public names are there before they are imported."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
