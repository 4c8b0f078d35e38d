"""Draws that several arms share."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gancli.augmentation.contracts import Material, Pool, Rows
from gancli.core.seeds import generator
from gancli.core.window import Window


def balanced_indices(pool: Pool, window: Window) -> Tensor:
    """Indices int64 [rows] of images of a pool, all classes that have any equally often."""
    return window.balanced([of for of in pool.members if len(of)])


def balanced(pool: Pool, window: Window) -> Rows:
    """Images of a pool, all classes that have any equally often."""
    index = balanced_indices(pool, window)
    return Rows(pool.pictures(index), pool.targets(index))


def changed(rows: Rows, material: Material, window: Window) -> Rows:
    """The same with classical augmentation."""
    return replace(rows, images=material.changes(rows.images, window))


def permuted(window: Window) -> Tensor:
    """A random order of the rows of a window, int64 [rows]."""
    return torch.randperm(
        window.rows, generator=generator(window.orders.seed, "partner", window.position + window.first)
    )
