"""gan: train, resume, sample and evaluate generative adversarial networks (GANs).

    import gancli
    model = gancli.load("runs/digits-textbook-0001")
    images = model.sample(64, seed=0)          # float tensor [64, C, H, W] in [-1, 1]

The command line is `gan`; the same things from Python are `load`, `Model` and the modules `gancli.training` and `gancli.evaluation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gancli.inference.generator import Model
    from gancli.inference.loading import load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """`load` and `Model` are imported when they are used: `import gancli` alone does not import torch."""
    if name == "load":
        from gancli.inference.loading import load

        return load
    if name == "Model":
        from gancli.inference.generator import Model

        return Model
    raise AttributeError(f"module 'gancli' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is, for completion: `load` and `Model` are there before they are imported."""
    return sorted({*globals(), *__all__})
