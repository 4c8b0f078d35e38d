"""Weights and cached statistics on disk: safetensors only, read after their hash, written atomically.

safetensors accepts bit flips in the data, so every file's SHA-256 is compared before anything is parsed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gancli.core.errors import CheckpointError
from gancli.core.files import Folder, read_capped

CAP = 1 << 31  # bytes of a file that will be read


def sha256(data: bytes | memoryview) -> str:
    """The digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read(path: Path) -> bytes:
    """A file's bytes. Raises CheckpointError if it is missing, too large or not readable."""
    try:
        return read_capped(path, CAP)
    except CheckpointError as error:
        raise CheckpointError(f"cannot read {error.cause}", "check the path") from None


def verified(data: bytes, digest: str, where: str, remedy: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file whose SHA-256 must be `digest`; nothing is parsed before that is checked.

    Raises CheckpointError.
    """
    found = sha256(data)
    if found != digest:
        raise CheckpointError(f"{where}: SHA-256 is {found[:16]}..., must be {digest[:16]}...", remedy)
    try:
        return load(data)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{where} is no safetensors file: {error}", remedy) from None


def expect(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Raises CheckpointError unless names and shapes are the expected ones."""
    if odd := sorted(set(tensors) ^ set(shapes)):
        raise CheckpointError(f"{where}: tensor {odd[0]!r} is {'missing' if odd[0] in shapes else 'unknown'}")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise CheckpointError(f"{where}: {name} is {list(tensors[name].shape)}, must be {list(shape)}")


def recall(path: Path) -> bytes:
    """The bytes of a file in a folder of the cache. Raises CheckpointError if it is missing, or made by another user."""
    return Folder(path.parent, inside=1).read(path.name, CAP, mine=True)


def write(path: Path, data: bytes) -> None:
    """Write a file in a folder of the cache atomically; where the cache cannot be written it is made again next time."""
    with contextlib.suppress(OSError):
        folder = Folder(path.parent, inside=1)
        folder.make(parents=True)
        with folder.writing(path.name, mode=0o644) as file:
            file.write(data)


def keep(path: Path, tensors: dict[str, Tensor]) -> str:
    """Write tensors with their digest in front (64 hexadecimal digits); the digest is returned."""
    data = save(tensors)
    digest = sha256(data)
    write(path, digest.encode() + data)
    return digest


def kept(path: Path) -> tuple[dict[str, Tensor], str] | None:
    """What `keep` wrote and its digest; None if it is not there, damaged or made by another user: it is then made again."""
    try:
        data = recall(path)
        digest = data[:64].decode("ascii", "replace")
        return verified(data[64:], digest, str(path)), digest
    except CheckpointError:
        return None
