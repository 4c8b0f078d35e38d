"""`kmnist`: 70,000 cursive Japanese characters, 28x28 grayscale (1812.01718), 10,000 of them the test set."""

from __future__ import annotations

from typing import ClassVar

from gancli.data.idx import Idx


class KMNIST(Idx):
    name = "kmnist"
    folder: ClassVar[str] = "KMNIST/raw"
    table: ClassVar[str] = "KMNIST"
    classes: ClassVar[tuple[str, ...]] = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
