"""JSON files of a run folder, and errors of the disk."""

from __future__ import annotations

import contextlib
import errno
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError, ResourceError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAX_JSON = 4 << 20  # bytes


def as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def table(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object. Raises CheckpointError naming the file if it is anything else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
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
        size = f" ({needed / 1e6:.3g} MB needed)" if needed else ""
        again = f", then: {then}" if then else ""
        if error.errno == errno.EFBIG:
            raise ResourceError(
                f"{what} in {path} is over the limit of a file's size{size}", f"ulimit -f unlimited{again}"
            ) from error
        if error.errno in FULL:
            raise ResourceError(f"no room for {what} in {path}{size}", f"free some disk{again}") from error
        remedy = "check its owner and its rights"
        if error.errno == errno.ENOENT and not (above := Path(error.filename or path).parent).exists():
            remedy = f"mkdir -p {shlex.quote(str(above))}"
        raise ResourceError(f"cannot write {what} in {path}: {error.strerror or error}", remedy) from error
