"""The attacks of `data_attacks.py`: arrays, tables, archives, folders and pictures, and random ones of each."""

from __future__ import annotations

import random

from malice_arrays import arrays, features, random_array
from malice_base import Bait
from malice_files import archives, folders, random_file
from malice_pictures import images
from malice_tables import random_table, tables

__all__ = ["Bait", "baits", "random_bait"]


def baits() -> list[Bait]:
    """All attacks, in a fixed order."""
    return [*arrays(), *features(), *tables(), *archives(), *folders(), *images()]


def random_bait(rng: random.Random) -> Bait:
    """One with random sizes, depths and values."""
    return rng.choice((random_array, random_table, random_file))(rng)
