"""JSON of a run folder, which a stranger may have written, and errors of the disk."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gancli.core.descriptors import ForeignError
from gancli.core.errors import CheckpointError, ResourceError, UsageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAX_JSON = 4 << 20  # bytes
DEEPEST = 48  # levels of nested tables and lists
LARGEST = 2**64  # of whole numbers
MOST_VALUES = 200_000  # keys and values of a file
MOST_OPTIONS = 20_000  # of a configuration
MAX_FILE = 16 << 30  # bytes of a file of tensors


def as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def parse(content: bytes, most: int = MOST_VALUES) -> Any:
    """JSON in which every number is finite, every text is valid and nothing is nested deeply.

    Args:
        content: the text.
        most: keys and values that it may have.

    Raises:
        ValueError: it is not.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level, count = [value], 0
    for _ in range(DEEPEST):
        level = [inner for item in level for inner in _checked(item)]
        count += len(level)
        if count > most:
            raise ValueError(f"it has more than {most:,} keys and values")
        if not level:
            return value
    raise ValueError("it is nested too deeply")


def _checked(item: Any) -> Any:
    """What is inside a table or list. Raises ValueError for a number or text that nothing here writes."""
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, list):
        return item
    if isinstance(item, float) and not math.isfinite(item):
        raise ValueError("a number is not finite")
    if isinstance(item, int) and not -LARGEST < item < LARGEST:
        raise ValueError("a number is too large")
    if isinstance(item, str) and not item.isascii():
        try:
            item.encode()
        except UnicodeEncodeError:
            raise ValueError("a text is half of a surrogate pair") from None
    return ()


def table(content: bytes, name: str, most: int = MOST_VALUES) -> dict[str, Any]:
    """A JSON object, as for `parse`. Raises CheckpointError naming the file if it is anything else."""
    try:
        value = parse(content, most)
    except ValueError as error:
        raise CheckpointError(f"{name} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} is damaged: not a table")
    return value


@contextlib.contextmanager
def disk(what: str, path: Path, needed: int = 0, then: str = "gan resume") -> Iterator[None]:
    """Turn errors of the disk into a ResourceError that says how many bytes are needed, and what to do `then`, once there is room."""
    try:
        yield
    except OSError as error:
        if isinstance(error, ForeignError):
            raise ResourceError(f"cannot write {what}: {error.filename} {error.strerror}", "remove it") from error
        size = f" ({needed / 1e6:.3g} MB needed)" if needed else ""
        again = f", then: {then}" if then else ""
        if error.errno == errno.EFBIG:
            raise ResourceError(
                f"{what} in {path} is over the limit of a file's size{size}", f"ulimit -f unlimited{again}"
            ) from error
        if error.errno in FULL:
            raise ResourceError(f"no room for {what} in {path}{size}", f"free some disk{again}") from error
        remedy = "check its owner and its rights"
        missing = Path(error.filename or path)
        if error.errno == errno.ENOENT and (above := [p for p in (missing.parent, missing) if not p.exists()]):
            remedy = f"mkdir -p {shlex.quote(str(above[0]))}"
        raise ResourceError(f"cannot write {what} in {path}: {error.strerror or error}", remedy) from error


def quoted(path: Path) -> str:
    """A path as a word of a shell command."""
    return shlex.quote(str(path))


def check_parent(out: Path) -> None:
    """Raises UsageError if the folder in which a file is to be written does not exist."""
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}", f"mkdir -p {quoted(out.parent)}")
