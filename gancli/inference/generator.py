"""A trained model that is sampled from.

    model = gancli.load("runs/digits-textbook-0001")
    images = model.sample(64, seed=0)          # float tensor [64, C, H, W] in [-1, 1]

Image i of a call with seed S comes from seed S + i alone: nets are always run in chunks of the same size, so that neither the number of
images nor their order changes a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core import migration
from gancli.core.contracts import Condition, Nets, Tick
from gancli.core.data import Spec
from gancli.core.errors import UsageError
from gancli.core.registry import nearest
from gancli.core.samples import Ask, FromSeeds, Samples, chunk
from gancli.core.specs import Images
from gancli.core.task import Choices, Task
from gancli.distributed.ranks import ALONE, Ranks, share
from gancli.models.latents import Points, lerp, slerp
from gancli.tasks.sampling import ROW, class_rows

CHUNK = 32  # samples per pass of the nets


@runtime_checkable
class Latent(Protocol):
    """A task whose images come from latent points."""

    @property
    def condition(self) -> Condition: ...
    def images(self, nets: Nets, ask: FromSeeds, spec: Images) -> Tensor: ...
    def latents(self, seeds: Sequence[int]) -> Tensor: ...
    def codes(
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


@dataclass
class Model:
    """A task, its nets in float32 and evaluation mode, and what they were trained on."""

    task: Task
    nets: dict[str, nn.Module]
    spec: Spec
    tick: Tick
    facts: dict[str, Any]  # data, preset, classes, where it comes from, whether its weights are averaged
    ranks: Ranks = ALONE  # those that share the work of `generate`, and all get all of it

    def stream(self, ask: Ask, progress: Callable[[int], None] | None = None) -> Iterator[Samples]:
        """The samples asked for, a chunk at a time: no more than a chunk is in memory.

        Args:
            ask: of the task's kind (`Task.asks`).
            progress: called with the number of samples that are done.
        """
        yield from self._chunks(ask, range(0, len(ask), CHUNK), progress)

    def generate(self, ask: Ask, progress: Callable[[int], None] | None = None) -> Samples:
        """All samples asked for; several ranks share the work, and all get all of it."""
        firsts = share(range(0, len(ask), CHUNK), self.ranks)
        some = firsts if len(firsts) else range(0, 1, CHUNK)

        def work() -> Samples:
            parts = list(self._chunks(ask, some, progress))
            made = type(parts[0]).concat(parts)
            return made if len(firsts) else made.take(slice(0, 0))

        own = self.ranks.each(work)
        if self.ranks.world == 1:
            return own
        packed = [self.ranks.collect(torch.from_numpy(np.ascontiguousarray(a))) for a in own.pack().values()]
        parts = [dict(zip(own.pack(), (p.numpy() for p in of), strict=True)) for of in zip(*packed, strict=True)]
        return type(own).concat([type(own).unpack(part) for part in parts])

    def _chunks(self, ask: Ask, firsts: range, progress: Callable[[int], None] | None) -> Iterator[Samples]:
        for first in firsts:
            filled, n = chunk(ask, first, CHUNK)
            with torch.no_grad():
                made = self.task.generate(self.nets, filled, self.spec).take(slice(0, n))
            yield made
            if progress is not None:
                progress(first + n)

    def sample(
        self,
        n: int | None = None,
        seed: int = 0,
        *,
        seeds: Sequence[int] | None = None,
        labels: Sequence[int] | None = None,
        attributes: Mapping[str, float] | np.ndarray | None = None,
        truncation: float = 1.0,
        progress: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Images of seeds.

        Args:
            n: how many, of seeds seed .. seed + n - 1; not given: 64.
            seed: the first.
            seeds: these seeds instead.
            labels: the class of each image, where the model is class-conditional; not given: drawn from the seed.
            attributes: what all have in common, by name (those not named are at their mean), or a row [A] for each image.
            truncation: below 1: less variety, more quality.
            progress: called with the number of images that are done.

        Returns:
            [N, C, H, W], float32 in [-1, 1], on the CPU.

        Raises:
            UsageError: the task does not sample images from seeds, or labels or attributes do not fit.
        """
        task, spec = self.latent("sample images from seeds")
        seeds = list(seeds) if seeds is not None else [seed + i for i in range(64 if n is None else n)]
        ask = self.from_seeds(seeds, labels, attributes, truncation)
        out = [torch.empty(0, spec.channels, spec.height, spec.width)]
        for first in range(0, len(seeds), CHUNK):
            filled, count = chunk(ask, first, CHUNK)
            assert isinstance(filled, FromSeeds)
            with torch.no_grad():
                out.append(task.images(self.nets, filled, spec)[:count].float().cpu())
            if progress is not None:
                progress(first + count)
        return torch.cat(out)

    def from_seeds(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        attributes: Mapping[str, float] | np.ndarray | None = None,
        truncation: float = 1.0,
    ) -> FromSeeds:
        """The ask for these seeds. Raises UsageError if labels or attributes do not fit."""
        chosen, asked = self.checked(labels, len(seeds)), self._attributes(attributes, len(seeds))
        return FromSeeds(
            seeds=tuple(seeds),
            labels=None if chosen is None else tuple(chosen),
            attributes=None if asked is None else asked.numpy(),
            truncation=truncation,
        )

    def latent(self, what: str) -> tuple[Latent, Images]:
        """The task and its spec. Raises UsageError if it has no latent space."""
        if not isinstance(self.task, Latent) or not isinstance(self.spec, Images):
            raise UsageError(f"the task {self.task.name!r} has no latent space: it cannot {what}")
        return self.task, self.spec

    @torch.no_grad()
    def walk(
        self,
        stops: Sequence[int],
        frames: int,
        labels: Sequence[int] | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        attributes: Mapping[str, float] | np.ndarray | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Images [frames, C, H, W] along a closed path through the seeds' latent points, on the sphere between each two.

        Labels (one for each stop; not given: the first class), attributes and truncation are those of `sample`; between two
        stops what is asked for goes over from the one to the other. Raises UsageError if they do not fit, or if the task has
        no latent space.
        """
        task, spec = self.latent("walk between seeds")
        labels, asked = self.checked(labels, len(stops)), self._attributes(attributes, len(stops))
        chosen = self.seed_labels(range(len(stops)), len(stops)) if labels is None else labels
        z, c = task.latents(stops), task.codes(stops, spec, chosen, asked)
        t = torch.linspace(0, len(stops), frames + 1)[:-1]
        legs = [(k, (k + 1) % len(stops), t[t.long() == k] - k) for k in range(len(stops))]
        points = torch.cat([slerp(z[a], z[b], at) for a, b, at in legs])
        codes = None if c is None else torch.cat([lerp(c[a], c[b], at) for a, b, at in legs])
        out = []
        for i in range(0, frames, CHUNK):
            piece, code = points[i : i + CHUNK], None if codes is None else codes[i : i + CHUNK]
            made = task.decode(self.nets, piece, code, spec, truncation=truncation)
            out.append(made.float().cpu())
            if progress is not None:
                progress(i + len(piece))
        return torch.cat(out)

    @torch.no_grad()
    def mix(
        self,
        rows: Sequence[int],
        columns: Sequence[int],
        at: int | None = None,
        *,
        labels: Sequence[int] | None = None,
        attributes: Mapping[str, float] | None = None,
        truncation: float = 1.0,
        progress: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Images [rows * columns, C, H, W], row by row: styles of a row's seed below layer `at`, of a column's from there on.

        `labels` are those of the columns' seeds, then of the rows'. Noise is that of the row's seed. Raises UsageError if
        the model has no styles.
        """
        task = self.task
        if not isinstance(task, Mixing):
            raise UsageError(f"the task {task.name!r} has no styles to mix", "leave --mix away")
        _, spec = self.latent("mix styles")
        seeds = [*columns, *rows]
        labels, asked = self.checked(labels, len(seeds)), self._attributes(attributes, len(seeds))
        z = task.latents(seeds)
        c = task.codes(seeds, spec, labels, asked)
        pairs = [(len(columns) + i, k) for i in range(len(rows)) for k in range(len(columns))]
        out = []
        for first in range(0, len(pairs), CHUNK):
            piece = pairs[first : first + CHUNK]
            sides = [list(side) for side in zip(*piece, *[(0, 0)] * (CHUNK - len(piece)), strict=True)]
            coarse, fine = ((z[side], None if c is None else c[side]) for side in sides)
            noise = [seeds[i] for i in sides[0]]
            made = task.mix(self.nets, coarse, fine, spec, at, noise, truncation)
            out.append(made[: len(piece)].float().cpu())
            if progress is not None:
                progress(first + len(piece))
        return torch.cat(out)

    @property
    def choices(self) -> Choices:
        """What can be chosen beside the seed."""
        return self.task.choices(self.spec)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, by label; none where labels are not the data's."""
        known = self.facts.get("classes", ()) if self.choices.from_data else ()
        return [str(name) for name in known] if isinstance(known, list | tuple) else []

    def class_name(self, label: int) -> str:
        """The class's name, or its number if it has none."""
        return self.classes[label] if label < len(self.classes) else str(label)

    @property
    def labels(self) -> range:
        """Those that can be asked for; none where a label says nothing."""
        return range(self.choices.classes)

    @property
    def conditional(self) -> bool:
        """Whether it is class-conditional."""
        return self.choices.classes > 0

    def seed_labels(self, seeds: Iterable[int], alike: int = ROW) -> list[int] | None:
        """A class for each seed, by the seed alone: so many have one, the next the next; None where labels say nothing."""
        rows = class_rows(self.choices, seeds, alike)
        return None if rows is None else list(rows)

    def checked(self, labels: Sequence[int] | None, n: int) -> list[int] | None:
        """The labels of n images. Raises UsageError if they do not fit."""
        if labels is None:
            return None
        known = self.labels
        if not known:
            raise UsageError("this model draws without labels", "leave --label away, or train with --preset cgan")
        if len(labels) != n:
            raise UsageError(f"{len(labels)} labels for {n} images")
        wrong = [y for y in labels if y not in known]
        if wrong:
            raise UsageError(f"no class {wrong[0]}: there are 0 to {known[-1]}")
        return list(labels)

    def _attributes(self, attributes: Mapping[str, float] | np.ndarray | None, n: int) -> Tensor | None:
        """[n, A]; None where nothing is asked for."""
        named = {} if isinstance(attributes, np.ndarray) else attributes or {}
        if not named and not isinstance(attributes, np.ndarray):
            return None
        width = self.choices.attributes
        names = list(self.facts.get("attributes", ())) if self.choices.from_data else [str(i) for i in range(width)]
        wrong = [a for a in named if a not in names]
        if wrong:
            hint = nearest(wrong[0], names) or (f"there are: {', '.join(names)}" if names else "leave --attr away")
            raise UsageError(f"this model knows no attribute {wrong[0]!r}", hint)
        if not width:
            raise UsageError("this model draws without attributes", "train with --preset attributes")
        if isinstance(attributes, np.ndarray):
            if attributes.shape != (n, width):
                raise UsageError(f"attributes are {attributes.shape}, not {(n, width)}")
            return torch.from_numpy(attributes).float()
        return torch.tensor([[named.get(a, 0.0) for a in names]]).expand(n, -1)


def describe(model: Model) -> dict[str, Any]:
    """`config.json` of a model folder."""
    return {
        "format": migration.FORMAT,
        "task": model.task.model_dump(mode="json"),
        "spec": model.spec.model_dump(mode="json"),
        "tick": {"step": model.tick.step, "images": model.tick.images},
        "facts": model.facts,
    }
