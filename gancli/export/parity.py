"""Whether an exported model makes the samples of the model in torch: batches of several sizes, with all kinds of inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from gancli.core.errors import ResourceError
from gancli.core.exportable import Exportable
from gancli.core.images import to_uint8
from gancli.export.contracts import Arrays, Runner, by_torch
from gancli.export.seeds import draw

ROWS = (1, 2, 7)
TOLERANCE = 1e-4  # in [-1, 1]; a gray level is 8e-3


@dataclass(frozen=True)
class Parity:
    """The comparison of an exported model with torch.

    Attributes:
        rows: the sizes of the batches.
        largest: largest absolute difference of values in [-1, 1], or of integers.
        differing: pixels that differ after rounding to 8 bits, or integers that differ.
        pixels: all pixels or integers compared.
        elements: what they are called.
    """

    rows: tuple[int, ...]
    largest: float
    differing: int
    pixels: int
    elements: str = "pixels"

    def describe(self) -> str:
        """The comparison in words."""
        rows = ", ".join(map(str, self.rows))
        return (
            f"equals torch in batches of {rows}: largest difference {self.largest:.1e}, "
            f"{self.differing} of {self.pixels:,} {self.elements} differ"
        )


def compare(form: Exportable, run: Runner, classes: int) -> Parity:
    """Run both with 1, 2 and 7 rows, and with images of a second size where the size is free.

    Args:
        form: what was exported.
        run: what was written.
        classes: labels are 0 .. classes - 1.

    Returns:
        The differences.

    Raises:
        ResourceError: the exported model does not take such a batch, makes another shape, or differs by more than `TOLERANCE`.
    """
    largest, differing, pixels = 0.0, 0, 0
    for inputs in examples(form, classes):
        expected = by_torch(form, inputs)
        n = len(expected)
        try:
            found = run(inputs)
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise ResourceError(f"the exported model does not run with {n} rows: {text}") from error
        if found.shape != expected.shape:
            raise ResourceError(
                f"the exported model makes {form.output} {found.shape} where torch makes {expected.shape}"
            )
        largest = max(largest, float(np.abs(found - expected).max()))
        differing += int((_rounded(found) != _rounded(expected)).sum())
        pixels += expected.size
    if not largest <= TOLERANCE:
        raise ResourceError(
            f"the exported model differs from torch by {largest:.1e}, more than {TOLERANCE:.0e}: it was not written"
        )
    return Parity(ROWS, largest, differing, pixels, form.elements)


def _rounded(output: np.ndarray) -> np.ndarray:
    """Pixels of 8 bits; integers as they are."""
    return to_uint8(torch.from_numpy(output)) if output.dtype == np.float32 else output


def examples(form: Exportable, classes: int) -> Iterator[Arrays]:
    """Inputs with 1, 2 and 7 rows; images also larger and not square, where their size is free."""
    for n in ROWS:
        yield {name: _rows(form, name, n, classes, 0) for name in form.inputs}
    if form.free:
        yield {name: _rows(form, name, 2, classes, form.free.get(name, 0)) for name in form.inputs}


def _rows(form: Exportable, name: str, n: int, classes: int, more: int) -> np.ndarray:
    """n rows of an input; images `more` pixels higher and twice as many wider."""
    example = form.inputs[name]
    if name in form.draws:
        return draw(form.draws[name], range(n)).reshape(n, *example.shape[1:])
    if name in form.defaults:
        return example[torch.arange(n) % len(example)].numpy()
    if not example.is_floating_point():
        return np.broadcast_to((np.arange(n) % max(1, classes)).reshape(-1, *[1] * (example.dim() - 1)),
                               (n, *example.shape[1:])).copy()  # fmt: skip
    shape = [n, *example.shape[1:]]
    if more:
        shape[2:] = [shape[2] + more, shape[3] + 2 * more]
    random = np.random.Generator(np.random.PCG64(n))
    if name == "mask":
        return (random.random(shape) < 0.3).astype(np.float32)
    return random.uniform(-1, 1, shape).astype(np.float32)
