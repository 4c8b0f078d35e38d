"""Residual convolutions that write and read whole lines of characters at once (WGAN-GP, 1704.00028, appendix C and `gan_language.py`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """x + .3 (ReLU, convolution, ReLU, convolution)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv1d(width, width, 5, padding=2) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + 0.3 * self.second(F.relu(self.first(F.relu(x))))
        return out


class LineGenerator(nn.Module):
    """z [N, z] and a one-hot label [N, classes] -> logits of tokens [N, L, V].

    Args:
        z: width of the noise.
        classes: of labels; 0: unconditional.
        width: channels.
        length: L.
        vocabulary: V.
        blocks: residual blocks.
    """

    def __init__(self, z: int, classes: int, width: int, length: int, vocabulary: int, blocks: int) -> None:
        super().__init__()
        self.width, self.length = width, length
        self.first = nn.Linear(z + classes, width * length)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.last = nn.Conv1d(width, vocabulary, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z).view(-1, self.width, self.length)
        out: Tensor = self.last(self.blocks(x)).transpose(1, 2)
        return out


class LineCritic(nn.Module):
    """Weights of tokens [N, L, V] and a one-hot label [N, classes] or None -> logits [N]; mirrors the generator."""

    def __init__(self, classes: int, width: int, length: int, vocabulary: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(vocabulary + classes, width, 1)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.last = nn.Linear(width * length, 1)

    def forward(self, lines: Tensor, label: Tensor | None = None) -> Tensor:
        x = lines.transpose(1, 2)
        if label is not None:
            x = torch.cat([x, label[:, :, None].to(x.dtype).expand(-1, -1, x.shape[2])], 1)
        out: Tensor = self.last(self.blocks(self.first(x)).flatten(1))
        return out.flatten().float()
