"""Recurrent nets of tokens: a language model, and a critic that reads line by line (LSTM, Hochreiter and Schmidhuber 1997).

Tokens are integers; 0 ends a line, pads it, and stands before its first token.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.models.layers import Dropout

State = tuple[Tensor, Tensor]  # h and c, each [layers, N, width]
Carry = tuple[Tensor, ...]  # from step to step


class LSTM(nn.Module):
    """Layers of LSTM cells. Weights are plain parameters, which the engine can cast to another dtype (`nn.LSTM` keeps lists of its own)."""

    def __init__(self, inputs: int, width: int, layers: int = 1) -> None:
        super().__init__()
        self.width, self.layers = width, layers
        bound = 1 / math.sqrt(width)
        weights = []
        for layer in range(layers):
            for shape in ((4 * width, inputs if layer == 0 else width), (4 * width, width), (4 * width,), (4 * width,)):
                weights.append(nn.Parameter(torch.empty(shape).uniform_(-bound, bound)))
        self.weights = nn.ParameterList(weights)

    def begin(self, n: int) -> State:
        """The state before the first token."""
        zeros = self.weights[0].new_zeros(self.layers, n, self.width)
        return zeros, zeros

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read a sequence.

        Args:
            x: [N, L, inputs].
            state: before it; None: zeros.

        Returns:
            Outputs of the last layer [N, L, width], and the state after the sequence.
        """
        before = self.begin(x.shape[0]) if state is None else state
        if torch.compiler.is_exporting():  # torch.lstm would fix the number of rows
            h, c = before
            after, out = scanned(self._element, (h, c.clone()), (x.transpose(0, 1).contiguous(),))
            return out.transpose(0, 1), (after[0], after[1])
        weights = list(self.weights)
        out, h, c = torch.lstm(x, before, weights, True, self.layers, 0.0, self.training, False, True)
        return out, (h, c)

    def cell(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one element of a sequence, by plain matmuls, for export.

        Args:
            x: [N, inputs].
            state: before it.

        Returns:
            The output of the last layer [N, width], and the state.
        """
        after = []
        for layer in range(self.layers):
            from_x, from_h, bias_x, bias_h = self.weights[4 * layer : 4 * layer + 4]
            h, c = state[0][layer], state[1][layer]
            i, f, g, o = (x @ from_x.T + bias_x + h @ from_h.T + bias_h).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            x = o.sigmoid() * c.tanh()
            after.append((x, c))
        return x, (torch.stack([h for h, _ in after]), torch.stack([c for _, c in after]))

    def _element(self, carry: Carry, row: Carry) -> tuple[Carry, Tensor]:
        out, state = self.cell(row[0], (carry[0], carry[1]))
        return state, out.clone()


def scanned(step: Callable[[Carry, Carry], tuple[Carry, Tensor]], carry: Carry, rows: Carry) -> tuple[Carry, Tensor]:
    """What is carried after all steps, and their outputs, stacked: in an export as one operator, otherwise by a loop."""
    if torch.compiler.is_exporting():
        from torch._higher_order_ops.scan import scan  # becomes the operator Scan of ONNX

        after, stacked = scan(step, carry, rows)
        return tuple(after), stacked
    out = []
    for row in zip(*rows, strict=True):
        carry, token = step(carry, row)
        out.append(token)
    return carry, torch.stack(out)


class LanguageModel(nn.Module):
    """Logits of the next token, given those before it and perhaps a label.

    Args:
        vocabulary: number of tokens.
        classes: of labels; 0: unconditional.
        embedding: width of the embedding.
        width: of the LSTM.
        layers: of the LSTM.
        dropout: of the embedding and of the output (1409.2329).
        tied: whether the output layer is the embedding (1608.05859), after a linear layer to its width.
    """

    def __init__(
        self, vocabulary: int, classes: int, embedding: int, width: int, layers: int, dropout: float, tied: bool
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5 if tied else 1.0)
        self.label = nn.Embedding(classes, embedding) if classes else None
        self.lstm = LSTM(embedding, width, layers)
        self.dropout = Dropout(dropout)
        self.projection = nn.Linear(width, embedding) if tied else None
        self.output = nn.Linear(embedding if tied else width, vocabulary)
        if tied:
            self.output.weight = self.embedding.weight
        nn.init.zeros_(self.output.bias)

    def forward(self, tokens: Tensor, label: Tensor | None = None, dropped: bool = True) -> Tensor:
        """Logits of each token of lines.

        Args:
            tokens: int64 [N, L].
            label: int64 [N], of a conditional model.
            dropped: whether there is dropout while training.

        Returns:
            float32 [N, L, vocabulary]: position i is computed from the tokens before i.
        """
        return self._logits(self._hidden(tokens, label, dropped))

    def log_likelihood(self, tokens: Tensor, label: Tensor | None = None, dropped: bool = True) -> Tensor:
        """The log-likelihood of each token of lines. On the processor logits are computed as far as the lines reach.

        Args:
            tokens, label, dropped: as of `forward`.

        Returns:
            float32 [N, L], in nats; 0 after the end of a line.
        """
        inside, hidden = written(tokens), self._hidden(tokens, label, dropped)
        if tokens.device.type != "cpu":  # to count positions would be to wait for the device
            every = F.cross_entropy(self._logits(hidden).flatten(0, 1), tokens.flatten(), reduction="none")
            return -every.view(tokens.shape) * inside
        found = -F.cross_entropy(self._logits(hidden[inside]), tokens[inside], reduction="none")
        return found.new_zeros(tokens.shape).masked_scatter(inside, found)

    def _hidden(self, tokens: Tensor, label: Tensor | None, dropped: bool) -> Tensor:
        before = F.pad(tokens[:, :-1], (1, 0))
        drop = self.dropout if dropped else nn.Identity()
        hidden: Tensor = drop(self.lstm(drop(self._inputs(self.embedding(before), label)))[0])
        return hidden

    def states(self, tokens: Tensor, label: Tensor | None = None) -> Tensor:
        """Outputs of the LSTM [N, L, width] after each token; for features."""
        hidden: Tensor = self.lstm(self._inputs(self.embedding(tokens), label))[0]
        return hidden

    def step(self, token: Tensor, state: State, label: Tensor | None = None) -> tuple[Tensor, State]:
        """One token, without dropout.

        Args:
            token: int64 [N]; or weights of all tokens [N, vocabulary].
            state: before it.
            label: int64 [N], of a conditional model.

        Returns:
            Logits of the next token, float32 [N, vocabulary], and the state.
        """
        known = token.dtype == torch.int64
        x = self.embedding(token) if known else token.to(self.embedding.weight.dtype) @ self.embedding.weight
        hidden, state = self.lstm(self._inputs(x[:, None], label), state)
        return self._logits(hidden[:, 0]), state

    def _inputs(self, x: Tensor, label: Tensor | None) -> Tensor:
        return x if self.label is None or label is None else x + self.label(label)[:, None]

    def _logits(self, hidden: Tensor) -> Tensor:
        flat = hidden.flatten(0, -2)
        logits: Tensor = self.output(flat if self.projection is None else self.projection(flat))
        return logits.float().view(*hidden.shape[:-1], -1)


def lengths(tokens: Tensor) -> Tensor:
    """Tokens of each line with its end, int64 [N]; a line that was cut has no end."""
    return ((tokens > 0).sum(1) + 1).clamp_max(tokens.shape[1])


def written(tokens: Tensor) -> Tensor:
    """Which tokens belong to lines, their ends included: bool [N, L]."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths(tokens)[:, None]


def shortened(tokens: Tensor) -> Tensor:
    """The same lines without the padding that all of them have."""
    return tokens[:, : int(lengths(tokens).max())]
