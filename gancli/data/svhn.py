"""`svhn`: house numbers photographed from the street, 32x32 RGB (Netzer et al. 2011): 73,257 to train on, 26,032 as the test set.

Read from `<data-dir>/train_32x32.mat` and `test_32x32.mat`. The files call the digit 0 by the label 10.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.data.fetch import deadline, fetch
from gancli.data.images import ImageDataset

FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}


class SVHN(Source):
    name = "svhn"
    folder: ClassVar[str] = "."
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def present(self, how: Reading) -> bool:
        return all((how.data_dir / name).is_file() for name in FILES.values())

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The set; its test set is the files' own.

        Raises:
            DataError: the two files are neither there nor can be fetched, or are broken.
        """
        paths = {part: how.data_dir / name for part, name in FILES.items()}
        if not self.present(how):
            self._get(paths, how)
        return Split(self._arrays(paths["train"]), self._arrays(paths["test"]))

    def _arrays(self, path: Path) -> ImageDataset:
        from scipy.io import loadmat

        try:
            mat = loadmat(path, variable_names=("X", "y"))
            images, labels = mat["X"], mat["y"].reshape(-1).astype(np.int64)  # [32, 32, 3, N], [N, 1]
        except Exception as error:  # noqa: BLE001 - a broken file can raise anything
            raise DataError(f"{path} cannot be read: {error}", "remove it and fetch it again") from None
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2:] != (3, len(labels)):
            raise DataError(
                f"{path} holds no uint8 images [H, W, 3, N] with labels [N]", "remove it and fetch it again"
            )
        if len(labels) and not 1 <= labels.min() <= labels.max() <= 10:
            raise DataError(f"{path}: a label is not one of 1 .. 10", "remove it and fetch it again")
        return ImageDataset(np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels % 10, classes=self.classes)

    def _get(self, paths: dict[str, Path], how: Reading) -> None:
        why = "fetching is not allowed"
        if how.download:
            try:
                return self._fetch(paths, how)
            except DataError as error:
                why = error.cause
        names = " and ".join(FILES.values())
        remedy = f"put both (http://ufldl.stanford.edu/housenumbers/, format 2) into {how.data_dir}"
        raise DataError(f"svhn: {names} are not both in {how.data_dir}, and {why}", remedy)

    def _fetch(self, paths: dict[str, Path], how: Reading) -> None:
        from torchvision.datasets import SVHN as Table  # noqa: N811

        until = deadline(how)
        for part, path in paths.items():
            url, _, md5 = Table.split_list[part]
            if not path.is_file():
                fetch([url], path, md5, how, until)
