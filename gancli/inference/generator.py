"""A trained generator that is sampled from.

    model = gancli.load("runs/digits-textbook-0001")
    images = model.sample(64, seed=0)          # float tensor [64, C, H, W] in [-1, 1]

Image i of a call with seed S comes from seed S + i alone: nets are always run in chunks of the same size, so that neither the number of
images nor their order changes a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core import migration
from gancli.core.contracts import Condition, Nets, Shape, Task, Tick
from gancli.core.errors import UsageError
from gancli.core.registry import nearest
from gancli.distributed.ranks import ALONE, Ranks, share
from gancli.models.latents import Points, lerp, slerp

if TYPE_CHECKING:
    from gancli.training.state import State

CHUNK = 32  # images per pass of the generator
ROW = 8  # seeds in a row of a grid: where no class is asked for, they have the same


@runtime_checkable
class Latent(Protocol):
    """A task whose images come from latent points."""

    @property
    def condition(self) -> Condition: ...
    @property
    def told(self) -> bool:
        """Whether labels and attributes, where it heeds them, are the data's own."""
        ...

    def latents(self, seeds: Sequence[int]) -> Tensor: ...
    def codes(
        self, seeds: Sequence[int], shape: Shape, labels: Sequence[int] | None = None, attributes: Tensor | None = None
    ) -> Tensor | None: ...
    def decode(
        self,
        nets: Nets,
        z: Tensor,
        c: Tensor | None,
        shape: Shape,
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
        shape: Shape,
        cut: int | None,
        seeds: Sequence[int],
        truncation: float,
    ) -> Tensor: ...


