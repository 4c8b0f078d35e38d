"""Atomic checkpoints: each exists completely or not at all.

Commit: write every file into `.tmp-<step>-<random>/` and fsync it; write `manifest.json` (size and SHA-256 of every file) last; fsync the
folder, rename it, fsync its parent; read it back; only then prune. A checkpoint that does not match its manifest is invalid.
An existing checkpoint of the same step is first renamed to `.old-<step>/`, which is valid until the new one exists.

Only files that a manifest names are ever deleted, and no link is followed: a folder with anything else in it stays.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gancli.core import migration
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder
from gancli.core.sinks import Note
from gancli.runs.files import MAX_FILE, MAX_JSON, as_json, disk, table

MANIFEST = "manifest.json"  # the SHA-256 of itself is its last value
NAME = re.compile(r"(?:\.old-)?(\d{1,18})", re.ASCII)
SEAL = re.compile(rb'\n  "sha256": "([0-9a-f]{64})"\n}\n\Z')
BLOCK = 1 << 20
SHOWN = 8  # reasons in a message
MOST_SKIPPED = 1000  # checkpoints that are tried
Pieces = Sequence[bytes | memoryview]


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: every byte matches the manifest."""

    path: Path
    step: int
    manifest: dict[str, Any]

    def __contains__(self, name: str) -> bool:
        return self._on_disk(name) in self.manifest["files"]

    def _on_disk(self, name: str) -> str:
        """The file's name in the format of this checkpoint."""
        return name if name in self.manifest["files"] else migration.FILES.get(name, name)

    def read(self, name: str, most: int = MAX_JSON) -> bytes:
        """A file's content, compared with the manifest again. Raises CheckpointError if it is larger than `most`."""
        if name not in self:
            raise CheckpointError(f"{self.path} lacks {name}")
        name = self._on_disk(name)
        content, entry = _held(self.path).read(name, most), self.manifest["files"][name]
        if len(content) != entry["size"] or hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise CheckpointError(f"{self.path.name}/{name} changed while it was read")
        return content

    def table(self, name: str) -> dict[str, Any]:
        return table(self.read(name), f"{self.path}/{name}")


def commit(
    folder: Path, step: int, files: Mapping[str, Callable[[], Pieces]], facts: dict[str, Any], needed: int = 0
) -> Path:
    """Write a checkpoint.

    Args:
        folder: of all checkpoints of the run.
        step: of the state.
        files: what makes the content of each file, called when the file is written.
        facts: added to the manifest.
        needed: bytes in all, for the error message.

    Raises:
        ResourceError: the disk refuses; older checkpoints are untouched.
    """
    every = Folder(folder, inside=1)
    final, beside = f"{step:06d}", every / f".tmp-{step:06d}-{secrets.token_hex(4)}"
    entries: dict[str, dict[str, Any]] = {}
    with disk("a checkpoint", folder, needed):
        every.make(parents=True)
        try:
            beside.make()
            for name, made in files.items():
                pieces, digest = made(), hashlib.sha256()
                for piece in pieces:
                    digest.update(piece)
                entries[name] = {"size": sum(map(len, pieces)), "sha256": digest.hexdigest()}
                beside.create(name, *pieces)
            beside.create(MANIFEST, _sealed({"format": migration.FORMAT, "step": step, "files": entries, **facts}))
            beside.sync()
            _rename(every, beside.path.name, final)
            every.sync()
        except OSError:
            _delete(beside, files)
            raise
    verify(folder / final)
    return folder / final


def _rename(every: Folder, beside: str, final: str) -> None:
    """Give the new checkpoint its name. An old one of the same step is moved aside, and deleted afterwards."""
    old, names = f".old-{final}", (every / beside).names()
    if every.stat(final) is not None:
        _delete(every / old, names)
        every.rename(final, old)
    try:
        every.rename(beside, final)
    except OSError:
        if every.stat(old) is not None:
            every.rename(old, final)
        raise
    _delete(every / old, names)


def _delete(folder: Folder, names: Iterable[str] = ()) -> None:
    """Delete a checkpoint: the files that its manifest names, or else those of `names`, and the folder if nothing else is in it."""
    with suppress(CheckpointError):
        names = [*names, *_manifest(folder)["files"]]
    with suppress(OSError):
        folder.remove([*names, MANIFEST])
        folder.remove_empty()


def _held(path: Path) -> Folder:
    """The folder of a checkpoint: neither it nor the folder of all checkpoints may be a link."""
    return Folder(path, inside=2)


def verify(path: Path) -> Checkpoint:
    """Read a checkpoint completely, block by block. Raises CheckpointError with the reason if a byte differs from what was written."""
    manifest, folder = manifest_of(path), _held(path)
    for name, entry in manifest["files"].items():
        try:
            with folder.open(name) as file:
                size = os.fstat(file.fileno()).st_size
                if size != entry["size"]:
                    raise CheckpointError(f"{path.name}/{name} has {size} bytes, not {entry['size']}")
                digest = _sha256(file)
        except OSError as error:
            raise CheckpointError(f"{path.name}/{name}: {error.strerror}") from None
        if digest != entry["sha256"]:
            raise CheckpointError(f"{path.name}/{name} is damaged: its SHA-256 is not the manifest's")
    extra = set(folder.names()) - manifest["files"].keys() - {MANIFEST}
    if extra:
        raise CheckpointError(f"{path.name} holds a file that it was not written with: {sorted(extra)[0]}")
    return Checkpoint(path, int(manifest["step"]), manifest)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def manifest_of(path: Path) -> dict[str, Any]:
    """The manifest of a checkpoint, checked by itself; the files are not read. Raises CheckpointError."""
    return _manifest(_held(path))


