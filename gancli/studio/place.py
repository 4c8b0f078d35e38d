"""Where a studio works: the folder of runs, what may be named as data, plug-ins, and the commands that it starts."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder

HIDDEN = ".studio"  # in the folder of runs: queue, uploads, made files, token
LONGEST = 200  # characters of a name


@dataclass(frozen=True)
class Place:
    """What the user gave to `gan studio`.

    Args:
        runs: the folder of runs, absolute.
        data_dir: of downloaded data sets; None: gan's default.
        roots: folders whose content may be named as data.
        plugins: files that define parts, given to every command.
        most_upload: bytes of one upload.
        start: the folder in which the studio was started.
    """

    runs: Path
    data_dir: Path | None = None
    roots: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    most_upload: int = 2 << 30
    start: Path = Path()

    @property
    def hidden(self) -> Folder:
        """The studio's own folder."""
        return Folder(self.runs) / HIDDEN

    def folder(self, name: str) -> Folder:
        """A folder of the studio, which is made."""
        self.hidden.make(parents=True)
        found = self.hidden / name
        found.make()
        return found

    def run(self, name: str) -> Path:
        """The run of a name, which is looked up among the entries of the folder: nothing is joined that was not found there.

        Raises:
            UsageError: there is none.
        """
        if name.startswith(".") or len(name) > LONGEST or Folder(self.runs).entries().get(name) != "folder":
            raise UsageError(f"no run {name[:LONGEST]!r}", "the page Runs lists those that there are")
        return self.runs / name

    def command(self, verb: str, *words: str, runs: bool = True) -> list[str]:
        """The arguments of a `gan` process, plug-ins included.

        Args:
            verb: such as "train".
            words: options and arguments.
            runs: whether the verb takes --runs-dir.
        """
        more = [word for file in self.plugins for word in ("--plugin", str(file))]
        return [verb, *words, *(["--runs-dir", str(self.runs)] if runs else []), *more]

    def shell(self, command: Sequence[str]) -> str:
        """A command as somebody types it in the folder where the studio was started."""
        words = list(command)
        if "--runs-dir" in words and self.runs == self.start / "runs":
            at = words.index("--runs-dir")
            del words[at : at + 2]
        return "gan " + shlex.join(self.near(word) for word in words if word not in ("--json", "--quiet"))

    def near(self, text: str) -> str:
        """A text with paths as they are called in the folder where the studio was started, and runs by their names."""
        if self.runs == self.start / "runs":
            text = re.sub(rf"(?<![\w./-]){re.escape(str(self.runs))}/(?=[^./\s][^/\s]*(?![\w./-]))", "", text)
        return re.sub(rf"(?<![\w./-]){re.escape(str(self.start))}/", "", text)

    def token(self) -> str:
        """The secret of this folder's studios, which stays the same, so that a page is still good after a restart."""
        folder = self.hidden
        folder.make(parents=True)
        try:
            found = folder.read("token", 200, mine=True).decode("ascii", "replace").strip()
            if len(found) >= 32 and found.isalnum():
                return found
        except CheckpointError:
            pass
        token = secrets.token_hex(24)
        folder.remove(["token"])
        try:
            with os.fdopen(folder.opened("token", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(token + "\n")
        except FileExistsError:  # another studio was faster
            return folder.read("token", 200, mine=True).decode("ascii", "replace").strip()
        return token


def program(command: Sequence[str]) -> list[str]:
    """The whole argument list of a `gan` process of this Python."""
    return [sys.executable, "-m", "gancli", *command]


def environment(threads: int | None = None) -> dict[str, str]:
    """The environment of `gan` processes: nothing that changes what an option means, and no terminal."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GAN_") or k in ("GAN_CACHE_DIR", "GAN_DATA_DIR")}
    return {**kept, "COLUMNS": "120", "PYTHONUNBUFFERED": "1", **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
