"""Memory that is let go of stays with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import ctypes, resource, torch
from gancli.training.memory import keep_freed
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


BACK = """
import ctypes, resource, torch
from pathlib import Path
from gancli.training.memory import give_back_freed, keep_freed
if not hasattr(ctypes.CDLL(None), "malloc_trim"):
    raise SystemExit("no mallopt")
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
keep_freed()
maps = [torch.ones(12_000_000) for _ in range(3)]
del maps
kept = resident()
give_back_freed()
print(kept - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_is_let_go_of_is_not_asked_of_the_kernel_again() -> None:
    """Three maps of 48 MB are 35,000 pages, or some 70 huge ones."""
    faults = {}
    for kept in (False, True):
        faults[kept] = told(CODE.format(kept=kept))
    assert faults[True] < faults[False] / 4


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_was_kept_is_given_back() -> None:
    """MB, of 144 that were let go of."""
    assert told(BACK) > 100


def told(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    if "no mallopt" in done.stderr:
        pytest.skip("this C library has no mallopt")
    return float(done.stdout)
