"""The cache of decoded images: uint8 arrays and small records, each under the key of what it was made from.

An array lies in `<cache>/arrays/<key>.npy` with `<key>.json` beside it (shape and BLAKE2b of the bytes); a record in `<cache>/records/`.
All are written to a temporary file and renamed. What is not whole is made again. Up to 256 MB an array is read into memory and its
digest compared; a larger one is memory-mapped, copy on write, and only its length and shape are checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gancli.core.data import Reading

MAPPED_FROM = 256 * 2**20  # bytes
_HEADER = 4096  # more than any .npy header of ours


def key_of(*parts: Any) -> str:
    """A 40-digit key of JSON values."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def digest(array: np.ndarray) -> str:
    """BLAKE2b of an array's bytes, read 16 MB at a time."""
    hasher = hashlib.blake2b(digest_size=20)
    rows = max(1, 2**24 // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        hasher.update(np.ascontiguousarray(array[start : start + rows]).data)
    return hasher.hexdigest()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes the place of `path` at the end, or is removed if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def recall(how: Reading, key: str) -> dict[str, Any] | None:
    """A record, or None if there is none that can be read."""
    return _json(how.cache_dir / "records" / f"{key}.json")


def remember(how: Reading, key: str, record: dict[str, Any]) -> None:
    """Keep a record; where nothing can be written it is not kept."""
    with contextlib.suppress(OSError), replacing(how.cache_dir / "records" / f"{key}.json") as temporary:
        temporary.write_text(json.dumps(record))


def array(how: Reading, key: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]) -> np.ndarray:
    """The uint8 array of `shape` under `key`: from the cache, else as `fill(out)` makes it.

    Raises ResourceError if an array too large for memory cannot be written; a smaller one is then just not kept.
    """
    path = how.cache_dir / "arrays" / f"{key}.npy"
    there = _load(path, shape)
    if there is not None:
        return there
    if prod(shape) > MAPPED_FROM:
        return _made_on_disk(path, shape, fill)
    out = np.zeros(shape, np.uint8)
    fill(out)
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, out, allow_pickle=False)
        _describe(path, out)
    except OSError as error:
        how.note(f"the decoded images are not kept: {how.cache_dir}: {error.strerror or error}")
    return out


def source_digest(images: np.ndarray) -> str | None:
    """The digest of the cached array that `images` is a run of rows of, with the rows; None if it is no such thing."""
    root: Any = images
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.filename is None or not images.flags.c_contiguous or not len(images):
        return None
    record = _json(Path(root.filename).with_suffix(".json"))
    if record is None or "digest" not in record:
        return None
    first = images.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return f"{record['digest']}+{first}+{images.nbytes}"


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _load(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    record, size = _json(path.with_suffix(".json")), prod(shape)
    if record is None or record.get("shape") != list(shape):
        return None
    try:
        if path.stat().st_size != record.get("file_size"):
            return None
        out: np.ndarray = np.load(path, mmap_mode="c" if size > MAPPED_FROM else None, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        return None
    return out if size > MAPPED_FROM or digest(out) == record.get("digest") else None


def _describe(path: Path, out: np.ndarray) -> None:
    record = {"shape": list(out.shape), "digest": digest(out), "file_size": path.stat().st_size}
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(record))


def _made_on_disk(path: Path, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]) -> np.ndarray:
    size = prod(shape) + _HEADER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < size:
            why = f"{path.parent} has {free / 1e9:.1f} GB free, the decoded images need {size / 1e9:.1f} GB"
            raise ResourceError(why, "set GAN_CACHE_DIR to a larger disk, or ask for a smaller image size")
        with replacing(path) as temporary:
            out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            if hasattr(os, "posix_fallocate"):  # a full disk is then an error here, not a bus error while filling
                with temporary.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
            fill(out)
            out.flush()
            del out
        made: np.ndarray = np.load(path, mmap_mode="c", allow_pickle=False)
        _describe(path, made)
    except OSError as error:
        why = f"the decoded images cannot be kept in {path.parent}: {error.strerror or error}"
        raise ResourceError(why, "set GAN_CACHE_DIR to a folder that can be written") from None
    return made
