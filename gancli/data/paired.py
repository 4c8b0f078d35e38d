"""`paired`: degraded images and their originals, in a folder or a zip: clean/ and degraded/, or gt/ and lq/, also within train/ and test/.

Images are paired by their names without suffix. Everything else is as in `translation`, with A the degraded images and B the
originals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from gancli.core.data import Reading, Split
from gancli.core.errors import DataError
from gancli.core.images import PairSamples
from gancli.core.specs import Degraded
from gancli.data import sides
from gancli.data.collection import FileCollection, Scan, scan
from gancli.data.pairs import PairDataset
from gancli.data.sides import Side
from gancli.data.translation import Translation, folders_of

DOMAINS = {  # names of folders -> domain
    **dict.fromkeys(("degraded", "lq", "noisy", "input"), "A"),
    **dict.fromkeys(("clean", "gt", "hq", "target"), "B"),
}


def originals(names: Sequence[str]) -> dict[str, Side]:
    """Where files belong: the degraded in domain a, the originals in domain b; nothing if there are not both.

    Args:
        names: paths inside a folder or an archive.
    """
    renamed = {}
    for name in names:
        *folders, last = name.split("/")
        there = [DOMAINS.get(folder.lower()) for folder in folders]
        if any(there):
            renamed["/".join([*(domain or folder for domain, folder in zip(there, folders, strict=True)), last])] = name
    return {renamed[new]: side for new, side in sides.domains(list(renamed)).items()}


@dataclass(frozen=True)
class OriginalsDataset(PairDataset):
    """Pairs of a degraded image and its original, with as many channels as this."""

    @property
    def spec(self) -> Any:
        return Degraded(image=self.target.spec)

    def samples(self) -> PairSamples:
        return replace(super().samples(), labels=self.target.labels)


class Paired(Translation):
    name = "paired"
    paired: bool | None = Field(True, description="always: by name")

    @classmethod
    def claims(cls, path: Path) -> int:
        names = folders_of(path)
        return 3 if names is not None and originals(names) else 0

    def survey(self, how: Reading) -> tuple[FileCollection, Scan, dict[str, Side]]:
        files = self.files()
        found = scan(files, how)
        belong = originals(found.names)
        if not belong:
            raise DataError(f"{files.where} has no degraded images with originals", "put them into degraded and clean")
        return files, found, belong

    def read(self, how: Reading) -> Split[Any]:
        split = super().read(how)

        def of(pairs: PairDataset) -> OriginalsDataset:
            channels = pairs.target.images.shape[1]
            return OriginalsDataset(pairs.source.resized(None, channels, how), pairs.target, pairs.jitter)

        return Split(of(split.train), of(split.test), of(split.validation))
