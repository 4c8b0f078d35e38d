"""Feature likelihood divergence (FLD, 2302.04440): how likely test data are under a density that is fitted to the samples.

A mixture of isotropic Gaussians is centered at the samples, and their variances are fitted to the training data. A sample that repeats
a training image gets a small variance and explains no other image, so FLD accounts for memorization as well as for quality and
diversity.

    FLD = 100 (nll(test | samples) - nll(test | training data)) / d

In nll(test | training data), half of the training data take the place of the samples. Features are normalized by mean and standard
deviation of the test data. The fit is that of the published code: 50 steps of Adam at .5 on the logarithms of the variances, beside
a Gaussian at the mean that keeps each likelihood positive.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core.seeds import derive
from gancli.evaluation import raw
from gancli.evaluation.contracts import Inputs, Metric, Score, need
from gancli.evaluation.metrics.resampling import standard_error

STEPS, RATE, BETAS = 50, 0.5, (0.9, 0.999)
NARROWEST = 40.0  # bound of the logarithms of the variances, either way
ORIGIN = 0.9**2  # factor of the squared distances to the mean


def fld(train: np.ndarray, test: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """FLD of raw features.

    Args:
        train: of the training data, [L, d], in random order.
        test: of reals that were not trained on, [N, d].
        fake: of the samples, [M, d].

    Returns:
        FLD (lower is better; 0 for samples that are as good as the training data), and its standard error over the test data.

    Raises:
        DataError: there are fewer than four of either, or the features are not finite.
    """
    x, y = raw.pair(train, fake)
    _, z = raw.pair(train, test)
    need(min(len(x), len(y), len(z)), 4, "FLD")
    scale = z.std(0, ddof=1)
    wide = scale > 0
    a, b, c = (torch.from_numpy((s[:, wide] - z[:, wide].mean(0)) / scale[wide]).float() for s in (x, z, y))
    half = min(len(c), len(a) // 2)
    loss = surprise(b, c, a) - surprise(b, a[:half], a[half:])
    return 100 * float(loss.mean()), 100 * standard_error(loss.numpy())


def surprise(points: Tensor, centers: Tensor, fitted: Tensor) -> Tensor:
    """The negative log likelihood per dimension of points [N, d] under a mixture at `centers` that is fitted to other points: [N]."""
    logs = fit(centers, fitted)
    return -torch.logsumexp(_components(_squared(points, centers), logs, points.shape[1]), 1).double() / points.shape[1]


def fit(centers: Tensor, points: Tensor) -> Tensor:
    """The logarithms [M] of the variances of a mixture at `centers` [M, d] that is fitted to points [N, d]."""
    n, d = points.shape
    squared, origin = _squared(points, centers), ORIGIN * _squared(points, points.mean(0, keepdim=True))
    logs = torch.cat([((squared.amin(0) + 1e-3) / d).log(), torch.zeros(1)])
    moments = torch.zeros(2, len(logs))
    losses: list[float] = []
    for step in range(1, STEPS + 1):
        at = _components(squared, logs[:-1], d)
        all_at = torch.cat([at, _gaussian(origin, logs[-1:], d)], 1)
        weight = all_at.softmax(1)  # the derivative of the log likelihood in each component
        slope = 0.5 * (torch.cat([squared, origin], 1) * (-logs).exp() - d)  # of a component in its logarithm
        gradient = -(weight * slope).sum(0) / (n * d)
        losses.append(-float(torch.logsumexp(all_at, 1).mean()) / d)
        for moment, beta, value in zip(moments, BETAS, (gradient, gradient.square()), strict=True):
            moment.lerp_(value, 1 - beta)
        first, second = (moment / (1 - beta**step) for moment, beta in zip(moments, BETAS, strict=True))
        logs = logs - RATE * first / (second.sqrt() + 1e-8)
        logs[:-1].clamp_(-NARROWEST, NARROWEST)
        if step > 6 and max(abs(losses[-1] - losses[-j]) for j in range(2, 6)) < 5e-4:
            break
    return logs[:-1]


def _squared(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y).square()


def _gaussian(squared: Tensor, logs: Tensor, d: int) -> Tensor:
    """Log densities [N, M] at squared distances [N, M] from the centers."""
    return -0.5 * squared * (-logs).exp() - d / 2 * (logs + math.log(2 * math.pi))


def _components(squared: Tensor, logs: Tensor, d: int) -> Tensor:
    """Log densities of the components, times their weight 1 / M."""
    return _gaussian(squared, logs, d) - math.log(squared.shape[1])


class FeatureLikelihood(Metric):
    name = "fld"
    gives = ("fld",)
    whole_train = True
    on_request = True
    rank = 75
    most: int = Field(1_000, ge=10, description="samples, test data and training data that are looked at, of each")

    def objection(self, inputs: Inputs) -> str:
        few = min(len(inputs.train), len(inputs.real), len(inputs.fake))
        return "fewer than 20 samples or reals" if few < 20 else ""

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:  # noqa: ARG002
        """0 by definition: training data in the samples' place would be copies of themselves."""
        return {"reference": {"fld": Score(0.0, "half of the training data against the other half")}}

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        sets = []
        for name, side in (("train", inputs.train), ("real", inputs.real), ("fake", inputs.fake)):
            random = np.random.Generator(np.random.PCG64(derive(inputs.seed, "fld", name)))
            some = random.permutation(len(side))[: self.most * (2 if name == "train" else 1)]
            sets.append(side.features[some])
        value, error = fld(*sets)
        meaning = "likelihood of test data under a density fitted to the samples; 0: as under training data"
        return {"fld": Score(value, meaning, "lower", error, "analytic, over the test data")}
