"""Memory that is let go of stays with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import ctypes, resource, torch
from gancli.engine.memory import keep_freed
if not hasattr(ctypes.CDLL(None), "mallopt"):
    raise SystemExit("no mallopt")
torch.set_num_threads(1)
if {kept}:
    keep_freed()
def turns(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        maps = [torch.ones(12_000_000) for _ in range(3)]
        del maps
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / n
turns(5)
print(turns(3))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_is_let_go_of_is_not_asked_of_the_kernel_again() -> None:
    """Three maps of 48 MB are 35,000 pages, or some 70 huge ones."""
    faults = {}
    for kept in (False, True):
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(kept=kept)], check=False, capture_output=True, text=True
        )
        if "no mallopt" in done.stderr:
            pytest.skip("this C library has no mallopt")
        faults[kept] = float(done.stdout)
    assert faults[True] < faults[False] / 4
