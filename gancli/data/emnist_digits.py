"""`emnist-digits`: 280,000 handwritten digits, 28x28 grayscale (1702.05373), 40,000 of them the test set.

The files hold each image transposed; it is put upright. They come in one archive of all of EMNIST's parts (560 MB).
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.core.files import atomic_file
from gancli.data.fetch import deadline, fetch
from gancli.data.idx import Idx

LARGEST = 256 * 2**20  # bytes of a member


class EMNISTDigits(Idx):
    name = "emnist-digits"
    features: ClassVar[str] = "digits-v1"
    folder: ClassVar[str] = "EMNIST/raw"
    table: ClassVar[str] = "EMNIST"
    files: ClassVar[tuple[str, str, str, str]] = (
        "emnist-digits-train-images-idx3-ubyte",
        "emnist-digits-train-labels-idx1-ubyte",
        "emnist-digits-test-images-idx3-ubyte",
        "emnist-digits-test-labels-idx1-ubyte",
    )

    def upright(self, images: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(images.swapaxes(1, 2))

    def fetch_missing(self, folder: Path, how: Reading) -> None:
        """Fetch the archive, take the four files out of it and remove it again."""
        import torchvision.datasets

        table, archive = torchvision.datasets.EMNIST, folder / ".gzip.zip"
        fetch([table.url], archive, table.md5, how, deadline(how))
        try:
            with zipfile.ZipFile(archive) as members:
                for name in self.files:
                    self._take(members, f"gzip/{name}.gz", folder / f"{name}.gz")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"the archive of EMNIST is not as expected: {error}") from None
        finally:
            archive.unlink(missing_ok=True)

    def _take(self, members: zipfile.ZipFile, member: str, to: Path) -> None:
        if members.getinfo(member).file_size > LARGEST:
            raise DataError(f"the archive of EMNIST is not as expected: {member} is too large")
        with atomic_file(to) as file:
            file.write(members.read(member))
