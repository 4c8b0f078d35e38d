"""`zip`: pictures in a zip archive, laid out as `folder` wants them. Members are read in memory; nothing is ever extracted."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from gancli.core.errors import DataError
from gancli.data.collection import LARGEST, Entry, FileCollection, shown
from gancli.data.decode import BrokenImageError
from gancli.data.pictures import Pictures

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
        self.where, self.notes = str(path), []
        try:
            status = path.stat()
            self.archive = zipfile.ZipFile(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DataError(f"{path} is not a whole zip archive: {error}", "make it again; tar is not read") from None
        members = [info for info in self.archive.infolist() if not info.filename.endswith("/")]
        self._check(members, status.st_size)
        links = [info for info in members if stat.S_ISLNK(info.external_attr >> 16)]
        if links:
            self.notes.append(f"{len(links)} links are not followed")
        wanted = [info for info in members if info not in links and not _hidden(info.filename)]
        self.members = {info.filename: info for info in wanted}
        if len(self.members) < len(wanted):
            raise DataError(f"{path} holds two files of the same name", "make it again")
        self.entries = [
            Entry(name, info.file_size, status.st_mtime_ns ^ info.CRC) for name, info in sorted(self.members.items())
        ]

    def _check(self, members: list[zipfile.ZipInfo], size: int) -> None:
        for info in members:
            path, name = PurePosixPath(info.filename), shown(info.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in info.filename or info.filename[1:2] == ":":
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

    def read(self, name: str, most: int = LARGEST) -> bytes:
        info = self.members[name]
        if info.file_size > most:
            raise BrokenImageError(f"the file is larger than {most // 2**20} MB")
        try:
            with self.archive.open(info) as file:
                data = file.read(info.file_size + 1)
        except (
            OSError,
            EOFError,
            ValueError,
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
        ) as error:
            self.unread |= isinstance(error, OSError)
            raise BrokenImageError(f"damaged in the archive: {error}") from None
        if len(data) != info.file_size:
            raise BrokenImageError("damaged in the archive: not of the size it says")
        return data


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
