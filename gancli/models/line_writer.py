"""Language models that write whole lines, for export: sampling is part of the module, and its loop one operator of the graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gancli.models.lstm import Carry, LanguageModel, scanned


class LineWriter(nn.Module):
    """Writes lines by inversion of the cumulative distribution, as `gan sample` does.

    Args:
        net: the language model, in evaluation mode.
        unknown: the token that is never written.
    """

    def __init__(self, net: LanguageModel, unknown: int) -> None:
        super().__init__()
        self.net, self.unknown = net, unknown

    def forward(self, uniform: Tensor, temperature: Tensor, prompt: Tensor, label: Tensor | None = None) -> Tensor:
        """Write lines.

        Args:
            uniform: float64 [N, L] in [0, 1), a number per token.
            temperature: float64 [N].
            prompt: int64 [N, L], tokens that a line begins with, and 0 after them.
            label: int64 [N], of a conditional model.

        Returns:
            Tokens int64 [N, L]; 0 from the end of a line on.
        """
        net = self.net
        added = 0.0 if net.label is None or label is None else net.label(label)  # to the embedding of each token

        def step(carry: Carry, row: Carry) -> tuple[Carry, Tensor]:
            token, alive, h, c = carry
            number, given = row
            hidden, (h, c) = net.lstm.cell(net.embedding(token) + added, (h, c))
            chosen = self._chosen(net._logits(hidden), number, temperature)
            token = torch.where(given > 0, given, chosen * alive)
            return (token, alive * (token > 0), h, c), token.clone()

        first = torch.zeros_like(prompt[:, 0])
        state = torch.zeros(net.lstm.layers, *first.shape, net.lstm.width)
        carry: Carry = (first, torch.ones_like(first), state, state.clone())
        return scanned(step, carry, (uniform.T.contiguous(), prompt.T.contiguous()))[1].T

    def _chosen(self, logits: Tensor, number: Tensor, temperature: Tensor) -> Tensor:
        """A token for each row, int64 [N], from logits [N, vocabulary]."""
        banned = torch.arange(logits.shape[1]) == self.unknown
        scaled = (logits.double() / temperature[:, None]).masked_fill(banned, -torch.inf)
        chances = scaled.softmax(1).cumsum(1)
        return (chances <= number[:, None] * chances[:, -1:]).sum(1).clamp_max(logits.shape[1] - 1)
