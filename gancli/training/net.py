"""A net as the engine holds it: all parameters in one flat float32 buffer, and so are the moments of its optimizer.

With one buffer the moving average is one large operation instead of one per layer. Gradients stay where autograd leaves them: copying them
into a flat buffer costs more than the optimizer gains. With a low-precision compute dtype, `working` is a copy of the net whose
weights are cast once after each update; gradients and optimizer are float32 (mixed precision, 1710.03740).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence, Set
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gancli.core.kernels import accelerate, restore

if TYPE_CHECKING:
    from gancli.core.contracts import Optimizer

ALIGN = 64  # elements: every parameter begins on a cache line, in bfloat16 too
NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


class Flat:
    """Views of one float32 buffer, in the order and the shapes of a module's parameters."""

    def __init__(self, module: nn.Module) -> None:
        self.shapes = {name: p.shape for name, p in module.named_parameters()}
        self.offsets: dict[str, int] = {}
        end = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = end
            end += -(-max(1, prod(shape)) // ALIGN) * ALIGN
        self.size = end

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        return {n: buffer[o : o + prod(self.shapes[n])].view(self.shapes[n]) for n, o in self.offsets.items()}

    def adopt(self, module: nn.Module, buffer: Tensor) -> None:
        """Move the module's parameters into the buffer; from then on they are views of it."""
        with torch.no_grad():
            for (_, p), view in zip(module.named_parameters(), self.views(buffer).values(), strict=True):
                view.copy_(p)
                p.data = view


class Cast(nn.Module):
    """The last parametrization of a weight: casts it to the compute dtype."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


class Net:
    """A net that is trained: `module` in float32, `working` in the compute dtype, gradients, optimizer moments and step count."""

    def __init__(self, module: nn.Module, rule: Optimizer, device: torch.device, dtype: torch.dtype) -> None:
        self.module = accelerate(module.to(device).train())
        self.layout = Flat(module)
        self.flat = torch.zeros(self.layout.size, device=device)
        self.layout.adopt(self.module, self.flat)
        self.weights = list(self.module.parameters())
        self.rule = rule
        self.moments = {key: torch.zeros_like(self.flat) for key in rule.moments}
        self._moments = {key: list(self.layout.views(flat).values()) for key, flat in self.moments.items()}
        self.steps = torch.zeros((), device=device)
        self.working = self.module
        self._pairs: list[tuple[Tensor, Tensor]] = []
        if dtype != torch.float32:
            self.working, self._pairs = _cast_copy(self.module, dtype)
        self.parameters = list(self.working.parameters())
        self._frozen: list[tuple[Tensor, Tensor]] = []  # parameters, and the values that they keep

    @torch.no_grad()
    def update(self, images: int, total: int) -> None:
        """One optimizer step with the collected gradients, which are then freed for the next net's; `images` of `total` into the run."""
        self.steps += 1
        lr = self.rule.lr * self.rule.schedule.factor(images, total)
        self.rule.at(images, total).update(list(self.weights), self.gradients(), self._moments, self.steps, lr)
        for parameter, kept in self._frozen:
            parameter.copy_(kept)
        self.drop_gradients()
        self.refresh()

    def freeze(self, names: Set[str]) -> None:
        """Let the parameters of these names keep the values that they have now."""
        self._frozen = [(p.data, p.data.clone()) for name, p in self.module.named_parameters() if name in names]

    def drop_gradients(self) -> None:
        """Free the collected gradients."""
        for p in self.weights:
            p.grad = None

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the float32 weights into the working copy."""
        if self._pairs:
            torch._foreach_copy_([w for w, _ in self._pairs], [m for _, m in self._pairs])

    @torch.no_grad()
    def collect(self, gradients: Sequence[Tensor | None], first: bool) -> None:
        """Store (or add, for later micro-batches) the gradients of the working parameters, in float32.

        They are made contiguous: convolutions differentiated twice return channels-last gradients, and torch's fused optimizers would
        pair the wrong elements.
        """
        for p, g in zip(self.weights, gradients, strict=True):
            if first or p.grad is None:
                p.grad = torch.zeros_like(p) if g is None else g.to(p.dtype).contiguous()
            elif g is not None:
                p.grad += g

    def gradients(self) -> list[Tensor]:
        """The collected gradients, in the order of the parameters."""
        return [p.grad for p in self.weights if p.grad is not None]

    @torch.no_grad()
    def gradient_norm(self) -> Tensor:
        """The Euclidean norm of all gradients, a scalar; not finite if any of them is not.

        On a CPU it is computed by dot products, which take half the time of torch's norms.
        """
        found = self.gradients()
        if self.flat.device.type == "cpu":
            return torch.stack([torch.dot(g.view(-1), g.view(-1)) for g in found]).sum().sqrt()
        norm: Tensor = torch.stack(torch._foreach_norm(found)).norm()
        return norm


def _cast_copy(module: nn.Module, dtype: torch.dtype) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A copy whose weights are `dtype`, and the pairs (copy, original) to keep in step.

    Buffers and the parameters of normalizations are shared, in float32; a parametrized weight is computed in float32, then cast.
    A parameter that has several names in the module (tied weights) is one parameter of the copy, too.
    """
    working = restore(copy.deepcopy(module))  # the fast kernel is for float32
    copies: dict[nn.Parameter, nn.Parameter] = {}
    pairs: list[tuple[Tensor, Tensor]] = []
    for ours, theirs in zip(working.modules(), module.modules(), strict=True):
        for name, buffer in theirs.named_buffers(recurse=False):
            ours._buffers[name] = buffer
        shared = isinstance(theirs, (*NORMS, parametrize.ParametrizationList))
        for name, p in theirs.named_parameters(recurse=False):
            if p not in copies:
                copies[p] = nn.Parameter(p.data if shared else p.data.to(dtype))
                if not shared:
                    pairs.append((copies[p].data, p.data))
            ours._parameters[name] = copies[p]
    for ours in list(working.modules()):
        if parametrize.is_parametrized(ours):
            for name in list(ours.parametrizations):  # type: ignore[arg-type]
                parametrize.register_parametrization(ours, name, Cast(dtype), unsafe=True)
    return working, pairs


def in_evaluation(module: nn.Module) -> nn.Module:
    """The same net in evaluation mode: modules of its own around the very same parameters and buffers.

    So a net that is being trained can be sampled from without switching it, in the same thread or in another.
    """
    shared = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared).eval()


class EmaNet:
    """The exponential moving average of a net's weights; its buffers are those of the net."""

    def __init__(self, net: Net) -> None:
        self.module = copy.deepcopy(net.module).eval().requires_grad_(False)
        self.flat = net.flat.clone()
        net.layout.adopt(self.module, self.flat)

    @torch.no_grad()
    def update(self, net: Net, decay: float) -> None:
        self.flat.lerp_(net.flat, 1 - decay)

    @torch.no_grad()
    def follow(self, net: Net) -> nn.Module:
        """The averaged net with the present buffers (batch statistics) of the trained net."""
        for ours, theirs in zip(self.module.buffers(), net.module.buffers(), strict=True):
            ours.copy_(theirs)
        return self.module
