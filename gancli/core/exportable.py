"""What a task gives to export: a module with named inputs, and how they are drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True)
class Draw:
    """Numbers of an input of an exported module that are drawn from a seed, standard normal (`core.seeds`).

    Attributes:
        path: of the seed; None stands for the seed itself.
        width: numbers that are drawn.
        first: of these, the first that is used.
        end: the first that is not used any more; None: all to the last are used.
        uniform: whether they are transformed to uniform numbers in [-1, 1].
    """

    path: tuple[int | str | None, ...]
    width: int
    first: int = 0
    end: int | None = None
    uniform: bool = False

    def path_of(self, seed: int) -> tuple[int | str, ...]:
        """The path with the seed in its place."""
        return tuple(seed if part is None else part for part in self.path)


@dataclass(frozen=True)
class Exportable:
    """A module for export: plain torch, including cropping, clamping and one-hot encoding.

    Attributes:
        module: its one output are images [N, C, H, W] in [-1, 1].
        inputs: example inputs with 2 rows each, by name, in the order of the arguments of `forward`. Those called `label` are
            int64 [N]; `attributes` are [N, A]; images are in [-1, 1].
        draws: how rows of inputs are drawn from a seed, by name: the concatenated numbers. The output then equals the sample
            that a request with this seed gives.
        free: inputs that may be images of any height and width that this number divides, by name.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    draws: Mapping[str, tuple[Draw, ...]] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)
