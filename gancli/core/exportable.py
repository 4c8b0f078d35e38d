"""What a task gives to export: a module with named inputs, and how they are drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Draw:
    """Numbers of an input of an exported module that are drawn from a seed (`core.seeds`), standard normal unless said otherwise.

    Attributes:
        path: of the seed; None stands for the seed itself.
        width: numbers that are drawn.
        first: of these, the first that is used.
        end: the first that is not used any more; None: all to the last are used.
        uniform: whether they are transformed to uniform numbers in [-1, 1].
        unit: whether they are uniform numbers of 53 bits in [0, 1) instead, float64.
    """

    path: tuple[int | str | None, ...]
    width: int
    first: int = 0
    end: int | None = None
    uniform: bool = False
    unit: bool = False

    def path_of(self, seed: int) -> tuple[int | str, ...]:
        """The path with the seed in its place."""
        return tuple(seed if part is None else part for part in self.path)


@dataclass(frozen=True)
class Exportable:
    """A module for export: plain torch, including cropping, clamping and one-hot encoding.

    Attributes:
        module: its one output are images [N, C, H, W] in [-1, 1], or integers such as tokens int64 [N, L].
        inputs: example inputs with 2 rows each, by name, in the order of the arguments of `forward`. Those called `label` are
            int64 [N]; `attributes` are [N, A]; images are in [-1, 1].
        draws: how rows of inputs are drawn from a seed, by name: the concatenated numbers. The output then equals the sample
            that a request with this seed gives.
        free: inputs that may be images of any height and width that this number divides, by name.
        output: name of the output.
        elements: what its numbers are called.
        defaults: values of inputs that are neither drawn nor a label, by name: what they are unless another value is requested.
        facts: what else one needs to know to use it; JSON.
        files: small files that belong to it, by what is appended to the name of the exported model.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    draws: Mapping[str, tuple[Draw, ...]] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)
    output: str = "images"
    elements: str = "pixels"
    defaults: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=lambda: {"value_range": [-1, 1]})
    files: Mapping[str, bytes] = field(default_factory=dict)
