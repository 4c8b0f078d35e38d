"""What every part of the fuzzing is: inputs as files, and a reader."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_changes import (
    Rng,
)

from gancli.core.errors import GanError

Files = dict[str, bytes]  # by path below the input's folder


class Part(ABC):
    """What is fuzzed."""

    template: Path | None = None  # what lies below an input

    def __init__(self, place: Path) -> None:
        self.place = place
        self.plain: Files = {}  # an input that must be read

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Change the process that reads, so that it reads and does no work."""

    @abstractmethod
    def make(self, rng: Rng) -> Files:
        """A changed input, by name of file."""

    @abstractmethod
    def read(self, here: Path) -> None:
        """Raises GanError for what is refused."""


def everything(*readers: Callable[[], Any]) -> None:
    """Call all of them, then raise the first refusal."""
    refused: list[GanError] = []
    for reader in readers:
        try:
            reader()
        except GanError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def put(module: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(module, name, value)


def nothing(*_: Any, **__: Any) -> bool:
    return False
