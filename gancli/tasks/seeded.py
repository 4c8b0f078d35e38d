"""Tasks whose samples come from seeds: a latent vector of the seed and a condition vector go through a generator G.

`Seeded` contains sampling, interpolation, style mixing and export. How the nets are trained is
in its subclasses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Nets
from gancli.core.data import Dataset, Spec
from gancli.core.exportable import Draw, Exportable
from gancli.core.images import ImageSamples, to_uint8
from gancli.core.registry import of_kind
from gancli.core.samples import Ask, FromSeeds
from gancli.core.seeds import generator
from gancli.core.specs import Images
from gancli.core.task import Choices, Task
from gancli.models.latents import Points, mix_styles, synthesize, to_uniform
from gancli.tasks.sampling import class_rows, exportable, grid_seeds, labels_like

if TYPE_CHECKING:
    from gancli.core.nets import Condition, Model
else:
    from gancli.core.registry import Part

    Condition = Annotated[Part, *of_kind("condition")]
    Model = Annotated[Part, *of_kind("model")]


class Seeded(Task):
    """A task that answers `FromSeeds` with images of G.

    Attributes:
        model: architecture of the nets.
        condition: how labels and attributes enter the nets.
        latent: the distribution of z.
    """

    accepts: ClassVar[type[Spec]] = Images
    asks: ClassVar[type[Ask]] = FromSeeds
    model: Model = Field("mlp", validate_default=True, description="architecture of the nets")
    condition: Condition = Field("none", validate_default=True, description="how labels and attributes enter the nets")
    latent: Literal["normal", "uniform"] = Field(
        "normal", description="distribution of each entry of z: N(0, 1), or uniform in [-1, 1]"
    )

    def prior(self, noise: Tensor) -> Tensor:
        """Transform standard normal noise [N, z] to the distribution of z."""
        return to_uniform(noise) if self.latent == "uniform" else noise

    def choices(self, spec: Spec) -> Choices:
        assert isinstance(spec, Images)
        classes, attributes = self.condition.choices(spec)
        return Choices(classes if classes > 1 else 0, attributes, not self.condition.sampled)

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """Latent vectors [N, z], each from its own seed."""
        noise = torch.stack([torch.randn(self.model.z, generator=generator("sample", s)) for s in seeds])
        return self.prior(noise)

    def condition_vectors(
        self, seeds: Sequence[int], spec: Images, labels: Sequence[int] | None = None, attributes: Tensor | None = None
    ) -> Tensor | None:
        """Condition vectors for sampling.

        Args:
            seeds: N seeds, from which labels and attributes that are None are sampled.
            spec: of the data.
            labels: N labels, or None.
            attributes: [N, A], or None.

        Returns:
            [N, width]; None for an unconditional model.
        """
        width = self.condition.width(spec)
        y = None if labels is None else torch.tensor(labels)
        noise = (
            torch.stack([torch.randn(width, generator=generator("sample", s, "c")) for s in seeds]) if width else None
        )
        return self.condition.encode(y, attributes, spec, noise)

    def decode(
        self,
        nets: Nets,
        z: Tensor,
        c: Tensor | None,
        spec: Images,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
        clamp: bool = True,
    ) -> Tensor:
        """Generate images from latent vectors; differentiable in z.

        Args:
            nets: in evaluation mode.
            z: latent vectors [N, z].
            c: condition vectors [N, width], or None.
            spec: of the data.
            seeds: N seeds of the noise inside G; None: the same noise for all.
            truncation: as in `models.latents.synthesize`.
            clamp: whether to clamp to [-1, 1], where the gradient becomes 0.

        Returns:
            Images [N, C, H, W].
        """
        images = synthesize(nets["G"], z, c, seeds, truncation)[:, :, : spec.height, : spec.width]
        return images.clamp(-1, 1) if clamp else images

    def mix(
        self,
        nets: Nets,
        coarse: Points,
        fine: Points,
        spec: Images,
        cut: int | None = None,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Style mixing (1812.04948, section 3.1).

        Args:
            nets: in evaluation mode.
            coarse: latent and condition vectors of the styles of layers before `cut`.
            fine: those of layers from `cut` on.
            spec: of the data.
            cut: index of a layer; default: half the layers.
            seeds: as in `decode`.
            truncation: as in `decode`.

        Returns:
            Images [N, C, H, W] in [-1, 1].

        Raises:
            UsageError: G has no styles, or no layer `cut`.
        """
        images = mix_styles(nets["G"], coarse, fine, cut, seeds, truncation)
        return images[:, :, : spec.height, : spec.width].clamp(-1, 1)

    def images(self, nets: Nets, ask: FromSeeds, spec: Images) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] for a request; image i depends only on row i."""
        with torch.no_grad():
            return self.decode(
                nets, self.latents(ask.seeds), self.requested(ask, spec), spec, ask.seeds, ask.truncation
            )

    def requested(self, ask: FromSeeds, spec: Images) -> Tensor | None:
        """The condition vectors [N, width] of a request; None for an unconditional model."""
        attributes = None if ask.attributes is None else torch.from_numpy(ask.attributes)
        return self.condition_vectors(ask.seeds, spec, ask.labels, attributes)

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> ImageSamples:
        assert isinstance(ask, FromSeeds) and isinstance(spec, Images)  # noqa: PT018
        labels = None if ask.labels is None else np.array(ask.labels, np.int64)
        return ImageSamples(to_uint8(self.images(nets, ask, spec)), labels, ask.attributes)

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        choices = self.choices(spec)
        seeds = grid_seeds(choices, n)
        return FromSeeds(seeds=seeds, labels=class_rows(choices, seeds))

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        labels, attributes = labels_like(self.choices(spec), data.samples(), n)
        return FromSeeds(seeds=tuple(range(seed, seed + n)), labels=labels, attributes=attributes)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Images)
        return exportable(
            nets["G"], Draw(("sample", None), self.model.z, uniform=self.latent == "uniform"), self.condition, spec
        )
