"""The fast float32 kernel for linear layers. Nets are written with `nn.Linear`; whoever runs one puts the kernel in.

torch multiplies float32 matrices with MKL, which has no AVX-512 kernels for processors of other makers than Intel: on two cores of a
Zen 5 it makes 210 GFLOP/s where oneDNN, which torch brings for its convolutions, makes 460. Which of them is used is decided by the
processor and the layer's size alone, so that a repeated run is bitwise identical. Everything but float32 on a CPU is left to torch.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # not in every build of torch
SIDE = 32  # of a weight's two sides, at least,
WEIGHT = 2**14  # and its elements: below, the calls cost more than the kernel gains
M = TypeVar("M", bound=nn.Module)


class Linear(nn.Linear):
    """Takes the place of the class of an `nn.Linear`; parameters stay as they are."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32 and x.device.type == "cpu" and x.dim() == 2:
            return linear(x, self.weight, self.bias)
        return super().forward(x)


def accelerate(net: M) -> M:
    """Put the fast kernel into a net, where it pays.

    Args:
        net: any module; changed in place. Parameters, their names and the state dict stay as they are.

    Returns:
        The same module.
    """
    for module in net.modules() if onednn_is_faster() else ():
        if type(module) is nn.Linear and min(module.weight.shape) >= SIDE and module.weight.numel() >= WEIGHT:
            module.__class__ = Linear
    return net


def restore(net: M) -> M:
    """Undo `accelerate`, for what is to be exported: the same module, in torch's own classes alone."""
    for module in net.modules():
        if type(module) is Linear:
            module.__class__ = nn.Linear  # type: ignore[assignment]
    return net


@cache
def onednn_is_faster() -> bool:
    """Whether float32 linear layers are faster with oneDNN here."""
    able = torch.cpu.get_capabilities()
    foreign = bool(able.get("avx512_f")) and "intel" not in str(able.get("cpu_name", "intel")).lower()
    return foreign and ONEDNN is not None


def linear(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """x w^T + b by oneDNN, float32: [N, I], [O, I], [O] -> [N, O]; differentiable any number of times."""
    if torch.is_grad_enabled():
        out: Tensor = _Linear.apply(x, w.t(), b)
        return out
    return _multiplied(x, w, b)


def _multiplied(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    out: Tensor = ONEDNN(x, w, b, "none", [], "")
    return out


class _Linear(torch.autograd.Function):
    """x m + b, [N, I], [I, O], [O]. `m` is never a leaf, so that autograd can be asked whether its gradient is needed at all."""

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
            linear(g, m) if for_x else None,
            linear(g.t(), x.t()).t() if wanted else None,
            g.sum(0) if for_b else None,
        )
