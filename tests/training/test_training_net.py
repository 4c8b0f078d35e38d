"""Gradients reach the optimizer in the parameters' own layout."""

from __future__ import annotations

import torch

from gancli.core.registry import build
from gancli.training.net import Net


def test_a_gradient_that_lies_channels_last_is_paired_with_its_own_weights() -> None:
    """Convolutions differentiated twice give such gradients; torch's fused optimizers on the CPU walk memory, not indices."""
    ends = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        net = Net(torch.nn.Conv2d(3, 4, 3), build("optimizer", "adam"), torch.device("cpu"), torch.float32)  # type: ignore[arg-type]
        gradients = [torch.randn(p.shape) for p in net.weights]
        net.collect([g.to(memory_format=layout) if g.dim() == 4 else g for g in gradients], True)
        net.update(0.1)
        ends.append(net.flat.detach().clone())
    assert torch.equal(*ends)
