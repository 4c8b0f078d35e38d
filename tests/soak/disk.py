"""What a process asks of the disk: recorded, to replay what is left after a power loss; or answered with a fault.

`Recording` keeps every operation below a folder in order. `Crash` replays a prefix of them and gives the files that survive: strictly, only
what was synchronized (the content of a file by its fsync, the entries of a folder by that of the folder); or torn, where of everything else
a part may have reached the disk. `Faults` lets one call fail, or write less than it is given.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Operation:
    """A change of the disk: `create`, `mkdir`, `content`, `sync`, `rename`, `remove`, or an announcement of the process."""

    kind: str
    path: str  # below the recorded folder
    to: str = ""
    content: bytes = b""


def _place(name: Any, dir_fd: int | None) -> Path:
    return Path(f"/proc/self/fd/{dir_fd}").readlink() / os.fspath(name) if dir_fd is not None else Path(name)


class Recording:
    """Records what this process does below a folder, from `install` on."""

    def __init__(self, within: Path) -> None:
        self.within, self.operations = within, list[Operation]()

    def _add(self, kind: str, path: Path, to: Path | None = None, content: bytes = b"") -> None:
        if path == self.within or self.within in path.parents:
            other = "" if to is None else str(to.relative_to(self.within))
            self.operations.append(Operation(kind, str(path.relative_to(self.within)), other, content))

    def announce(self, text: str) -> None:
        """Note that the process told its user something."""
        self.operations.append(Operation("announce", text))

    def install(self) -> None:
        """For this process, for good: to be called in a child."""
        real = {
            name: getattr(os, name)
            for name in ("open", "write", "fsync", "ftruncate", "rename", "mkdir", "unlink", "rmdir")
        }

        def opened(name: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            path = _place(name, dir_fd)
            new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
            handle: int = real["open"](name, flags, mode, dir_fd=dir_fd)
            if new:
                self._add("create", path)
            elif flags & os.O_TRUNC:
                self._content(handle)
            return handle

        def write(handle: int, content: Any) -> int:
            done: int = real["write"](handle, content)
            self._content(handle)
            return done

        def ftruncate(handle: int, size: int) -> None:
            real["ftruncate"](handle, size)
            self._content(handle)

        def fsync(handle: int) -> None:
            self._content(handle)
            real["fsync"](handle)
            self._add("sync", _place("", handle))

        def rename(old: Any, new: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
            source, target = _place(old, src_dir_fd), _place(new, dst_dir_fd)
            real["rename"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            self._add("rename", source, target)

        def mkdir(name: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            path = _place(name, dir_fd)
            real["mkdir"](name, mode, dir_fd=dir_fd)
            self._add("mkdir", path)

        def remover(kind: str) -> Callable[..., None]:
            def remove(name: Any, *, dir_fd: int | None = None) -> None:
                path = _place(name, dir_fd)
                real[kind](name, dir_fd=dir_fd)
                self._add("remove", path)

            return remove

        os.open, os.write, os.fsync, os.ftruncate, os.rename, os.mkdir = opened, write, fsync, ftruncate, rename, mkdir  # type: ignore[assignment]
        os.unlink, os.rmdir = remover("unlink"), remover("rmdir")

    def _content(self, handle: int) -> None:
        """The present content of an open file; writes through buffers are seen at the next fsync."""
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if self.within in path.parents and path.is_file():
            self._add("content", path, content=path.read_bytes())


@dataclass
class _Node:
    """A file or folder: as the process sees it, and as it is on the disk."""

    folder: bool
    content: bytes = b""
    synced: bytes = b""
    entries: dict[str, _Node] = field(default_factory=dict)
    durable: dict[str, _Node] = field(default_factory=dict)


class Crash:
    """The disk after some operations, from a tree that was all synchronized.

    Args:
        before: the folder as it was when the recording began.
    """

    def __init__(self, before: Path) -> None:
        self.root = self._read(before)

    def _read(self, path: Path) -> _Node:
        if not path.is_dir():
            return _Node(False, content := path.read_bytes(), content)
        entries = {p.name: self._read(p) for p in path.iterdir()}
        return _Node(True, entries=entries, durable=dict(entries))

    def _at(self, path: str) -> _Node:
        node = self.root
        for part in Path(path).parts:
            node = node.entries[part]
        return node

    def play(self, operation: Operation) -> None:
        """Carry out one operation."""
        path = Path(operation.path)
        if operation.kind == "announce":
            return
        if operation.kind == "content":
            self._at(operation.path).content = operation.content
        elif operation.kind == "sync":
            node = self._at(operation.path)
            node.synced, node.durable = node.content, dict(node.entries)
        else:
            above = self._at(str(path.parent))
            if operation.kind in ("create", "mkdir"):
                above.entries[path.name] = _Node(operation.kind == "mkdir")
            elif operation.kind == "remove":
                del above.entries[path.name]
            else:
                self._at(str(Path(operation.to).parent)).entries[Path(operation.to).name] = above.entries.pop(path.name)

    def survive(self, place: Path, torn: random.Random | None = None) -> None:
        """Write what is left after a power loss now; `torn`: of what was not synchronized a random part is there, too."""
        self._write(self.root, place, torn)

    def _write(self, node: _Node, place: Path, torn: random.Random | None) -> None:
        if not node.folder:
            place.write_bytes(node.synced if torn is None else self._part(node, torn))
            return
        place.mkdir(parents=True)
        entries = dict(node.durable)
        for name in node.durable.keys() | node.entries.keys() if torn is not None else ():
            if torn is not None and node.durable.get(name) is not node.entries.get(name) and torn.random() < 0.5:
                entries.pop(name, None)
                entries |= {name: node.entries[name]} if name in node.entries else {}
        for name, inner in entries.items():
            self._write(inner, place / name, torn)

    def _part(self, node: _Node, torn: random.Random) -> bytes:
        if node.content == node.synced or torn.random() < 0.3:
            return node.synced
        if not node.content.startswith(node.synced):  # it was rewritten
            return node.content[: torn.randrange(len(node.content) + 1)]
        more = node.content[len(node.synced) :]
        cut = torn.randrange(len(more) + 1)
        return node.synced + more[:cut] + bytes(len(more) - cut) * (torn.random() < 0.3)


ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR}
CALLS = ("open", "write", "fsync", "ftruncate", "rename", "mkdir", "unlink", "rmdir", "scandir", "stat", "fstat")


class Faults:
    """Counts a process's calls of the disk below a folder, and lets one of them fail.

    Args:
        within: the folder.
        at: the number of the call that fails; None: all succeed.
        fault: "EIO", "ENOSPC", "EINTR", or "short" for a write of half of what is given.
    """

    def __init__(self, within: Path, at: int | None = None, fault: str = "EIO") -> None:
        self.within, self.at, self.fault, self.seen, self.what = str(within), at, fault, 0, ""

    def install(self) -> None:
        """For this process, for good: to be called in a child."""
        for name in CALLS:
            setattr(os, name, self._patched(name, getattr(os, name)))

    def _patched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if not args or not self._ours(args[0], more):
                return real(*args, **more)
            self.seen += 1
            if self.seen != self.at:
                return real(*args, **more)
            self.what = name
            if self.fault == "short":
                return real(args[0], args[1][: max(1, len(args[1]) // 2)]) if name == "write" else real(*args, **more)
            raise OSError(ERRORS[self.fault], os.strerror(ERRORS[self.fault]))

        return call

    def _ours(self, first: Any, more: dict[str, Any]) -> bool:
        try:
            if isinstance(first, int):
                return str(Path(f"/proc/self/fd/{first}").readlink()).startswith(self.within)
            dir_fd = more.get("dir_fd", more.get("src_dir_fd"))
            return str(_place(first, dir_fd)).startswith(self.within)
        except (OSError, TypeError):
            return False
