"""Checks of raw features and probabilities, the arguments of the functions that compute scores.

They accept what numpy accepts (arrays, nested lists) and torch tensors on any device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gancli.core.errors import DataError


def array(x: Any, what: str) -> np.ndarray:
    """Convert to a float64 array [N, d] of finite numbers.

    Args:
        x: an array, a tensor or nested lists.
        what: name for the error message.

    Returns:
        float64 [N, d].

    Raises:
        DataError: x is not a table of finite real numbers.
    """
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        x = (x.float() if x.dtype in (torch.bfloat16, torch.float16) else x).numpy()
    try:
        out = np.asarray(x)
    except ValueError:
        raise DataError(f"{what}: rows of different lengths", "give one row of numbers per sample") from None
    if out.ndim != 2 or out.dtype.kind not in "fiu" or not out.size:
        raise DataError(f"{what} are {out.dtype} {list(out.shape)}", "give one row of numbers per sample: [N, d]")
    out = out.astype(np.float64)
    if not np.isfinite(out).all():
        bad = int((~np.isfinite(out)).any(1).sum())
        raise DataError(f"{what}: {bad:,} of {len(out):,} rows are not finite", "check the network and its inputs")
    return out


def pair(real: Any, fake: Any) -> tuple[np.ndarray, np.ndarray]:
    """Convert the features of two sets, as `array`.

    Args:
        real: features of reals, [N, d].
        fake: features of fakes, [M, d].

    Returns:
        float64 [N, d] and [M, d].

    Raises:
        DataError: they are not tables of finite numbers, or of different widths.
    """
    a, b = array(real, "features of the reals"), array(fake, "features of the fakes")
    if a.shape[1] != b.shape[1]:
        raise DataError(f"features of width {a.shape[1]} and {b.shape[1]}", "use the same network for both sets")
    return a, b


def probabilities(x: Any) -> np.ndarray:
    """Convert class probabilities.

    Args:
        x: an array, a tensor or nested lists, [N, K].

    Returns:
        float64 [N, K].

    Raises:
        DataError: they are no probabilities, such as logits.
    """
    p = array(x, "class probabilities")
    if p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-2:
        raise DataError("these are no class probabilities: rows must be positive and sum to 1", "apply a softmax")
    return p
