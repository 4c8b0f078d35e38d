"""How many images each class is to have: `--to balanced`, `1000`, `x2` or `rare=500,other=300`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from gancli.core.errors import UsageError
from gancli.core.registry import nearest

MOST = 1_000_000  # images of a class
FORMS = "balanced, 1000, x2 or NAME=500,NAME=300"


def wanted(text: str, counts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The number of new images of each class.

    Args:
        text: `balanced`: as many as the largest class; an integer: that many of each class; `x2`: twice as many as there are;
            `NAME=500`: so many of a class, others unchanged.
        counts: real images of each class, int64 [K].
        names: of the classes.

    Returns:
        int64 [K]; 0 for classes that have enough.

    Raises:
        UsageError: the text has another form, names no class, or asks for nothing.
    """
    to = _totals(text.strip(), counts, names)
    if to.max() > MOST:
        raise UsageError(f"--to {text} is more than {MOST:,} images of a class")
    new: np.ndarray = np.maximum(0, to - counts)
    if not new.any():
        raise UsageError(f"--to {text} asks for no new image", f"the classes have {counts.min():,} to {counts.max():,}")
    return new


def _totals(text: str, counts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    if text == "balanced":
        return np.full_like(counts, counts.max())
    if re.fullmatch(r"\d{1,9}", text):
        return np.full_like(counts, int(text))
    if match := re.fullmatch(r"x(\d{1,6}(?:\.\d+)?)", text):
        return np.round(counts * float(match[1])).astype(np.int64)
    out = counts.copy()
    for piece in text.split(","):
        name, equals, number = piece.rpartition("=")
        if not equals or not re.fullmatch(r"\d{1,9}", number.strip()):
            raise UsageError(f"--to {text!r} is not a number of images", f"write {FORMS}")
        if name.strip() not in names:
            raise UsageError(
                f"no class {name.strip()!r}", nearest(name, names) or f"there are: {', '.join(names[:20])}"
            )
        out[list(names).index(name.strip())] = int(number)
    return out
