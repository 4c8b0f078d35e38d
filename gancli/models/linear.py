"""A linear layer whose float32 products go to the library that is faster here.

torch multiplies float32 matrices with MKL, which has no AVX-512 kernels for processors of other makers than its own: on two cores of a
Zen 5 it makes 210 GFLOP/s where oneDNN, which torch brings for its convolutions, makes 460. Which of them is a matter of the
processor alone, so that a run repeats itself to the bit. Everything but float32 on a CPU is torch's own affair.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # not in every build of torch


class Linear(nn.Linear):
    """x W^T + b, [N, I] -> [N, O]."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32 and x.device.type == "cpu" and x.dim() == 2 and by_onednn():
            return product(x, self.weight, self.bias)
        return super().forward(x)


@cache
def by_onednn() -> bool:
    """Whether float32 products are oneDNN's here."""
    able = torch.cpu.get_capabilities()
    foreign = bool(able.get("avx512_f")) and "intel" not in str(able.get("cpu_name", "intel")).lower()
    return foreign and ONEDNN is not None


def product(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """x w^T + b by oneDNN, float32: [N, I], [O, I], [O] -> [N, O]; differentiable any number of times."""
    if torch.is_grad_enabled():
        out: Tensor = _Product.apply(x, w.t(), b)
        return out
    return _multiplied(x, w, b)


def _multiplied(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    out: Tensor = ONEDNN(x, w, b, "none", [], "")
    return out


class _Product(torch.autograd.Function):
    """x m + b, [N, I], [I, O], [O]. `m` is never a leaf, so that the engine can be asked whether its gradient is wanted at all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, m: Tensor, b: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, m)
        return _multiplied(x, m.t(), b)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (g,), (x, m) = gradients, ctx.saved_tensors
        for_x, for_m, for_b = ctx.needs_input_grad
        wanted = for_m and torch._C._will_engine_execute_node(ctx.next_functions[1][0])
        return (
            product(g, m) if for_x else None,
            product(g.t(), x.t()).t() if wanted else None,
            g.sum(0) if for_b else None,
        )
