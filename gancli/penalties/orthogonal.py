"""Orthogonal regularization of G, off the diagonal (BigGAN, 1809.11096, equation 3, and the published code).

sum over weights W of |W W^T * (1 - I)|^2 / 2, where W has one row per output and * is elementwise

Rows of a weight become orthogonal, but may have any length. Biases, gains and embeddings are left out.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Penalty, PenaltyInputs


class Orthogonal(Penalty):
    name = "orthogonal"
    applies_to: ClassVar[Literal["D", "G"]] = "G"
    weight: float = Field(1e-4, ge=0, description="beta")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        assert inputs.net is not None
        named = inputs.net.named_parameters()
        weights = [w for name, w in named if w.dim() > 1 and not name.startswith("embedding.")]
        return torch.stack([off_diagonal(w) for w in weights]).sum()


def off_diagonal(weight: Tensor) -> Tensor:
    """Half the squared entries of W W^T off the diagonal: weight [out, ...] -> scalar, computed in float32."""
    rows = weight.float().flatten(1)
    products = rows @ rows.t()
    return (products - products.diagonal().diag()).square().sum() / 2
