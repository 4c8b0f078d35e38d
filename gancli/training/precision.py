"""Device, compute dtype and number of threads."""

from __future__ import annotations

import os

import torch

from gancli.core.config import Runtime
from gancli.core.errors import UsageError

MOST_THREADS = 1024
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}  # compute dtypes


def device(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU if there is one. Raises UsageError if the device does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
    except RuntimeError:
        raise UsageError(f"no device {name!r}", "use cpu, cuda or cuda:1") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available here", "use --device cpu")
    if found.type not in ("cpu", "cuda"):
        raise UsageError(f"device {name!r} is not supported", "use cpu, cuda or cuda:1")
    return found


def multiplies_bf16(on: torch.device) -> bool:
    """Whether the device has bfloat16 instructions; not whether they are faster."""
    if on.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return any(able.get(key) for key in ("amx_bf16", "avx512_bf16"))


def choose_kernels(runtime: Runtime, on: torch.device) -> None:
    """On a GPU: let cuDNN benchmark its algorithms; or, with `deterministic`, use deterministic algorithms only."""
    if on.type == "cpu":
        return
    torch.backends.cudnn.benchmark = not runtime.deterministic
    if runtime.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only with this
    torch.use_deterministic_algorithms(runtime.deterministic)


def set_threads(n: int) -> int:
    """Set the number of threads.

    Args:
        n: 0 leaves the choice to torch (the cores of this process).

    Returns:
        The number of threads.

    Raises:
        UsageError: n is impossible.
    """
    if not 0 <= n <= MOST_THREADS:
        raise UsageError(f"{n} threads are impossible", f"use 1 to {MOST_THREADS}, or 0 for all cores")
    if n:
        torch.set_num_threads(n)
    return torch.get_num_threads()
