"""`cifar10`: 60,000 photographs of ten kinds of things, 32x32 RGB (Krizhevsky 2009), 10,000 of them the test set.

Read from the binary version, `<data-dir>/cifar-10-batches-bin/`: records of one label and 3 x 32 x 32 bytes. The version for Python is
pickled and never read.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.core.files import atomic_file
from gancli.data.fetch import deadline, fetch
from gancli.data.images import ImageDataset

ARCHIVE = "cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
RECORD, RECORDS = 1 + 3 * 32 * 32, 10_000


class CIFAR10(Source):
    name = "cifar10"
    folder: ClassVar[str] = FOLDER
    classes: ClassVar[tuple[str, ...]] = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )

    def present(self, how: Reading) -> bool:
        return all((how.data_dir / FOLDER / name).is_file() for name in (*TRAIN, TEST))

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The set; its test set is the files' own.

        Raises:
            DataError: the files are neither there nor can be fetched; with the archive's name.
        """
        folder = how.data_dir / FOLDER
        if not self.present(how):
            self._get(folder, how)
        return Split(self._arrays([folder / name for name in TRAIN]), self._arrays([folder / TEST]))

    def _arrays(self, paths: list[Path]) -> ImageDataset:
        for path in paths:
            if path.stat().st_size != RECORD * RECORDS:
                raise DataError(f"{path} is cut short or too long", f"remove it and unpack {ARCHIVE} again")
        images = np.empty((len(paths), RECORDS, RECORD - 1), np.uint8)
        labels = np.empty((len(paths), RECORDS), np.int64)
        for i, path in enumerate(paths):
            records = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD)
            labels[i], images[i] = records[:, 0], records[:, 1:]
        if labels.max() > 9:
            raise DataError(f"{paths[0].parent}: a label is {labels.max()}, of 10 classes")
        return ImageDataset(images.reshape(-1, 3, 32, 32), labels.reshape(-1), classes=self.classes)

    def _get(self, folder: Path, how: Reading) -> None:
        why = "fetching is not allowed"
        if how.download:
            try:
                return self._fetch(folder, how)
            except DataError as error:
                why = error.cause
        if (how.data_dir / "cifar-10-batches-py").is_dir():
            why = f"cifar-10-batches-py holds pickles, which are never read; {why}"
        remedy = f"unpack {ARCHIVE} (https://www.cs.toronto.edu/~kriz/cifar.html, binary version) into {how.data_dir}"
        raise DataError(f"cifar10: {', '.join((*TRAIN, TEST))} are not all in {folder}; {why}", remedy)

    def _fetch(self, folder: Path, how: Reading) -> None:
        """The official archive, checked; its six files are read in memory and written one by one."""
        from torchvision.datasets import CIFAR10 as Table  # noqa: N811

        archive = how.data_dir / f".{ARCHIVE}"
        fetch([Table.url.rpartition("/")[0] + f"/{ARCHIVE}"], archive, MD5, how, deadline(how))
        try:
            with tarfile.open(archive, "r:gz") as members:
                for member in members:
                    path = Path(member.name)
                    if path.parent.name != FOLDER or path.name not in (*TRAIN, TEST) or not member.isreg():
                        continue
                    file = members.extractfile(member)
                    with atomic_file(folder / path.name) as out:
                        out.write(file.read(RECORD * RECORDS) if file else b"")
        except (OSError, tarfile.TarError) as error:
            raise DataError(f"{ARCHIVE} is not as expected: {error}") from None
        finally:
            archive.unlink(missing_ok=True)
