"""A trained model that is sampled from.

    model = gancli.load("runs/digits-textbook-0001")
    images = model.sample(64, seed=0)          # float tensor [64, C, H, W] in [-1, 1]

Image i of a call with seed S comes from seed S + i alone: nets are always run in chunks of the same size, so that neither the number of
images nor their order changes a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core import migration
from gancli.core.contracts import Tick
from gancli.core.data import Spec
from gancli.core.errors import UsageError
from gancli.core.printable import printable
from gancli.core.registry import nearest
from gancli.core.samples import Ask, FromSeeds, Samples, with_options
from gancli.core.specs import Images
from gancli.core.task import Choices, Task
from gancli.core.titles import ROW
from gancli.distributed.ranks import ALONE, Ranks
from gancli.inference.capabilities import Latent, Mixing
from gancli.inference.spool import joined
from gancli.models.latents import closed_path, lerp
from gancli.tasks.sampling import class_rows

CHUNK = 32  # samples per pass of the nets


def padded(first: int, n: int) -> tuple[list[int], int]:
    """The chunk of rows of n that begins at `first`, filled up with copies of it, and how many rows of it count.

    Matmuls of different heights may round differently; chunks of one size make a row's sample bitwise identical whatever is
    made with it.
    """
    rows = list(range(first, min(first + CHUNK, n)))
    return [*rows, *[first] * (CHUNK - len(rows))], len(rows)


@dataclass
class Model:
    """A task, its nets in float32 and evaluation mode, and what they were trained on."""

    task: Task
    nets: dict[str, nn.Module]
    spec: Spec
    tick: Tick
    facts: dict[str, Any]  # data, preset, classes, where it comes from, whether its weights are averaged
    ranks: Ranks = ALONE  # those that share the work of `generate`, and all get all of it

    def __repr__(self) -> str:
        """A line, without the layers of the nets."""
        nets = ", ".join(f"{n} {sum(p.numel() for p in net.parameters()):,}" for n, net in self.nets.items())
        name = printable(str(self.facts.get("preset") or self.task.name))
        return f"Model({name}, step {self.tick.step}, data {self.spec.name}; parameters: {nets})"

    @property
    def weights(self) -> dict[str, Tensor]:
        """The tensors of a model file, "NET.NAME": of the nets that samples are made with."""
        kept = [name for name in self.task.ema if name in self.nets]
        return {f"{name}.{key}": tensor for name in kept for key, tensor in self.nets[name].state_dict().items()}

    def stream(self, ask: Ask, progress: Callable[[int], None] | None = None) -> Iterator[Samples]:
        """The samples asked for, a chunk at a time: no more than a chunk is in memory.

        Several ranks share the work: each must read the stream to its end, and gets all of it.

        Args:
            ask: of the task's kind (`Task.asks`).
            progress: called with the number of samples that are done.

        Yields:
            Samples of up to `CHUNK` rows, in the order of the ask.
        """
        firsts = range(0, len(ask), CHUNK)
        for turn in range(0, len(firsts), self.ranks.world):
            now = firsts[turn : turn + self.ranks.world]
            for first, made in zip(now, self._shared(ask, now), strict=True):
                yield made
                if progress is not None:
                    progress(first + len(made))

    def _shared(self, ask: Ask, firsts: range) -> list[Samples]:
        """The chunks that begin at these rows, one for each rank, made at the same time and given to all."""
        mine = self.ranks.rank < len(firsts)

        def work() -> Samples:
            made = self._chunk(ask, firsts[self.ranks.rank if mine else 0])
            return made if mine else made.take(slice(0, 0))  # only so that it has the others' shape

        own = self.ranks.on_every_rank(work)
        if self.ranks.world == 1:
            return [own]
        packed = own.pack()
        collected = [self.ranks.all_gather(torch.from_numpy(np.ascontiguousarray(a))) for a in packed.values()]
        parts = [
            dict(zip(packed, (tensor.numpy() for tensor in of), strict=True)) for of in zip(*collected, strict=True)
        ]
        return [type(own).unpack(part) for part in parts[: len(firsts)]]

    def _chunk(self, ask: Ask, first: int) -> Samples:
        rows, n = padded(first, len(ask))
        with torch.no_grad():
            return self.task.generate(self.nets, ask.rows(rows), self.spec).take(slice(0, n))

    def generate(self, ask: Ask, progress: Callable[[int], None] | None = None) -> Samples:
        """All samples asked for, in memory."""
        return joined(list(self.stream(ask, progress)))

    def sample(
        self,
        n: int | None = None,
        seed: int = 0,
        *,
        seeds: Sequence[int] | None = None,
        labels: Sequence[int | str] | None = None,
        attributes: Mapping[str, float] | np.ndarray | None = None,
        truncation: float = 1.0,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> Any:
        """Samples of seeds.

        Args:
            n: how many, of seeds seed .. seed + n - 1; default: 64, of text 20.
            seed: the first.
            seeds: these seeds instead.
            labels: the class of each image, by number or name, where the model is class-conditional; not given: drawn from
                the seed.
            attributes: what all have in common, by name (those not named are at their mean), or a row [A] for each image.
            truncation: below 1: less variety, more typical samples.
            progress: called with the number of samples that are done.
            options: further ones of the model's requests: `prompt` and `temperature` of text.

        Returns:
            Images [N, C, H, W], float32 in [-1, 1], on the CPU; of text, a list of N lines.

        Raises:
            UsageError: the task does not make samples from seeds, or labels, attributes or options do not fit.
        """
        seeds = list(seeds) if seeds is not None else [seed + i for i in range(n or self.task.asks.usual)]
        if self.task.asks.printed:
            ask = with_options(self.from_seeds(seeds, labels, attributes, truncation), options)
            return [line for chunk in self.stream(ask, progress) for line in chunk.excerpt(len(chunk))]
        task, spec = self.latent("sample images from seeds")
        ask = with_options(self.from_seeds(seeds, labels, attributes, truncation), options)
        empty = torch.empty(0, spec.channels, spec.height, spec.width)
        return self._images(len(seeds), lambda rows: task.images(self.nets, ask.rows(rows), spec), progress, empty)

    def _images(
        self,
        n: int,
        make: Callable[[list[int]], Tensor],
        progress: Callable[[int], None] | None,
        *before: Tensor,
    ) -> Tensor:
        """Images [N, C, H, W] on the CPU, made chunk by chunk from the numbers of their rows."""
        out = list(before)
        for first in range(0, n, CHUNK):
            rows, count = padded(first, n)
            with torch.no_grad():
                out.append(make(rows)[:count].float().cpu())
            if progress is not None:
                progress(first + count)
        return torch.cat(out)

    def from_seeds(
        self,
        seeds: Sequence[int],
        labels: Sequence[int | str] | None = None,
        attributes: Mapping[str, float] | np.ndarray | None = None,
        truncation: float = 1.0,
    ) -> FromSeeds:
        """The ask for these seeds, of the task's kind.

        Raises:
            UsageError: the task does not make its samples from seeds, or labels or attributes do not fit.
        """
        asks = self.task.asks
        if not issubclass(asks, FromSeeds):
            raise UsageError(
                f"the task {self.task.name!r} makes its samples from {asks.needs}, not from seeds", asks.verb
            )
        chosen, asked = self.checked(labels, len(seeds)), self._attributes(attributes, len(seeds))
        return asks(
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
        labels: Sequence[int | str] | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        attributes: Mapping[str, float] | np.ndarray | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Images [frames, C, H, W] along a smooth closed path through the seeds' latent points.

        Labels (one for each stop; not given: the first class), attributes and truncation are those of `sample`; between two
        stops what is asked for goes over from the one to the other. Raises UsageError if they do not fit, or if the task has
        no latent space.
        """
        task, spec = self.latent("walk between seeds")
        labels, asked = self.checked(labels, len(stops)), self._attributes(attributes, len(stops))
        chosen = self.seed_labels(range(len(stops)), len(stops)) if labels is None else labels
        z, c = task.latents(stops), task.condition_vectors(stops, spec, chosen, asked)
        t = torch.linspace(0, len(stops), frames + 1)[:-1]
        legs = [(k, (k + 1) % len(stops), t[t.long() == k] - k) for k in range(len(stops))]
        points = closed_path(z, t)
        codes = None if c is None else torch.cat([lerp(c[a], c[b], at) for a, b, at in legs])

        def make(rows: list[int]) -> Tensor:
            code = None if codes is None else codes[rows]
            return task.decode(self.nets, points[rows], code, spec, truncation=truncation)

        return self._images(frames, make, progress)

    @torch.no_grad()
    def mix(
        self,
        rows: Sequence[int],
        columns: Sequence[int],
        at: int | None = None,
        *,
        labels: Sequence[int | str] | None = None,
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
        c = task.condition_vectors(seeds, spec, labels, asked)
        pairs = [(len(columns) + i, k) for i in range(len(rows)) for k in range(len(columns))]

        def make(some: list[int]) -> Tensor:
            sides = [list(side) for side in zip(*(pairs[i] for i in some), strict=True)]
            coarse, fine = ((z[side], None if c is None else c[side]) for side in sides)
            return task.mix(self.nets, coarse, fine, spec, at, [seeds[i] for i in sides[0]], truncation)

        return self._images(len(pairs), make, progress)

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

    def checked(self, labels: Sequence[int | str] | None, n: int) -> list[int] | None:
        """The labels of n images, as numbers; names of classes are looked up. Raises UsageError if they do not fit."""
        if labels is None:
            return None
        known = self.labels
        if not known:
            raise UsageError("this model is not class-conditional", "omit --label")
        if len(labels) != n:
            raise UsageError(f"{len(labels)} labels for {n} images")
        names = {name: y for y, name in enumerate(self.classes)}
        wrong = next((y for y in labels if (y not in names if isinstance(y, str) else y not in known)), None)
        if isinstance(wrong, str):
            raise UsageError(
                f"no class {wrong!r}", nearest(wrong, names) or f"there are: {', '.join(list(names)[:20])}"
            )
        if wrong is not None:
            raise UsageError(f"no class {wrong}: there are 0 to {known[-1]}")
        return [names[y] if isinstance(y, str) else y for y in labels]

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
