"""Batches for training: a dataset's stream on a device, in a dtype."""

from __future__ import annotations

import copy

import torch

from gancli.core.data import Batch, Dataset, Orders, Spec, Window

SHARE = 0.25  # of a GPU's free memory that a dataset may take


class Loader:
    """The stream of a dataset, in batches.

    Args:
        data: the dataset.
        seed: of the run.
        device: of the batches; a dataset is kept there if it takes no more than a quarter of the free memory.
        dtype: of their floating-point fields.
        repeat: passes over the data in an epoch.
    """

    def __init__(self, data: Dataset, seed: int, device: torch.device, dtype: torch.dtype, repeat: int = 1) -> None:
        self.device, self.dtype, self.orders = device, dtype, Orders(seed)
        self.data = data.to(device, _budget(device))
        self.n = len(data)
        self.epoch = self.n * repeat  # data in an epoch: `repeat` passes

    @property
    def spec(self) -> Spec:
        return self.data.spec

    def of(self, dtype: torch.dtype) -> Loader:
        """The same loader, its floating-point fields of another dtype."""
        other = copy.copy(self)
        other.dtype = dtype
        return other

    def batch(self, position: int, n: int, first: int = 0, rows: int | None = None) -> Batch:
        """The batch at a position of the stream, or a part of it; no more is read.

        Args:
            position: data drawn before.
            n: of the whole batch.
            first: the part's first row.
            rows: of the part; not given: all.

        Returns:
            Fields [rows, ...].
        """
        window = Window(self.orders, position, n, first, n if rows is None else rows)
        return self.data.batch(window).to(self.device, self.dtype)


def _budget(device: torch.device) -> int:
    """Bytes on the device that a dataset may take."""
    return int(SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0
