"""`zip`: pictures in a zip archive, laid out as `folder` wants them. Members are read in memory; nothing is ever extracted."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gancli.core.descriptors import open_named
from gancli.core.errors import DataError
from gancli.data.collection import Entry, FileCollection, left_out, same_name, shown
from gancli.data.decode import BrokenImageError
from gancli.data.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAMAGED = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
LARGEST_TOTAL = 256 * 2**30  # bytes, unpacked
RATIO, RATIO_FROM = 100, 2**30  # an archive that unpacks to more than 1 GB and 100 times its size is a bomb


class Zip(Pictures):
    name = "zip"

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.suffix.lower() == ".zip" and path.is_file()

    def files(self) -> FileCollection:
        return ZipCollection(Path(self.path))


class ZipCollection(FileCollection):
    """The members of a zip archive. Raises DataError if it is none, or has a member that pictures have no need of."""

    def __init__(self, path: Path) -> None:
        self.where, self.notes, self.warnings = str(path), [], []
        try:
            status = path.stat()
            with open_named(path):  # it is a file and has an end
                self.archive = zipfile.ZipFile(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DataError(f"{path} is not a whole zip archive: {error}", "make it again") from None
        members = [info for info in self.archive.infolist() if not info.filename.endswith(("/", "\\"))]
        self._check(members, status.st_size)
        files = [info for info in members if not stat.S_ISLNK(info.external_attr >> 16)]
        if len(files) < len(members):
            self.warnings.append(f"{len(members) - len(files)} links in the archive are not followed")
        wanted = [info for info in files if not left_out(_plain(info))]
        self.members = {_plain(info): info for info in wanted}
        if len(self.members) < len(wanted):
            raise DataError(f"{path} holds two files of the same name", "make it again")
        entries = (Entry(n, info.file_size, status.st_mtime_ns ^ info.CRC) for n, info in self.members.items())
        self.entries = sorted(entries, key=lambda entry: (same_name(entry.name), entry.name))

    def _check(self, members: list[zipfile.ZipInfo], size: int) -> None:
        for info in members:
            plain, name = _plain(info), shown(info.filename)
            if plain.startswith("/") or ".." in plain.split("/") or info.filename[1:2] == ":":
                raise DataError(
                    f"{self.where}: the member {name} points out of the archive", "make it again from plain names"
                )
            if info.flag_bits & 1:
                raise DataError(f"{self.where} is encrypted ({name})", "make it again without a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(
                    f"{self.where}: {name} is packed in an unusual way", "use zip's own 'deflate' or 'store'"
                )
        total = sum(info.file_size for info in members)
        if total > LARGEST_TOTAL or (total > RATIO_FROM and total > RATIO * size):
            raise DataError(
                f"{self.where} would unpack to {total / 1e9:.1f} GB from {size / 1e6:.1f} MB", "use a folder"
            )

    def open(self, name: str) -> IO[bytes]:
        try:
            return self.archive.open(self.members[name])
        except Exception as error:  # noqa: BLE001 - `reason` raises those that are bugs
            raise BrokenImageError(self.reason(error)) from None

    def chunks(self, name: str, most: int, step: int = 2**20) -> Iterator[bytes]:
        size = self.members[name].file_size
        if size > most:
            raise BrokenImageError(f"the file is larger than {most // 2**20} MB")
        done = 0
        for part in super().chunks(name, size, step):
            done += len(part)
            yield part
        if done != size:
            raise BrokenImageError("damaged in the archive: not of the size it says")

    def reason(self, error: Exception) -> str:
        if not isinstance(error, _DAMAGED):
            raise error
        self.unread |= isinstance(error, OSError)
        return f"damaged in the archive: {error}"


def _plain(info: zipfile.ZipInfo) -> str:
    """A member's name; some programs for Windows write backslashes."""
    return info.filename.replace("\\", "/")
