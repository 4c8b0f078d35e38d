"""Which values of a file are black and white: from the type of its numbers, and from all of them.

| numbers | black and white |
|-|-|
| 8-bit | 0 and 255 |
| whole numbers in a wider type | 0 and 1 if none is greater than 1; else 0 and 255, or 0 and 65,535, whichever holds all of them |
| floats | 0 and 1; -1 and 1 if a good part is negative; 0 and 255 |

Values that lie a little outside, by rounding or by the overshoot of a resampling, are cut off. What is outside by more, or uses little
of the range, is warned of; where no range fits, the user has to name one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gancli.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOM = 0.05  # how far values may lie outside of a range, as a part of it
NEGATIVE = 0.01  # part of all values that is negative where the range is -1 .. 1
ZERO = 1e-3  # less is not counted as negative
DIM = 1 / 8  # of the range: where the brightest value is below, nearly nothing is seen
BYTES, DEEP = 255.0, 65535.0
BLOCK = 2**22  # numbers that are converted at a time
WAY = "--set data.range"

Wanted = tuple[float, float] | Literal["auto"] | None


@dataclass(frozen=True)
class Range:
    """The values that become 0 (black) and 255 (white)."""

    low: float = 0.0
    high: float = BYTES

    def to_uint8(self, values: np.ndarray) -> np.ndarray:
        """Numbers of any type -> uint8, rounded; what lies outside is cut off."""
        if (self.low, self.high) == (0, BYTES) and values.dtype == np.uint8:
            return values
        out = np.empty(values.shape, np.uint8)
        scale, wide = BYTES / (self.high - self.low), values.dtype.kind in "iu" and values.dtype.itemsize > 2
        for part, to in _blocks(values, out):
            real: np.ndarray = part.astype(np.float64 if wide else np.float32)
            real *= real.dtype.type(scale)
            real -= real.dtype.type(self.low * scale)
            to[...] = np.clip(np.round(real, out=real), 0, BYTES, out=real)
        return out


def _blocks(values: np.ndarray, out: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Both in parts of about `BLOCK` numbers, so that floats are held of one part alone."""
    if values.size <= BLOCK or not values.ndim:
        yield values, out
    elif values[0].size > BLOCK:
        for one, to in zip(values, out, strict=True):
            yield from _blocks(one, to)
    else:
        step = max(1, BLOCK // max(1, values[0].size))
        for start in range(0, len(values), step):
            yield values[start : start + step], out[start : start + step]


@dataclass(frozen=True)
class Stats:
    """Of many numbers: least and greatest, and how many of how many are negative. NaN and infinity stay visible in the first two."""

    low: float = np.inf
    high: float = -np.inf
    negative: int = 0
    count: int = 0

    def __add__(self, other: Stats) -> Stats:
        low, high = float(np.minimum(self.low, other.low)), float(np.maximum(self.high, other.high))  # a NaN stays one
        return Stats(low, high, self.negative + other.negative, self.count + other.count)


def stats(values: np.ndarray) -> Stats:
    """The numbers of a part of the data."""
    if not values.size:
        return Stats()
    return Stats(float(values.min()), float(values.max()), int((values < -ZERO).sum()), values.size)


def total(parts: Iterable[Stats]) -> Stats:
    """Of all parts together."""
    return sum(parts, Stats())


@dataclass(frozen=True)
class Choice:
    """The range of some data, what to say of it, and what is doubtful."""

    range: Range
    said: str
    warning: str = ""


def choose(found: Stats, kind: np.dtype[np.generic], wanted: Wanted, what: str) -> Choice:
    """The range of data.

    Args:
        found: of all of the numbers.
        kind: their type.
        wanted: a range that the user names, or "auto": least and greatest.
        what: has these numbers, for messages.

    Raises:
        DataError: there is no plausible one.
    """
    low, high = found.low, found.high
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{what} have values from {low:.9g} to {high:.9g}", "replace what is not finite")
    if wanted == "auto":
        return Choice(Range(low, max(high, low + 1e-12)), f"values {low:.9g} to {high:.9g}")
    if wanted is not None:
        return Choice(Range(*wanted), f"values {wanted[0]:.9g} to {wanted[1]:.9g}")
    if kind.kind == "f":
        choice = _floats(found)
        if choice is None:
            raise DataError(
                f"{what} have values from {low:.9g} to {high:.9g}, which is no usual range",
                f"{WAY}={low:.9g},{high:.9g}, or {WAY}=auto for the same",
            )
        return choice
    return _whole_numbers(found, kind)


def _whole_numbers(found: Stats, kind: np.dtype[np.generic]) -> Choice:
    low, high = found.low, found.high
    if kind.kind == "b":
        return Choice(Range(0, 1), "values 0 and 1")
    white = BYTES if high <= BYTES else DEEP
    if kind.itemsize > 1 and 0 <= low <= high <= 1:
        white = 1.0
    return Choice(Range(0, white), f"integers 0 to {white:,.0f}", _doubt(found, 0, white))


def _floats(found: Stats) -> Choice | None:
    low, high = found.low, found.high
    signed = found.negative > NEGATIVE * found.count
    if signed and low >= -1 - ROOM and high <= 1 + ROOM:
        return Choice(Range(-1, 1), "floats -1 to 1", _doubt(found, -1, 1))
    if not signed and low >= -1 - ROOM and high <= 1 + ROOM:
        return Choice(Range(0, 1), "floats 0 to 1", _doubt(found, 0, 1))
    if not signed and low >= -ROOM * BYTES and BYTES * DIM <= high <= BYTES * (1 + ROOM):
        return Choice(Range(), "floats 0 to 255", _doubt(found, 0, BYTES))
    return None


def _doubt(found: Stats, low: float, high: float) -> str:
    """What is doubtful about a range; empty if nothing is."""
    span, seen = high - low, f"values from {found.low:.9g} to {found.high:.9g}"
    own = f"{WAY}={min(found.low, low):.9g},{_above(found.high):.9g}"
    if found.low < low - (ROOM if span <= 2 else 0) * span:
        return f"{seen}: those below {low:.9g} become black  ->  {own} if they are no mistakes"
    if found.high > high + (ROOM if span <= 2 else 0) * span:
        return f"{seen}: those above {high:.9g} become white  ->  {own}"
    if found.high < low + DIM * span:
        return f"{seen} of {low:.9g} to {high:.9g}: nearly black  ->  {own}, or {WAY}=auto"
    return ""


def _above(high: float) -> float:
    """Of a great integer the full scale of so many bits, as in 4095."""
    bits = int(high).bit_length()
    return float(2**bits - 1) if high == int(high) and 8 < bits <= 32 else high
