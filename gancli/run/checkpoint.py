"""Checkpoints that are there whole or not at all.

Commit: write every file into `.tmp-<step>/` and fsync each; write `manifest.json` (size and SHA-256 of every file) last; fsync the
folder, rename it, fsync the parent; read it back; only then prune. A checkpoint without a manifest that fits is no checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.errors import CheckpointError
from gancli.run.files import as_json, disk, sync_folder, write_synced
from gancli.run.tensors import read

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: its files are in memory, and are what was written."""

    path: Path
    step: int
    manifest: dict[str, Any]
    files: dict[str, bytes]


def commit(folder: Path, step: int, files: dict[str, bytes], facts: dict[str, Any]) -> Path:
    """Write a checkpoint of these files. Raises ResourceError if the disk refuses; older checkpoints are then untouched."""
    final, beside = folder / f"{step:06d}", folder / f".tmp-{step:06d}"
    size = sum(map(len, files.values()))
    with disk("a checkpoint", folder, size):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        try:
            beside.mkdir()
            for name, content in files.items():
                write_synced(beside / name, content)
            entries = {n: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()}
            write_synced(beside / MANIFEST, as_json({"format": FORMAT, "step": step, "files": entries, **facts}))
            sync_folder(beside)
            if final.exists():  # the same step, committed before: it is replaced only by a whole one
                old = folder / f".old-{step:06d}"
                shutil.rmtree(old, ignore_errors=True)
                final.rename(old)
                beside.rename(final)
                shutil.rmtree(old, ignore_errors=True)
            else:
                beside.rename(final)
            sync_folder(folder)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    verify(final)
    return final


def verify(path: Path) -> Checkpoint:
    """Read a checkpoint whole. Raises CheckpointError with the reason if any byte is not what was written."""
    manifest = _manifest(path)
    files: dict[str, bytes] = {}
    for name, entry in manifest["files"].items():
        content = read(path / name)
        if len(content) != entry["size"]:
            raise CheckpointError(f"{path.name}/{name} has {len(content)} bytes, not {entry['size']}")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise CheckpointError(f"{path.name}/{name} is damaged: its SHA-256 is not the manifest's")
        files[name] = content
    extra = {p.name for p in path.iterdir()} - files.keys() - {MANIFEST}
    if extra:
        raise CheckpointError(f"{path.name} holds a file that it was not written with: {sorted(extra)[0]}")
    return Checkpoint(path, int(manifest["step"]), manifest, files)


def _manifest(path: Path) -> dict[str, Any]:
    if path.is_symlink() or not path.is_dir():
        raise CheckpointError(f"{path} is not a checkpoint folder")
    try:
        manifest = json.loads(read(path / MANIFEST))
        if manifest["format"] != FORMAT:
            raise CheckpointError(f"{path.name} is of format {manifest['format']}; this gan reads format {FORMAT}")
        if int(manifest["step"]) != int(path.name):
            raise CheckpointError(f"{path.name}: its manifest is of step {manifest['step']}")
        for name, entry in manifest["files"].items():
            if "/" in name or name.startswith(".") or not isinstance(entry["size"], int):
                raise CheckpointError(f"{path.name}: its manifest names an impossible file {name!r}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path.name}: the manifest is damaged ({type(error).__name__}: {error})") from None
    return dict(manifest)


def listed(folder: Path) -> list[Path]:
    """Committed checkpoints, newest step first (whole or not)."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name), reverse=True)


def newest(folder: Path, note: Callable[[str], None]) -> Checkpoint:
    """The newest checkpoint that verifies; says which were skipped and why.

    Raises CheckpointError if there is none, naming each and its reason.
    """
    reasons = []
    for path in listed(folder):
        try:
            return verify(path)
        except CheckpointError as error:
            reasons.append(f"{path.name}: {error.cause}")
            note(f"skipped checkpoint {path.name}: {error.cause}")
    if not reasons:
        raise CheckpointError(f"no checkpoint in {folder} yet", "start again with gan train")
    raise CheckpointError(f"no checkpoint in {folder} is whole: {'; '.join(reasons)}")


def prune(folder: Path, keep: int, spare: Iterable[int] = ()) -> None:
    """Delete all but the newest `keep` whole checkpoints and those to spare, and what an interrupted commit left."""
    kept = 0
    for path in listed(folder):
        if kept < keep:
            try:
                _manifest(path)
            except CheckpointError:
                continue
            kept += 1
        elif int(path.name) not in set(spare):
            shutil.rmtree(path, ignore_errors=True)
    for left in [*folder.glob(".tmp-*"), *folder.glob(".old-*")]:
        shutil.rmtree(left, ignore_errors=True)
