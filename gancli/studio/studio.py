"""What the server knows: nothing but what is in files, and what a command answered a moment ago."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from gancli.core.errors import GanError
from gancli.report import catalog
from gancli.studio.commands import Commands
from gancli.studio.place import Place
from gancli.studio.queue import Queue
from gancli.studio.runs import Runs
from gancli.studio.series import Journals

T = TypeVar("T")
MOST_KNOWN = 64  # answers that are remembered


class Studio:
    """The parts of the server that handlers use.

    Attributes:
        place: what the user gave.
        runs, queue, journals: what is on the disk.
        commands: processes whose answers are waited for.
        stopping: set when the server ends; streams look at it.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.runs = Runs(place)
        self.queue = Queue(place.folder("queue"))
        self.journals = Journals()
        self.commands = Commands()
        self.stopping = threading.Event()
        self.uploads: dict[str, list[int]] = {}  # bytes and files of those that are being received
        self._answers: dict[str, Any] = {}
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` returns, which is remembered; several threads wait for one of them. Errors are not remembered."""
        with self._lock:
            if key in self._answers:
                return cast("T", self._answers[key])
            lock = self._making.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                made = make()
                with self._lock:
                    self._answers[key] = made
                    for old in list(self._answers)[:-MOST_KNOWN]:
                        del self._answers[old]
            return cast("T", self._answers[key])

    def known(self, key: str) -> Any:
        """What is remembered, or None."""
        return self._answers.get(key)

    def remember(self, key: str, value: Any) -> None:
        """Remember an answer."""
        with self._lock:
            self._answers[key] = value

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the configuration, with all parts, those of plug-ins too. Takes a while the first time."""
        command = self.place.command("list", "--schema", runs=False)
        found: dict[str, Any] = self.once("schema", lambda: self.commands.gan(command).json())
        return found

    def parts(self, kind: str) -> dict[str, dict[str, Any]]:
        """The parts of a kind by name: about, options."""
        command = self.place.command("list", kind, "--json", runs=False)
        found: dict[str, Any] = self.once(f"parts {kind}", lambda: self.commands.gan(command).json())
        inner: dict[str, dict[str, Any]] = found.get(kind, {})
        return inner

    def presets(self) -> dict[str, dict[str, Any]]:
        """The presets with their descriptions and settings."""
        return self.once("presets", catalog.preset_lines)

    def task_of(self, config: dict[str, Any]) -> dict[str, Any]:
        """The schema of a configuration's task; empty while it is not known."""
        schema = self.known("schema") or {}
        name = config.get("task", {}).get("name", "") if isinstance(config.get("task"), dict) else ""
        found: dict[str, Any] = schema.get("$defs", {}).get(f"task.{name}", {})
        return found

    def warm(self) -> None:
        """Read in the background what the pages will need."""

        def work() -> None:
            with contextlib.suppress(GanError):  # the page that needs it says why
                self.schema()

        threading.Thread(target=work, daemon=True, name="schema").start()

    def made(self) -> Path:
        """The folder of files that were made for pages."""
        return self.place.folder("made").path
