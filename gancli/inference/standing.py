"""Standing statistics of batch norm (BigGAN, 1809.11096, appendix B): statistics of many batches of samples instead of running ones.

The running statistics that training keeps are an average over the last steps of weights that changed, and of trained instead of
averaged weights. Standing statistics are those of the weights that are sampled from.
"""

from __future__ import annotations

import torch
from torch import nn

from gancli.core.errors import UsageError
from gancli.core.seeds import derive
from gancli.inference.generator import Model


@torch.no_grad()
def set_standing_statistics(model: Model, batches: int = 16, batch_size: int = 64) -> int:
    """Replace the running statistics of G's batch norms by means over batches of samples; the same every time.

    Args:
        model: with a latent space; changed in place.
        batches: number of batches, each with seeds of its own.
        batch_size: samples per batch.

    Returns:
        The number of batch norms; 0 if G has none.

    Raises:
        UsageError: the model has no latent space.
    """
    task, spec = model.latent("compute standing statistics")
    if batches < 1 or batch_size < 2:
        raise UsageError("standing statistics need a batch of two samples or more", "use --standing 16")
    sampled = [model.nets[name] for name in model.task.ema if name in model.nets]
    norms = [m for net in sampled for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    kept = [m.momentum for m in norms]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # a cumulative mean
        module.train()
    try:
        for i in range(batches):
            seeds = [derive("standing", i * batch_size + k) for k in range(batch_size)]
            if norms:
                task.decode(model.nets, task.latents(seeds), task.condition_vectors(seeds, spec), spec)
    finally:
        for module, momentum in zip(norms, kept, strict=True):
            module.momentum = momentum
            module.eval()
    model.facts["standing_batches"] = batches if norms else 0
    return len(norms)