def _manifest(folder: Folder) -> dict[str, Any]:
    path = folder.path
    if not folder.exists():
        raise CheckpointError(f"{path} is not a checkpoint folder")
    content = folder.read(MANIFEST, MAX_JSON)
    manifest = table(content, f"{path.name}/{MANIFEST}")
    form, files = manifest.get("format"), manifest.get("files")
    if form not in migration.READABLE:
        newer = isinstance(form, int) and form > migration.FORMAT
        remedy = "pip install --upgrade gancli" if newer else ""
        raise CheckpointError(
            f"{path.name} is of format {form!r}; this gan reads up to format {migration.FORMAT}", remedy
        )
    seal = SEAL.search(content)
    if seal is None or hashlib.sha256(content[: seal.start(1)]).hexdigest() != seal[1].decode():
        raise CheckpointError(f"{path.name}/{MANIFEST} is damaged: its SHA-256 is not the one in it")
    if manifest.get("step") != step_of(path):
        raise CheckpointError(f"{path.name}: its manifest is of step {manifest.get('step')!r}")
    if not isinstance(files, dict) or not all(_possible(name, entry) for name, entry in files.items()):
        raise CheckpointError(f"{path.name}: its manifest names impossible files")
    return manifest


def _sealed(manifest: dict[str, Any]) -> bytes:
    """The manifest with the SHA-256 of everything before it as its last value."""
    body = as_json({**manifest, "sha256": "0" * 64})
    end = len(body) - len(b'"\n}\n') - 64
    return body[:end] + hashlib.sha256(body[:end]).hexdigest().encode() + body[end + 64 :]


def _possible(name: str, entry: Any) -> bool:
    plain = not name.startswith(".") and not set(name) & set("/\\\0") and name != MANIFEST
    return (
        plain
        and isinstance(entry, dict)
        and type(entry.get("size")) is int
        and 0 <= entry["size"] <= MAX_FILE
        and isinstance(entry.get("sha256"), str)
    )


def step_of(path: Path) -> int | None:
    """The step in the name of a folder; None if it is not the name of a checkpoint."""
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def listed(folder: Path) -> list[Path]:
    """All checkpoints, newest step first, not verified. Raises CheckpointError if the folder cannot be read."""
    try:
        names = Folder(folder, inside=1).names()
    except OSError as error:
        raise CheckpointError(f"{folder}: {error.strerror}", "check its owner and its rights") from None
    found = {name: folder / name for name in names if NAME.fullmatch(name)}
    there = [p for name, p in found.items() if not (name.startswith(".old-") and name.removeprefix(".old-") in found)]
    return sorted(there, key=lambda p: step_of(p) or 0, reverse=True)


def newest(folder: Path, note: Note) -> Checkpoint:
    """The newest valid checkpoint; reports those that are skipped, with the reason.

    Raises CheckpointError if there is none, with the reason for each.
    """
    reasons = []
    there = listed(folder)
    for path in there[:MOST_SKIPPED]:
        try:
            return verify(path)
        except (CheckpointError, OSError) as error:
            reason = error.cause if isinstance(error, CheckpointError) else f"{error.strerror}"
            reasons.append(f"{path.name}: {reason}")
            if len(reasons) <= SHOWN:
                note(f"skipped checkpoint {path.name}: {reason}")
    if not reasons:
        raise CheckpointError(
            f"no checkpoint in {folder} yet",
            "the first is written after ten minutes at most; if it was stopped before, gan resume",
        )
    more = f"; and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    raise CheckpointError(
        f"no checkpoint in {folder} is whole: {'; '.join(reasons[:SHOWN])}{more}",
        "start again: gan train --config <run>/config.json",
    )


def size_of_nets(path: Path) -> int:
    """The bytes of a checkpoint's nets, which are not read; 0 if there are none."""
    try:
        with _held(path).open("nets.safetensors") as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


def at(folder: Path, step: int) -> Checkpoint:
    """The checkpoint of a step. Raises UsageError if it does not exist, CheckpointError if it is invalid."""
    there = {step_of(path): path for path in listed(folder)}
    if step not in there:
        kept = f"kept are {', '.join(map(str, sorted(n for n in there if n is not None)))}" if there else "none is kept"
        raise UsageError(f"{folder} has no checkpoint of step {step}", f"{kept}; gan train --keep 10 keeps more")
    return verify(there[step])


def prune(folder: Path, keep: int, spare: Iterable[int] = ()) -> None:
    """Delete all but the newest `keep` valid checkpoints and those to spare, and the remains of interrupted commits.

    Only verified checkpoints count; nothing is deleted while there are no more than `keep`.
    """
    there, spared, every, kept = listed(folder), set(spare), Folder(folder, inside=1), 0
    names = _names(there)
    if len(there) > keep:
        for path in there:
            if kept < keep:
                kept += _whole(path)
            elif step_of(path) not in spared:
                _delete(every / path.name, names)
    known = {path.name for path in there}
    for name in every.names():
        if name.startswith((".tmp-", ".old-")) and name not in known:
            _delete(every / name, names)


def _whole(path: Path) -> bool:
    try:
        verify(path)
    except (CheckpointError, OSError):
        return False
    return True


def _names(there: Iterable[Path]) -> set[str]:
    """The files of the newest checkpoint whose manifest can be read."""
    for path in there:
        with suppress(CheckpointError, OSError):
            return set(manifest_of(path)["files"])
    return set()