@dataclass
class Model:
    """A task, its nets in float32 and evaluation mode, and what they were trained on."""

    task: Task
    nets: dict[str, nn.Module]
    shape: Shape
    tick: Tick
    facts: dict[str, Any]  # data, preset, classes, where it comes from, whether its weights are averaged
    ranks: Ranks = ALONE  # those that share the work of `sample`, and all get all of it

    @torch.no_grad()
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
        """Images [N, C, H, W], float32 in [-1, 1], on the CPU: of seeds seed .. seed + n - 1, or of `seeds`.

        Where the model is conditional, `labels` gives each image's class, and `attributes` what all have in common (those not
        named are at their mean) or a row [A] for each image. `truncation` below 1 gives up variety for quality. Raises
        UsageError if they do not fit.
        """
        seeds = list(seeds) if seeds is not None else [seed + i for i in range(64 if n is None else n)]
        labels, asked = self.checked(labels, len(seeds)), self._attributes(attributes, len(seeds))
        was = {name: net.training for name, net in self.nets.items()}
        for net in self.nets.values():
            net.eval()
        try:
            own = self.ranks.each(lambda: self._chunks(seeds, labels, asked, truncation, progress))
        finally:
            for name, net in self.nets.items():
                net.train(was[name])
        return torch.cat(self.ranks.collect(own))

    def _chunks(
        self,
        seeds: list[int],
        labels: list[int] | None,
        asked: Tensor | None,
        truncation: float,
        progress: Callable[[int], None] | None,
    ) -> Tensor:
        """This rank's share of the images, in chunks."""
        out = [torch.empty(0, self.shape.channels, self.shape.height, self.shape.width)]
        for first in share(range(0, len(seeds), CHUNK), self.ranks):
            piece = seeds[first : first + CHUNK]
            filled = [*piece, *[0] * (CHUNK - len(piece))]
            chosen = None if labels is None else [*labels[first : first + CHUNK], *[0] * (CHUNK - len(piece))]
            rows = None if asked is None else asked[[*range(first, first + len(piece)), *[0] * (CHUNK - len(piece))]]
            made = self.task.sample(self.nets, filled, self.shape, chosen, rows, truncation)
            out.append(made[: len(piece)].float().cpu())
            if progress is not None:
                progress(first + len(piece))
        return torch.cat(out)

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
        task = self.task
        if not isinstance(task, Latent):
            raise UsageError(
                f"the task {task.name!r} has no latent space to walk in", "choose another form: .png, .npz"
            )
        labels, asked = self.checked(labels, len(stops)), self._attributes(attributes, len(stops))
        chosen = self.row_labels(len(stops), len(stops)) if labels is None else labels
        z, c = task.latents(stops), task.codes(stops, self.shape, chosen, asked)
        t = torch.linspace(0, len(stops), frames + 1)[:-1]
        legs = [(k, (k + 1) % len(stops), t[t.long() == k] - k) for k in range(len(stops))]
        points = torch.cat([slerp(z[a], z[b], at) for a, b, at in legs])
        codes = None if c is None else torch.cat([lerp(c[a], c[b], at) for a, b, at in legs])
        out = []
        for i in range(0, frames, CHUNK):
            piece, code = points[i : i + CHUNK], None if codes is None else codes[i : i + CHUNK]
            made = task.decode(self.nets, piece, code, self.shape, truncation=truncation)
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
        seeds = [*columns, *rows]
        labels, asked = self.checked(labels, len(seeds)), self._attributes(attributes, len(seeds))
        z = task.latents(seeds)
        c = task.codes(seeds, self.shape, labels, asked)
        pairs = [(len(columns) + i, k) for i in range(len(rows)) for k in range(len(columns))]
        out = []
        for first in range(0, len(pairs), CHUNK):
            piece = pairs[first : first + CHUNK]
            sides = [list(side) for side in zip(*piece, *[(0, 0)] * (CHUNK - len(piece)), strict=True)]
            coarse, fine = ((z[side], None if c is None else c[side]) for side in sides)
            noise = [seeds[i] for i in sides[0]]
            made = task.mix(self.nets, coarse, fine, self.shape, at, noise, truncation)
            out.append(made[: len(piece)].float().cpu())
            if progress is not None:
                progress(first + len(piece))
        return torch.cat(out)

    @property
    def told(self) -> bool:
        """Whether labels and attributes, where they say anything, are the data's own."""
        return isinstance(self.task, Latent) and self.task.told

    @property
    def classes(self) -> list[str]:
        """Names of the classes, by label; none where labels are not the data's."""
        known = self.facts.get("classes", ()) if self.told else ()
        return [str(name) for name in known] if isinstance(known, list | tuple) else []

    def class_name(self, label: int) -> str:
        """The class's name, or its number if it has none."""
        return self.classes[label] if label < len(self.classes) else str(label)

    @property
    def labels(self) -> range:
        """Those that can be asked for; none where a label says nothing."""
        task = self.task
        if not isinstance(task, Latent):
            return range(0)
        n = task.condition.asked(self.shape)[0]
        heeded = n > 1 and _differ(*(task.codes([0], self.shape, [y]) for y in (0, 1)))
        return range(n if heeded else 0)

    @property
    def conditional(self) -> bool:
        """Whether a label says what is drawn."""
        return len(self.labels) > 0

    def seed_labels(self, seeds: Iterable[int], alike: int = ROW) -> list[int] | None:
        """A class for each seed, by the seed alone: so many have one, the next the next; None where labels say nothing."""
        classes = len(self.labels)
        return [s // alike % classes for s in seeds] if classes else None

    def row_labels(self, n: int, columns: int = ROW) -> list[int] | None:
        """The classes of seeds 0 to n - 1 for a grid, one per row; None where labels say nothing."""
        return self.seed_labels(range(n), columns)

    def labels_like(self, labels: np.ndarray | None, n: int) -> list[int] | None:
        """n labels with the shares of the data's `labels`, evenly spread; None where those labels say nothing.

        Where attributes say something, too, label i is of the same image as row i of `attributes_like`.
        """
        if labels is None or not self.told or not self.conditional:
            return None
        return [int(y) for y in self._like(labels if self._width else np.sort(labels), n)]

    def attributes_like(self, attributes: np.ndarray | None, n: int) -> np.ndarray | None:
        """n rows of the data's `attributes` [N, A], evenly spread; None where those attributes say nothing."""
        if attributes is None or not self.told or not self._width:
            return None
        return np.asarray(self._like(attributes, n), np.float32)

    def _like(self, rows: np.ndarray, n: int) -> np.ndarray:
        """n of the rows, evenly spread; the same ones of labels and of attributes where both say something."""
        random = np.random.Generator(np.random.PCG64(0))
        if self.conditional and self._width:
            rows = rows[random.permutation(len(rows))]
        return np.asarray(rows[random.permutation((np.arange(n) * len(rows)) // n)])

    @property
    def _width(self) -> int:
        """How many attributes can be asked for; 0 where they say nothing."""
        task = self.task
        if not isinstance(task, Latent):
            return 0
        width = task.condition.asked(self.shape)[1]
        rows = (torch.full((1, width), v) for v in (0.0, 1.0))
        heeded = width > 0 and _differ(*(task.codes([0], self.shape, None, row) for row in rows))
        return width if heeded else 0

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
        width = self._width
        names = list(self.facts.get("attributes", ())) if self.told else [str(i) for i in range(width)]
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


def _differ(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and not one.equal(other)


def of_state(task: Task, state: State, ema: bool = True, facts: dict[str, Any] | None = None) -> Model:
    """The model of a run that is being trained."""
    known = {**(facts or {}), "ema": ema and bool(state.ema)}
    return Model(task, state.sampling(ema), state.shape, state.tick(0), known)


def describe(model: Model) -> dict[str, Any]:
    """`config.json` of a model folder."""
    return {
        "format": migration.FORMAT,
        "task": model.task.model_dump(mode="json"),
        "shape": asdict(model.shape),
        "tick": {"step": model.tick.step, "images": model.tick.images},
        "facts": model.facts,
    }
