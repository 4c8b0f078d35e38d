"""Critics of lines of text. A line is a row of token weights [N, L, V]: one-hot for real lines, perhaps soft for generated ones.

Positions after the end of a line are zero in the embedding, so that no critic reads the padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.models.layers import Dropout
from gancli.models.lstm import LSTM

FILTERS = (2, 3, 4, 5)  # widths of convolutions
LINE = max(FILTERS)  # positions that convolutions need


class ConvCritic(nn.Module):
    """Convolutions of several widths, the maximum over positions of each, and a linear layer (1408.5882).

    With `representations` above 1, as many embeddings of the line are read by the same layers and have a logit each
    (RelGAN, Nie et al. 2019, section 2.3). With `states` it also reads the states of a language model at each token.

    Args:
        vocabulary: number of tokens.
        classes: of labels; 0: unconditional.
        embedding: width of the embedding, of all representations together.
        filters: of each width.
        dropout: before the last layer.
        representations: number of embeddings.
        states: width of the states; 0: none.
    """

    def __init__(
        self, vocabulary: int, classes: int, embedding: int, filters: int, dropout: float, representations: int = 1,
        states: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = nn.Linear(vocabulary, embedding, bias=False)
        self.label = nn.Embedding(classes, filters * len(FILTERS)) if classes else None
        self.representations = representations
        width = embedding // representations
        self.convolutions = nn.ModuleList(nn.Conv1d(width, filters, k, padding=k - 1) for k in FILTERS)
        features = filters * len(FILTERS)
        self.hidden, self.dropout, self.last = nn.Linear(features, features), Dropout(dropout), nn.Linear(features, 1)
        self.states = nn.Linear(states, embedding) if states else None

    def forward(self, lines: Tensor, mask: Tensor, label: Tensor | None = None, states: Tensor | None = None) -> Tensor:
        """Logits of lines.

        Args:
            lines: weights of tokens [N, L, V].
            mask: which positions belong to the line, [N, L].
            label: int64 [N], of a conditional critic.
            states: of a language model after each token, [N, L, width].

        Returns:
            float32 [N], or [N, P] of P representations.
        """
        n, r = lines.shape[0], self.representations
        x = self.embedding(lines.flatten(0, 1)).view(n, lines.shape[1], -1)
        if self.states is not None and states is not None:
            x = x + self.states(states)
        x = x * mask[:, :, None].to(lines.dtype)
        x = x.unflatten(2, (r, -1)).permute(0, 2, 3, 1).flatten(0, 1)  # [N R, width, L]
        found = torch.cat([F.leaky_relu(conv(x), 0.2).amax(2) for conv in self.convolutions], 1)
        features = F.leaky_relu(self.hidden(found), 0.2) + found
        features = self.dropout(features.view(n, -1)).view_as(features)  # a row of random numbers for each line
        logits = self.last(features)
        if self.label is not None and label is not None:  # projection (1802.05637)
            logits = logits + (features * self.label(label).repeat_interleave(r, 0)).sum(1, keepdim=True)
        out: Tensor = logits.float().view(n, r)
        return out[:, 0] if r == 1 else out


class StepCritic(nn.Module):
    """An LSTM with a logit for each token, given those before it (ScratchGAN, 1905.09922, section 3).

    Args:
        vocabulary: number of tokens.
        classes: of labels; 0: unconditional.
        embedding: width of the embedding.
        width: of the LSTM.
        dropout: of the embedding.
        length: of the sequences, for the embedding of positions.
    """

    def __init__(
        self, vocabulary: int, classes: int, embedding: int, width: int, dropout: float, length: int, places: int = 8
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.place = nn.Embedding(length, places)
        self.label = nn.Embedding(classes, embedding) if classes else None
        self.dropout = Dropout(dropout)
        self.lstm, self.norm = LSTM(embedding + places, width), nn.LayerNorm(width)
        self.last = nn.Linear(width, 1)

    def forward(self, tokens: Tensor, label: Tensor | None = None) -> Tensor:
        """Logits float32 [N, L] of tokens int64 [N, L], with labels int64 [N] of a conditional critic."""
        x = self.embedding(tokens)
        if self.label is not None and label is not None:
            x = x + self.label(label)[:, None]
        place = self.place(torch.arange(tokens.shape[1], device=tokens.device)).expand(len(x), -1, -1)
        hidden, _ = self.lstm(self.dropout(torch.cat([x, place.to(x.dtype)], 2)))
        flat: Tensor = self.last(self.norm(hidden).flatten(0, 1))
        return flat.float().view(tokens.shape)
