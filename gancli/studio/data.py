"""Data that a page may name, uploads, and what `gan data` says of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError, DataError, ResourceError, UsageError
from gancli.core.files import Folder
from gancli.studio.place import Place
from gancli.studio.studio import Studio

NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,150}")
UPLOAD = re.compile(r"[0-9a-f]{16}")
LABEL = "upload:"
DROPPED = "dropped: "  # what a page calls an upload, by the name of what was dropped
MOST_FILES = 200_000  # of an upload
DEEPEST = 8
PNG = b"\x89PNG\r\n\x1a\n"
MOST_TEXT = 6000  # bytes of a preview
SHOWN = 300  # entries of a folder that are offered
SPARE = 1 << 30  # bytes that an upload leaves free on the disk


def offered(place: Place) -> list[str]:
    """The folders and archives that lie where the user said that data is, as they may be typed."""
    out: list[str] = []
    for root in place.roots:
        kinds = Folder(root).entries() if root.is_dir() else {}
        for name, kind in list(kinds.items())[:SHOWN]:
            is_data = kind == "folder" or name.lower().endswith((".zip", ".npz", ".npy", ".txt", ".jsonl", ".tar"))
            if is_data and not name.startswith(".") and root / name != place.runs:
                out.append(name if root == place.start else str(root / name))
    return out


def named(studio: Studio, text: str) -> str:
    """What `gan` is given as data: a name, an upload, or a path below a folder that the user allowed.

    Raises:
        UsageError: the path is elsewhere.
    """
    text = text.strip()
    if not text:
        raise UsageError("no data was chosen", "choose a data set, or drop pictures or text")
    if text.startswith(LABEL):
        return str(upload_of(studio.place, text.removeprefix(LABEL)))
    if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", text) and not (studio.place.start / text).exists():
        return text
    path = within(studio.place, text)
    if not path.exists():
        raise DataError(f"there is no {text[:200]}", "the list offers what is there")
    return str(path)


def within(place: Place, text: str) -> Path:
    """A path below one of the allowed folders, links resolved. Raises UsageError."""
    try:
        path = (place.start / Path(text)).resolve()
    except (OSError, RuntimeError, ValueError):
        path = Path("/")
    roots = [root.resolve() for root in place.roots]
    hidden = place.runs.resolve()
    if not any(path == root or root in path.parents for root in roots) or path == hidden or hidden in path.parents:
        raise UsageError(
            f"{text[:200]!r} is not in a folder that this studio may read",
            "start it in the folder of your data, or with gan studio --data FOLDER",
        )
    return path


def upload_of(place: Place, name: str) -> Path:
    """The folder or file of an upload. Raises UsageError."""
    top = place.folder("uploads")
    if not UPLOAD.fullmatch(name) or not (top / name).exists():
        raise UsageError(f"no upload {name[:40]!r}", "drop the files again")
    entries = (top / name).entries()
    if len(entries) == 1:
        return top.path / name / next(iter(entries))
    return top.path / name


def rename(place: Place, name: str, called: str) -> None:
    """Give the only folder or file of an upload another name. Raises UsageError."""
    path = upload_of(place, name)
    if path.parent.name != name or not _nameable(called):
        raise UsageError(
            f"the upload cannot be called {called[:100]!r}", "it has more than one file or folder, or the name is none"
        )
    with contextlib.suppress(FileNotFoundError):
        path.rename(path.with_name(called))


def _nameable(name: str) -> bool:
    return NAME.fullmatch(name) is not None and not name.startswith(".")


class Upload:
    """Receives the files of an upload, one request each; a file is there completely or not at all."""

    def __init__(self, studio: Studio, name: str) -> None:
        if not UPLOAD.fullmatch(name):
            raise UsageError(f"an upload is not called {name[:40]!r}", "16 digits and letters a to f")
        self.place = studio.place
        self.top = studio.place.folder("uploads") / name
        self.used = studio.uploads.setdefault(name, [0, 0])  # bytes, files
        if self.used == [0, 0]:
            self.used[:] = self._counted()

    def begin(self, path: str, length: int | None) -> tuple[Folder, str]:
        """The folder and name of a file. Raises UsageError for a name, DataError for a size."""
        parts = path.split("/")
        if not all(map(_nameable, parts)) or len(parts) > DEEPEST:
            raise UsageError(f"a file cannot be called {path[:100]!r}", "rename it")
        self.top.make()
        used, count = self.used
        limit = self.place.most_upload
        if used + (length or 0) > limit:
            raise DataError(
                f"the upload has more than {limit / 1e9:g} GB", "gan studio --upload-limit, or name a folder"
            )
        if count >= MOST_FILES:
            raise DataError(f"the upload has more than {MOST_FILES:,} files", "drop a zip")
        if shutil.disk_usage(self.top.path).free < (length or 0) + SPARE:
            raise ResourceError("the disk has no room for the upload", "free some")
        folder = self.top
        for part in parts[:-1]:
            folder = folder / part
            folder.make()
        return folder, parts[-1]

    def _counted(self) -> tuple[int, int]:
        size = count = 0
        for at, _, names in os.walk(self.top.path):
            for name in names:
                count += 1
                size += os.stat(os.path.join(at, name), follow_symlinks=False).st_size  # noqa: PTH116, PTH118
        return size, count

    async def receive(self, path: str, length: int | None, pieces: AsyncIterator[bytes]) -> int:
        """Write a file from the pieces of a request. Returns its size. Raises as `begin`."""
        folder, name = self.begin(path, length)
        size, limit = 0, self.place.most_upload - self.used[0]
        with folder.writing(name) as file:
            async for piece in pieces:
                size += len(piece)
                if size > (limit if length is None else length):
                    raise DataError(
                        f"the upload has more than {self.place.most_upload / 1e9:g} GB", "gan studio --upload-limit"
                    )
                file.write(piece)
            if length is not None and size != length:
                raise DataError(f"{path[:100]} arrived incompletely", "drop it again")
        self.used[:] = self.used[0] + size, self.used[1] + 1
        return size


def new_upload(studio: Studio) -> str:
    """The name of an upload; those that no run can need any more are removed."""
    sweep(studio)
    return secrets.token_hex(8)


def sweep(studio: Studio) -> None:
    """Remove uploads of more than a week ago that no run names."""
    top = studio.place.folder("uploads")
    old = [
        n
        for n in top.names()
        if UPLOAD.fullmatch(n) and (s := top.stat(n)) is not None and s.st_mtime < time.time() - 7 * 86_400
    ]
    if not old:
        return
    used = " ".join(_config_text(studio, name) for name in studio.runs.names())
    for name in old:
        if name not in used:
            shutil.rmtree(top.path / name, ignore_errors=True)


def _config_text(studio: Studio, name: str) -> str:
    try:
        return (studio.place.runs / name / "config.json").read_text(errors="replace")
    except OSError:
        return ""


def options(size: str, channels: str) -> list[str]:
    """The arguments for image size and channels. Raises UsageError."""
    out: list[str] = []
    if size:
        if not re.fullmatch(r"\d{1,4}(x\d{1,4})?", size):
            raise UsageError(f"image size {size[:40]!r}", "32, or height x width: 28x20")
        out += ["--image-size", size]
    if channels:
        if channels not in ("1", "3"):
            raise UsageError(f"channels {channels[:40]!r}", "1: grayscale, 3: RGB")
        out += ["--channels", channels]
    return out


def data_dir(place: Place) -> list[str]:
    """The arguments for the folder of downloaded data sets."""
    return [] if place.data_dir is None else ["--data-dir", str(place.data_dir)]


def inspect(studio: Studio, text: str, size: str = "", channels: str = "", label: str = "") -> dict[str, Any]:
    """What `gan data` says, and the name of a picture of what a net will see.

    Args:
        studio: whose data it is.
        text: as a page named the data.
        size: of images, as `gan` takes it; empty: that of the data.
        channels: 1, 3 or empty.
        label: only images of this class in the picture.

    Raises:
        GanError: the data cannot be read, with the remedy of `gan data`.
    """
    data = named(studio, text)
    how = options(size, channels)
    key = json.dumps(["data", data, how, label, _stamp(data)])

    def make() -> dict[str, Any]:
        picture = f"{secrets.token_hex(8)}.png"
        words = [data, *how, *data_dir(studio.place), "--preview", str(studio.made() / picture), "--json"]
        words += ["--label", label] if label else []
        found = studio.commands.gan(studio.place.command("data", *words, runs=False), key="data").json()
        return {**found, **_shown(studio, picture)}

    return studio.once(key, make)


def _shown(studio: Studio, file: str) -> dict[str, str]:
    """The preview as a picture, or as text: the kind of data decides which it is."""
    try:
        content = Folder(studio.made()).read(file, 64 << 20)
    except CheckpointError:
        return {"picture": "", "text": ""}
    if content.startswith(PNG):
        return {"picture": file, "text": ""}
    return {"picture": "", "text": content[:MOST_TEXT].decode("utf-8", "replace")}


def _stamp(data: str) -> Any:
    try:
        return os.stat(data).st_mtime_ns  # noqa: PTH116
    except OSError:
        return None
