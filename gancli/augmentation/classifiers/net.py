"""`net`: a small convolutional classifier, 3x3 convolutions with batch norm, max-pooling and a global average pool.

AdamW with a one-cycle schedule and label smoothing, in one thread, so that a result does not depend on the machine's cores.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from gancli.augmentation.contracts import Classifier, Lesson, Predict, Rows
from gancli.evaluation.features.convnet import Plan, folded, forward, resized, square, trainable
from gancli.evaluation.metrics.cas import one_thread

AT_ONCE = 500  # images of a prediction


class Net(Classifier):
    name = "net"
    steps: int = Field(400, ge=1, description="batches")
    batch: int = Field(64, ge=2, description="images in a batch")
    lr: float = Field(1e-2, gt=0, description="highest learning rate")
    smoothing: float = Field(0.05, ge=0, lt=1, description="label smoothing")
    widths: tuple[int, ...] = Field((16, 32, 64), min_length=1, description="channels of the convolutions")
    pool_after: tuple[int, ...] = Field((0, 1), description="convolutions that are followed by 2x2 max-pooling")

    def plan(self, channels: int, classes: int) -> Plan:
        """The architecture."""
        return Plan(channels, classes, self.widths, self.pool_after)

    def weights(self, lesson: Lesson) -> dict[str, Tensor]:
        """Train, and return the weights by name, batch norm folded into the convolutions."""
        net = trainable(self.plan(lesson.shape[0], lesson.classes), lesson.seed)
        optimizer = torch.optim.AdamW(net.parameters(), lr=self.lr, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=self.steps + 1, pct_start=0.25)
        net.train()
        with one_thread(), torch.enable_grad():
            for step in range(self.steps):
                rows = lesson.batch(step * self.batch, self.batch)
                loss = self._loss(net(_sized(rows.images, lesson.shape)), rows)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        return folded(net)

    def _loss(self, logits: Tensor, rows: Rows) -> Tensor:
        each = F.cross_entropy(logits, rows.targets, reduction="none", label_smoothing=self.smoothing)
        return each.mean() if rows.weights is None else (each * rows.weights).sum() / rows.weights.sum()

    def fit(self, lesson: Lesson) -> Predict:
        weights, plan = self.weights(lesson), self.plan(lesson.shape[0], lesson.classes)

        def predict(images: np.ndarray) -> np.ndarray:
            with one_thread(), torch.inference_mode():
                parts = [
                    forward(
                        weights, plan, resized(torch.from_numpy(np.ascontiguousarray(some)), size_of(lesson.shape))
                    )[1]
                    for some in np.array_split(images, max(1, -(-len(images) // AT_ONCE)))
                ]
                return np.asarray(torch.cat(parts).softmax(1).numpy())

        return predict


def size_of(shape: tuple[int, int, int]) -> tuple[int, int]:
    """The size at which a net gets images of a shape."""
    return square((1, *shape))


def _sized(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    size = size_of(shape)
    if tuple(images.shape[-2:]) != size:
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
    return images.contiguous(memory_format=torch.channels_last)
