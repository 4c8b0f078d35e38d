"""Random numbers of a seed without torch: numpy alone draws the latent vectors that `gan sample --seed` draws.

A path such as ("sample", 7) is hashed to a 63-bit seed (`core.seeds.derive`). torch's generator on the CPU is the Mersenne
Twister MT19937, seeded with the low 32 bits. Of n standard normal numbers,

- with n >= 16: a raw number r gives the uniform u = (r mod 2^24) / 2^24. In every block of 16, for i < 8,
  a = sqrt(-2 log(1 - u_i)); a cos(2 pi u_{i+8}) takes place i and a sin(2 pi u_{i+8}) place i + 8 (Box-Muller). Where 16 does
  not divide n, the last 16 numbers are then drawn once more.
- with n < 16: two raw numbers give a uniform of 53 bits, and two uniforms u, v give two numbers, a cos(2 pi u) and
  a sin(2 pi u) with a = sqrt(-2 log(1 - v)).

Of n uniform numbers in [0, 1), each is one of 53 bits.

The results differ from torch's by rounding only. `page/seeds.js` is the same in JavaScript.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, sqrt

import numpy as np

from gancli.core.exportable import Draw
from gancli.core.seeds import derive

BLOCK = 16
TWO_PI = np.float32(2 * np.pi)  # torch multiplies in float32


def normal(n: int, *path: int | str) -> np.ndarray:
    """Standard normal numbers, as `torch.randn(n, generator=core.seeds.generator(*path))`.

    Args:
        n: how many.
        path: of the seed, such as "sample", 7.

    Returns:
        float32 [n].
    """
    twister = np.random.RandomState(derive(*path) & 0xFFFFFFFF)
    if n < BLOCK:
        return _by_two(twister, n)
    uniform = _uniform(twister, n)
    out = np.empty(n, np.float32)
    whole = n - n % BLOCK
    out[:whole] = _box_muller(uniform[:whole])
    if n % BLOCK:
        out[-BLOCK:] = _box_muller(_uniform(twister, BLOCK))
    return out


def unit(n: int, *path: int | str) -> np.ndarray:
    """Uniform numbers in [0, 1), bitwise identical to `torch.rand(n, generator=core.seeds.generator(*path), dtype=torch.float64)`.

    Args:
        n: how many.
        path: of the seed.

    Returns:
        float64 [n].
    """
    return _of_53_bits(np.random.RandomState(derive(*path) & 0xFFFFFFFF), n)


def draw(draws: Sequence[Draw], seeds: Sequence[int]) -> np.ndarray:
    """An input of an exported model that is drawn from a seed.

    Args:
        draws: as the task's `Exportable` says.
        seeds: N seeds.

    Returns:
        float32 [N, W]; float64 if the draws are `unit`.
    """
    return np.stack([np.concatenate([_drawn(how, seed) for how in draws]) for seed in seeds])


def _drawn(how: Draw, seed: int) -> np.ndarray:
    numbers = (unit if how.unit else normal)(how.width, *how.path_of(seed))[how.first : how.end]
    return np.array([erf(x / sqrt(2)) for x in numbers], np.float32) if how.uniform else numbers


def _raw(twister: np.random.RandomState, n: int) -> np.ndarray:
    return twister.randint(0, 2**32, n, np.uint32)


def _uniform(twister: np.random.RandomState, n: int) -> np.ndarray:
    return (_raw(twister, n) & 0xFFFFFF) * 2.0**-24


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    u, v = uniform.reshape(-1, 2, BLOCK // 2).swapaxes(0, 1)
    radius, angle = np.sqrt(-2 * np.log1p(-u)), (TWO_PI * v.astype(np.float32)).astype(np.float64)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def _of_53_bits(twister: np.random.RandomState, n: int) -> np.ndarray:
    high, low = _raw(twister, 2 * n).reshape(-1, 2).astype(np.uint64).T
    return (((high << np.uint64(32)) | low) & np.uint64(2**53 - 1)) * 2.0**-53


def _by_two(twister: np.random.RandomState, n: int) -> np.ndarray:
    u, v = _of_53_bits(twister, 2 * -(-n // 2)).reshape(-1, 2).T
    radius, angle = np.sqrt(-2 * np.log1p(-v)), 2 * np.pi * u
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:n].astype(np.float32)
