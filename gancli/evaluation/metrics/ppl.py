"""Perceptual path length (PPL, 1812.04948, section 4.1): how far images move per step along paths between latent vectors.

    PPL = E[d(G(slerp(z1, z2; t)), G(slerp(z1, z2; t + eps)))] / eps^2        t ~ U(0, 1)

A short path means that the latent space has no sudden changes. With `space` "w", paths are straight lines between styles (1912.04958);
with `at` "end", t is 0. d is the perceptual distance of EfficientNet-Lite0 instead of VGG16, so values do not compare with those of
papers. Images are compared before they are clamped and rounded. Distances outside the 1st to the 99th percentile are left out, as in
the published code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core.errors import UsageError
from gancli.core.seeds import derive, generator
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import standard_error
from gancli.inference.generator import Model
from gancli.models.latents import slerp, style_generator, styles
from gancli.models.perceptual import perceptual_distance

AT_ONCE = 16  # paths
Path = Callable[[Tensor], Tensor]  # t [n] -> images [n, C, H, W]


class PerceptualPathLength(Metric):
    name = "ppl"
    gives = ("ppl",)
    space = "efficientnet-lite0"
    reference = "none"
    on_request = True
    rank = 78
    n: int = Field(2_000, ge=10, description="paths (papers: 50,000)")
    epsilon: float = Field(1e-4, gt=0, lt=1, description="length of a step")
    through: Literal["z", "w"] = Field("z", description="space of the paths: z, or w of a generator with styles")
    at: Literal["full", "end"] = Field("full", description="t is uniform in [0, 1), or 0")

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        model = inputs.fake.model
        if not isinstance(model, Model):
            raise UsageError("ppl needs the generator itself, in one process", "evaluate a run without --images")
        distances = self.lengths(model, inputs.seed)
        low, high = np.percentile(distances, [1, 99], method="lower")
        kept = distances[(distances >= low) & (distances <= high)]
        meaning = "how far images move along paths in the latent space"
        return {"ppl": Score(float(kept.mean()), meaning, "lower", standard_error(kept), "analytic, over the paths")}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:  # noqa: ARG002
        return {}

    @torch.no_grad()
    def lengths(
        self, model: Model, seed: int, distance: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> np.ndarray:
        """Distances divided by the squared step, one per path.

        Args:
            model: with a latent space.
            seed: of the paths.
            distance: of images [N, C, H, W] in [-1, 1] or somewhat outside; None: `perceptual_distance`.

        Returns:
            float64 [n].

        Raises:
            UsageError: the model has no such space.
        """
        apart = distance or perceptual_distance
        found = []
        for first in range(0, self.n, AT_ONCE):
            rows = range(first, min(first + AT_ONCE, self.n))
            path = self._path(model, [derive(seed, "ppl", i) for i in rows])
            t = torch.rand(self.n, generator=generator(seed, "ppl", "t"))[first : first + len(rows)]
            t = t if self.at == "full" else torch.zeros_like(t)
            found.append(apart(path(t), path(t + self.epsilon)).double().cpu() / self.epsilon**2)
        return torch.cat(found).numpy()

    def _path(self, model: Model, seeds: list[int]) -> Path:
        """The images along the paths of these seeds."""
        task, spec = model.latent("measure path lengths")
        a, b = task.latents(seeds), task.latents([derive(s, "other") for s in seeds])
        c = task.condition_vectors(seeds, spec)
        if self.through == "z":
            return lambda t: task.decode(model.nets, _between(a, b, t), c, spec, seeds, clamp=False)
        net = model.nets["G"]
        synthesis = style_generator(net)
        if synthesis is None:
            raise UsageError("this model has no w", "use through=z")
        w, v = styles(net, a, c), styles(net, b, c)
        return lambda t: synthesis.synthesis(torch.lerp(w, v, t.to(w)[:, None, None]), seeds)


def _between(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation of each pair of rows [N, z] at its own t [N]."""
    return torch.cat([slerp(x, y, s[None]) for x, y, s in zip(a, b, t, strict=True)])
