"""What is evaluated: sets of samples, and what is computed of them when a metric asks; the inputs of a metric.

A set may be larger than memory. It is read chunk by chunk, from memory-mapped data, from a temporary file or from a model that makes
the samples while they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from gancli.core.samples import Samples
from gancli.core.titles import first_of_each
from gancli.data import cache
from gancli.evaluation.weights import sha256
from gancli.inference.spool import Spool, batches, empty, joined, pieces, release, spooled

if TYPE_CHECKING:
    from gancli.evaluation.contracts import Extracted

BATCH = 64  # samples per pass of a feature net; fixed, so that the arithmetic does not depend on the machine
CHUNK = 16 << 20  # bytes that a view of samples is given at a time
HEAD = 100  # samples that are kept for a picture
S = TypeVar("S", bound=Samples)
T = TypeVar("T")


class SampleSet(Generic[S]):
    """A set of samples, and what is computed of them when a metric asks.

    By itself it knows what may be known before samples are made; `StoredSet` and `StreamedSet` have them.

    Args:
        name: in words.
        kind: the type of the samples.
        n: how many.
        labels: int64 [n], if there are any.
        attributes: float32 [n, A], if there are any.
        classified: whether the features know classes.
        numbers: int64 [n], the samples' numbers among all that they were taken from; None: 0 .. n - 1.
        folder: where temporary files may be written.
    """

    def __init__(
        self,
        name: str,
        kind: type[S],
        n: int,
        *,
        folder: Path,
        labels: np.ndarray | None = None,
        attributes: np.ndarray | None = None,
        classified: bool = False,
        numbers: np.ndarray | None = None,
    ) -> None:
        self.name, self.kind, self.labels, self.attributes, self.classified = name, kind, labels, attributes, classified
        self._n, self._folder, self._numbers = n, folder, numbers
        self.model: Any = None  # that makes the samples, where they come from one in this process
        self._views: dict[Any, np.ndarray] = {}

    def __len__(self) -> int:
        return self._n

    def original(self, i: int) -> int:
        """The number of this set's i-th sample among all that it was taken from."""
        return i if self._numbers is None else int(self._numbers[i])

    @cached_property
    def samples(self) -> S:
        """All samples that the rows are among, perhaps memory-mapped: to be read by `chunks`, `take` or `view`."""
        raise NotImplementedError("these samples are not made yet")

    @cached_property
    def extracted(self) -> Extracted:
        """Features and probabilities, float32."""
        raise NotImplementedError("these samples are not made yet")

    @cached_property
    def pictured(self) -> np.ndarray:
        """Which samples are kept for a picture: the first ones, of every class where there are classes."""
        return first_of_each(self.labels, len(self), HEAD)

    @property
    def rows(self) -> np.ndarray | None:
        """int64 [n], the set's rows among `samples`; None: all."""
        return None

    def chunks(self, size: int = BATCH) -> Iterator[S]:
        """The samples in their order, `size` at a time."""
        return pieces(self.samples, size, self.rows)

    def take(self, index: np.ndarray) -> S:
        """Some of the samples, in this order, in memory."""
        found = self.samples.take(index if self.rows is None else self.rows[index])
        release(self.samples)
        return found

    def view(self, of: Callable[[S], np.ndarray], index: np.ndarray | None = None) -> np.ndarray:
        """What a function makes of each sample, chunk by chunk; perhaps memory-mapped.

        Args:
            of: samples [m] -> an array [m, ...] whose row i depends on sample i alone.
            index: of which samples; not given: of all, which is kept for other metrics.

        Returns:
            [n, ...].
        """
        if index is not None:
            return self._views[of][index] if of in self._views else self._viewed(of, index)
        if of not in self._views:
            self._views[of] = self._viewed(of, np.arange(len(self)))
        return self._views[of]

    def _viewed(self, of: Callable[[S], np.ndarray], index: np.ndarray) -> np.ndarray:
        rows = index if self.rows is None else self.rows[index]
        size = max(1, sum(a.nbytes for a in self.take(index[:1]).pack().values()))
        out, done = None, 0
        for chunk in pieces(self.samples, max(1, CHUNK // size), rows):
            made = of(chunk)
            if out is None:
                out = empty((len(index), *made.shape[1:]), made.dtype, self._folder)
            out[done : done + len(made)] = made
            done += len(made)
            cache.release(out)
        assert out is not None
        return out

    def release(self) -> None:
        """Give back the memory of what lies in files."""
        for view in self._views.values():
            cache.release(view)

    @property
    def features(self) -> np.ndarray:
        """float64 [n, d]."""
        return self.extracted.features.astype(np.float64)

    @property
    def probabilities(self) -> np.ndarray | None:
        """float32 [n, K], or None where the features are no classifier."""
        return self.extracted.probabilities

    @property
    def predicted(self) -> np.ndarray | None:
        """int64 [n]: the class that the features' classifier says, or None."""
        p = self.probabilities
        return None if p is None else p.argmax(1)


class StoredSet(SampleSet[S]):
    """Samples that can be read again and again.

    Args:
        name: in words.
        samples: in memory or memory-mapped.
        extract: gives the features of a set.
        rows: int64 [n], which of the samples; None: all.
        labeled: whether labels are to be seen.
        fingerprint: gives a digest of all samples, where they are data.
        more: as of `SampleSet`.
    """

    def __init__(
        self,
        name: str,
        samples: S,
        extract: Callable[[StoredSet[S]], Extracted],
        rows: np.ndarray | None = None,
        *,
        labeled: bool = True,
        fingerprint: Callable[[], str] = str,
        **more: Any,
    ) -> None:
        at: Any = slice(None) if rows is None else rows
        labels, attributes = (getattr(samples, key, None) for key in ("labels", "attributes"))
        super().__init__(
            name, type(samples), len(samples) if rows is None else len(rows), numbers=rows,
            labels=labels[at] if labeled and labels is not None else None,
            attributes=None if attributes is None else attributes[at], **more,
        )  # fmt: skip
        self.samples, self._rows = samples, rows
        self._extract, self._fingerprint = extract, fingerprint

    @property
    def rows(self) -> np.ndarray | None:
        return self._rows

    @cached_property
    def extracted(self) -> Extracted:
        return self._extract(self)

    def read(self, features: bool, keep: bool) -> None:
        """Nothing: what metrics ask for is read when they do."""

    @property
    def head(self) -> S:
        """Samples for a picture."""
        return self.take(self.pictured)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the samples, if they are data."""
        whole, rows = self._fingerprint(), self._rows
        return whole if rows is None or len(rows) == len(self.samples) else sha256(whole.encode() + rows.tobytes())


class StreamedSet(SampleSet[S]):
    """Samples that are made as they are read: one reading gives the features and keeps the samples, as far as metrics need them.

    Args:
        name: in words.
        stream: the samples, the same each time it is read; not empty.
        n: how many.
        extract: gives the features of batches of samples.
        more: as of `SampleSet`.
    """

    def __init__(
        self, name: str, stream: Iterable[S], n: int, extract: Callable[[Iterable[S]], Extracted], **more: Any
    ) -> None:
        self._stream, self._extract, self._chunks = stream, extract, iter(stream)
        self._head = [next(self._chunks)]
        super().__init__(name, type(self._head[0]), n, **more)

    def read(self, features: bool, keep: bool) -> None:
        """Read the stream, which was begun.

        Args:
            features: whether features are extracted.
            keep: whether samples are kept to be read again.
        """
        spool = Spool[S](len(self), self._folder)
        chunks = self._with_head(chain(self._head, self._chunks))
        found = batches(spool.through(chunks) if keep else chunks, BATCH)
        if features:
            self.extracted = self._extract(found)
        for _ in found:  # where there were no features to extract
            pass
        if keep:
            self.samples = spool.samples

    def _with_head(self, chunks: Iterable[S]) -> Iterator[S]:
        """The same chunks; samples for a picture are kept."""
        self._head, wanted, done = [], np.sort(self.pictured), 0
        for chunk in chunks:
            inside = wanted[(wanted >= done) & (wanted < done + len(chunk))] - done
            if len(inside):
                self._head.append(chunk.take(inside))
            done += len(chunk)
            yield chunk

    @property
    def head(self) -> S:
        """Samples for a picture; before they are read, the first ones."""
        found, wanted = joined(self._head), self.pictured
        return found.take(np.argsort(np.argsort(wanted))) if len(found) == len(wanted) else found

    @cached_property
    def samples(self) -> S:
        """Made once more: for a metric that did not say that it needs them."""
        return spooled(self._stream, len(self), self._folder)

    @cached_property
    def extracted(self) -> Extracted:
        return self._extract(self.chunks())


class Inputs:
    """What a metric is given: the samples, the data that they are compared with, the training data.

    Args:
        real: of the test set, or while training of the validation set.
        fake: the samples.
        train: the training data.
        reference: makes the same inputs with training data in the samples' place.
        baselines: makes the same inputs with what each baseline returns in the samples' place, by its name.
        classes: the data's class names, by label.
        columns: what the columns of the features' probabilities are called; empty if they are no classes of the data.
        seed: of what a metric draws.
        known_of_reals: what metrics have computed of the data alone, shared by all inputs with the same data.
        attribute_names: of the data.
        measure: images uint8 [N, C, H, W] -> their attributes [N, A], if the data can measure them.
    """

    def __init__(
        self,
        real: SampleSet[Any],
        fake: SampleSet[Any],
        train: SampleSet[Any],
        *,
        reference: Callable[[], Inputs],
        baselines: Callable[[], Mapping[str, Inputs]] = dict,
        classes: tuple[str, ...] = (),
        columns: tuple[str, ...] = (),
        seed: int = 0,
        known_of_reals: dict[str, Any] | None = None,
        attribute_names: tuple[str, ...] = (),
        measure: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.real, self.fake, self.train = real, fake, train
        self.classes, self.columns, self.seed = classes, columns, seed
        self.attribute_names, self.measure = attribute_names, measure
        self.held_out = True  # whether the reals are others than the training data
        self._reference, self._baselines = reference, baselines
        self._known_of_reals: dict[str, Any] = {} if known_of_reals is None else known_of_reals
        self._known: dict[str, Any] = {}

    @cached_property
    def reference(self) -> Inputs:
        """As many training data in the samples' place: real against real."""
        return self._reference()

    @cached_property
    def baselines(self) -> Mapping[str, Inputs]:
        """What each baseline returns in the samples' place, by its name; none for samples that are not made from input."""
        return self._baselines()

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """`make()`, once for all metrics that ask under this key."""
        return _once(self._known, key, make)

    def shared_by_reals(self, key: str, make: Callable[[], T]) -> T:
        """As `shared`, for what depends on the data alone: once for all samples that are compared with them."""
        return _once(self._known_of_reals, key, make)

    def release(self) -> None:
        """Give back the memory of what lies in files."""
        for samples in (self.real, self.fake, self.train):
            samples.release()
        if "reference" in vars(self):
            self.reference.fake.release()
        for other in vars(self).get("baselines", {}).values():
            other.fake.release()


def _once(known: dict[str, Any], key: str, make: Callable[[], T]) -> T:
    if key not in known:
        known[key] = make()
    found: T = known[key]
    return found
