"""AdamW: Adam with decoupled weight decay (1711.05101)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field

from gancli.optimizers.adam import Adam


class AdamW(Adam):
    name = "adamw"
    kernel: ClassVar[Callable[..., None]] = torch._fused_adamw_
    weight_decay: float = Field(1e-2, ge=0, description="decoupled weight decay")
