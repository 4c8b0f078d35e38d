"""The stream of an arm: batches by position."""

from __future__ import annotations

from collections.abc import Callable

from gancli.augmentation.contracts import Arm, Material, Rows
from gancli.core.window import Orders, Window


def stream(arm: Arm, material: Material, seed: int) -> Callable[[int, int], Rows]:
    """The batches of an arm.

    Args:
        arm: the arm.
        material: what it draws from.
        seed: of order and random numbers; arms with the same seed draw in the same order.

    Returns:
        (position, rows) -> the batch.
    """
    orders = Orders(seed)
    return lambda position, n: arm.batch(material, Window(orders, position, n, 0, n))
