"""Discriminator rejection sampling (1810.06758): D chooses among several candidates for each sample.

With D's logit l(x) and its maximum M over samples, a candidate is accepted with probability sigmoid(F(x) - gamma), where

    F(x) = l(x) - M - log(1 - exp(l(x) - M - eps))    (equation 8)

M and gamma come from a fixed set of samples, so that a choice does not depend on what else is chosen; gamma is such that one of the
candidates is accepted on average. Of k candidates the first that is accepted is taken, or else the one with the highest logit.
The candidates for seed s are the samples of the seeds k s to k s + k - 1: what was chosen can be made again from its seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gancli.core.errors import UsageError
from gancli.core.samples import FromSeeds
from gancli.core.seeds import generator
from gancli.core.specs import Images
from gancli.inference.capabilities import Critical
from gancli.inference.generator import CHUNK, Model, padded

KNOWN = 512  # samples that M and gamma come from
FIRST_KNOWN = 2**40  # the seed of the first of them
EPS = 1e-6


def chosen(model: Model, ask: FromSeeds, k: int, progress: Callable[[int], None] = lambda _done: None) -> list[int]:
    """The seeds of the chosen candidates.

    Args:
        model: with D.
        ask: what is asked for: seeds, with labels or attributes if any.
        k: candidates for each seed.
        progress: called with the number of candidates that have been seen.

    Returns:
        A seed for each seed of the ask.

    Raises:
        UsageError: the task has no D that ranks samples, or the model was loaded without it.
    """
    seeds = [k * s + j for s in ask.seeds for j in range(k)]
    rows = [i for i in range(len(ask)) for _ in range(k)]
    on_known = logits(model, _known(model, ask))
    found = logits(model, ask.rows(rows).replace(seeds=tuple(seeds)), progress).view(-1, k)
    highest = on_known.max()
    gamma = _gamma(_shifted(on_known, highest), 1 / k)
    accepted = torch.sigmoid(_shifted(found, highest) - gamma) > _uniform(seeds).view(-1, k)
    first = torch.where(accepted.any(1), accepted.int().argmax(1), found.argmax(1))
    return [k * s + int(j) for s, j in zip(ask.seeds, first, strict=True)]


def logits(model: Model, ask: FromSeeds, progress: Callable[[int], None] = lambda _done: None) -> Tensor:
    """D's logits of the samples asked for, float32 [N]."""
    task, spec = model.task, model.spec
    if not isinstance(task, Critical) or not isinstance(spec, Images):
        raise UsageError(f"the task {task.name!r} has no discriminator that ranks samples", "leave --best-of away")
    if "D" not in model.nets:
        raise UsageError("a model folder does not hold the discriminator", "name the run folder for --best-of")
    out = []
    for start in range(0, len(ask), CHUNK):
        rows, n = padded(start, len(ask))
        some = ask.rows(rows)
        with torch.no_grad():
            images = task.images(model.nets, some, spec)
            out.append(task.logits(model.nets, some, images, spec)[:n].float().cpu())
        progress(start + n)
    return torch.cat(out)


def _known(model: Model, ask: FromSeeds) -> FromSeeds:
    """The ask for the fixed set: the classes in turn, everything else as drawn from the seeds."""
    classes = model.choices.classes
    labels = tuple(i % classes for i in range(KNOWN)) if classes else None
    seeds = tuple(range(FIRST_KNOWN, FIRST_KNOWN + KNOWN))
    return ask.replace(seeds=seeds, labels=labels, attributes=None)


def _shifted(found: Tensor, highest: Tensor) -> Tensor:
    """F of equation 8; logits above `highest` count as it."""
    below = (found - highest).clamp(max=0)
    return below - torch.log1p(-torch.exp(below - EPS))


def _gamma(shifted: Tensor, rate: float) -> Tensor:
    """The gamma with which this share of the fixed set is accepted, by bisection."""
    low, high = shifted.min() - 20, shifted.max() + 20
    for _ in range(50):
        middle = (low + high) / 2
        too_many = torch.sigmoid(shifted - middle).mean() > rate
        low, high = (middle, high) if too_many else (low, middle)
    return (low + high) / 2


def _uniform(seeds: Sequence[int]) -> Tensor:
    """A number in [0, 1) for each seed."""
    return torch.stack([torch.rand((), generator=generator("rejection", seed)) for seed in seeds])
