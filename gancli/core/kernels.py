"""A faster float32 kernel for linear layers on some CPUs. Nets use `nn.Linear`; the engine replaces its kernel.

torch computes float32 matmuls with MKL, which has AVX-512 kernels for Intel processors only. On two cores of a Zen 5, MKL
reaches 210 GFLOP/s, and oneDNN, which torch contains for convolutions, 460. The choice depends only on the processor and
the size of the layer, so runs are reproducible. All other dtypes and devices use torch's own kernels.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)  # missing in some builds of torch
MIN_SIDE, MIN_WEIGHTS = 32, 2**14  # of a weight matrix; in smaller layers the overhead of the call exceeds the gain
M = TypeVar("M", bound=nn.Module)


class Linear(nn.Linear):
    """`nn.Linear` with the oneDNN kernel for float32 matrices on a CPU. `accelerate` assigns it as class of a module."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32 and x.device.type == "cpu" and x.dim() == 2:
            return linear(x, self.weight, self.bias)
        return super().forward(x)


def accelerate(net: M) -> M:
    """Use the faster kernel in all large enough linear layers, if this processor has one.

    Args:
        net: any module; changed in place. Its parameters and state dict are unchanged.

    Returns:
        The same module.
    """
    for module in net.modules() if onednn_is_faster() else ():
        if type(module) is nn.Linear and min(module.weight.shape) >= MIN_SIDE and module.weight.numel() >= MIN_WEIGHTS:
            module.__class__ = Linear
    return net


def restore(net: M) -> M:
    """Undo `accelerate`, before export.

    Args:
        net: any module; changed in place.

    Returns:
        The same module, consisting of torch's own classes.
    """
    for module in net.modules():
        if type(module) is Linear:
            module.__class__ = nn.Linear  # type: ignore[assignment]
    return net


@cache
def onednn_is_faster() -> bool:
    """Whether float32 linear layers are faster with oneDNN on this processor (AVX-512, not Intel)."""
    capabilities = torch.cpu.get_capabilities()
    is_intel = "intel" in str(capabilities.get("cpu_name", "intel")).lower()
    return ONEDNN is not None and bool(capabilities.get("avx512_f")) and not is_intel


def linear(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """The linear layer x w^T + b, computed by oneDNN; differentiable any number of times.

    Args:
        x: float32 [N, I].
        w: float32 [O, I].
        b: float32 [O], or None.

    Returns:
        float32 [N, O].
    """
    if torch.is_grad_enabled():
        out: Tensor = _Linear.apply(x, w.t(), b)
        return out
    return _onednn_linear(x, w, b)


def _onednn_linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    out: Tensor = ONEDNN(x, w, b, "none", [], "")
    return out


class _Linear(torch.autograd.Function):
    """x m + b with x [N, I], m [I, O], b [O].

    `m` is never a leaf: then `_will_engine_execute_node` reports whether the current backward pass needs its gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, m: Tensor, b: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, m)
        return _onednn_linear(x, m.t(), b)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (g,), (x, m) = gradients, ctx.saved_tensors
        need_x, need_m, need_b = ctx.needs_input_grad
        need_m = need_m and torch._C._will_engine_execute_node(ctx.next_functions[1][0])
        return (
            linear(g, m) if need_x else None,
            linear(g.t(), x.t()).t() if need_m else None,
            g.sum(0) if need_b else None,
        )
