"""The outputs of baselines for the inputs of an evaluation, to be scored as those of a model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from gancli.core.data import Dataset
from gancli.core.images import PairSamples
from gancli.core.registry import build, parts
from gancli.core.samples import Samples
from gancli.evaluation import cache
from gancli.evaluation.contracts import Baseline, Progress
from gancli.evaluation.generative import Generative
from gancli.evaluation.selection import subset
from gancli.evaluation.sets import BATCH, Inputs, SampleSet
from gancli.inference.spool import empty

VERSION = 1  # of the choice of options


class Baselines:
    """The baselines that apply to data, and the inputs of metrics with their outputs; made when a metric asks for them.

    Args:
        train: the training data.
        real: the data whose inputs the baselines are applied to.
        seed: of the training data by which their options are chosen.
        folder: where temporary files may be written.
        progress: called with what is done, samples done and all samples.
        scored: a baseline's name and outputs -> the inputs of metrics.
    """

    def __init__(
        self,
        train: Dataset,
        real: SampleSet[Any],
        seed: int,
        folder: Path,
        progress: Progress,
        scored: Callable[[str, Samples], Inputs],
    ) -> None:
        self._train, self._real, self._seed = train, real, seed
        self._folder, self._progress, self._scored = folder, progress, scored
        self._made: dict[int, dict[str, Inputs]] = {}

    @cached_property
    def fitted(self) -> dict[str, Baseline]:
        """The baselines that apply, by name, with options chosen by training data; none where samples are no pairs."""
        if not issubclass(self._real.kind, PairSamples):
            return {}
        few, out = self._some(Baseline.fits), {}
        for name in parts("baseline"):
            part = build("baseline", name)
            if isinstance(part, Baseline) and not part.objection(few, self._train.spec):
                self._progress(f"baseline {name}", 0, len(self._real))
                out[name] = self._fitted(part, few)
        return out

    def _fitted(self, part: Baseline, few: PairSamples) -> Baseline:
        """The baseline with its options chosen, from the cache where they are known and all that fitting finds."""
        key = {
            "version": VERSION,
            "seed": self._seed,
            "train": self._train.fingerprint,
            "part": part.model_dump(mode="json"),
        }
        cached = type(part).__module__.startswith("gancli.") and not part.__private_attributes__
        kept = cache.options(key, self._folder) if cached else None
        if kept is not None:
            return cast("Baseline", build("baseline", kept))
        fitted = part.fit(few if part.fits <= len(few) else self._some(part.fits))
        if cached:
            cache.options(key, self._folder, fitted.model_dump(mode="json"))
        return fitted

    def _some(self, n: int) -> PairSamples:
        """At most n of the training data."""
        chosen = self._train.take(subset(len(self._train), n, self._seed, "baselines"))
        return cast("PairSamples", chosen.samples())

    @property
    def options(self) -> list[dict[str, Any]]:
        """The names and options of the baselines."""
        return [part.model_dump(mode="json") for part in (*self.fitted.values(), *self._generative)]

    @cached_property
    def _generative(self) -> list[Generative]:
        """Those that are fitted to training data of this kind, and make samples from seeds."""
        known = [build("baseline", name) for name in parts("baseline")]
        return [p for p in known if isinstance(p, Generative) and issubclass(self._real.kind, p.accepts)]

    def inputs(self, n: int) -> dict[str, Inputs]:
        """What metrics are given of each baseline, by its name, in the place of n samples."""
        if n not in self._made:
            made: dict[str, Samples] = {name: self._outputs(part) for name, part in self.fitted.items()}
            for part in self._generative:
                made |= part.samples(self._train.samples(), n, self._seed, self._progress)
            self._made[n] = {name: self._scored(name, samples) for name, samples in made.items()}
        return self._made[n]

    def _outputs(self, part: Baseline) -> PairSamples:
        """What a baseline makes of the inputs."""
        real, out = self._real, None
        for i, chunk in enumerate(real.chunks(BATCH)):
            made = part(chunk.inputs, chunk.masks, chunk.images.shape[2:])
            if out is None:
                out = empty((len(real), *made.shape[1:]), np.uint8, self._folder)
            out[i * BATCH : i * BATCH + len(made)] = made
            self._progress(f"baseline {part.name}", i * BATCH + len(made), len(real))
        assert out is not None
        return PairSamples(out, inputs=real.samples.inputs if real.rows is None else real.samples.inputs[real.rows])
