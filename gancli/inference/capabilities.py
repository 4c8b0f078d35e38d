"""What a task may be able to do beside generating samples: a task has a capability if it has its methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from gancli.core.contracts import Nets
from gancli.core.data import Spec
from gancli.core.nets import Condition
from gancli.core.samples import FromSeeds
from gancli.core.specs import Images
from gancli.models.latents import Points


@runtime_checkable
class Latent(Protocol):
    """A task whose images come from latent points."""

    @property
    def condition(self) -> Condition: ...
    def images(self, nets: Nets, ask: FromSeeds, spec: Images) -> Tensor: ...
    def latents(self, seeds: Sequence[int]) -> Tensor: ...
    def condition_vectors(
        self, seeds: Sequence[int], spec: Images, labels: Sequence[int] | None = None, attributes: Tensor | None = None
    ) -> Tensor | None: ...
    def decode(
        self,
        nets: Nets,
        z: Tensor,
        c: Tensor | None,
        spec: Images,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
        clamp: bool = True,
    ) -> Tensor: ...


@runtime_checkable
class Mixing(Latent, Protocol):
    """One whose images can take coarse styles from one latent point and fine ones from another."""

    def mix(
        self,
        nets: Nets,
        coarse: Points,
        fine: Points,
        spec: Images,
        cut: int | None,
        seeds: Sequence[int],
        truncation: float,
    ) -> Tensor: ...


@runtime_checkable
class Critical(Protocol):
    """One whose discriminator ranks samples."""

    def images(self, nets: Nets, ask: FromSeeds, spec: Images) -> Tensor: ...
    def logits(self, nets: Nets, ask: FromSeeds, images: Tensor, spec: Images) -> Tensor: ...


@runtime_checkable
class Likely(Protocol):
    """One that gives the likelihood of data."""

    def likelihood(self, nets: Nets, tokens: Tensor, labels: Tensor | None, spec: Spec) -> Tensor: ...
