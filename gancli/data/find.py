"""From what a user names to arrays: which source reads it, the default where nothing is named, and reading in the shape asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional

from gancli.core import registry
from gancli.core.data import Arrays, Reading, Source, Split
from gancli.core.errors import DataError, UsageError
from gancli.data import cache
from gancli.data.decode import middle
from gancli.data.mnist import MNIST

DEFAULT_TIME = 4.0  # seconds in which MNIST must come, where no data is named
BATCH = 1024  # images resized at a time
LUMA = (0.299, 0.587, 0.114)
_REFUSED = {
    (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz"): "a tar archive, which is never unpacked",
    (".pt", ".pth", ".pkl", ".pickle", ".ckpt"): "pickled, and a pickle can run any program as it is read",
}


def source_for(text: str) -> dict[str, Any]:
    """The table of the source that a user means by a name or a path, to be built by `registry.build("data", ...)`.

    Raises UsageError with the nearest names, or DataError for a path that is not there or cannot be read.
    """
    sources = cast("dict[str, type[Source]]", registry.parts("data"))
    if text in sources:
        return {"name": text}
    try:
        path = Path(text).expanduser()
        there = path.exists()
    except (OSError, RuntimeError) as error:  # a name too long, a home that nobody has
        raise DataError(f"{text[:200]} cannot be read: {error}", "name data, a folder, a .zip or a .npz") from None
    _refuse(path)
    if there:
        return _claimed(path.absolute(), sources)
    if "/" in text or text.startswith((".", "~")) or path.suffix.lower() in (".zip", ".npz"):
        raise DataError(f"there is no {path}", _above(path))
    named = [name for name, source in sources.items() if "path" not in source.model_fields]
    hint = registry.nearest(text, named) or f"there are: {', '.join(named)}; or name a folder, a .zip or a .npz"
    raise UsageError(f"no data {text!r}", hint)


def absolute(path: str) -> str:
    """The path as it is found from anywhere. Raises DataError if there can be none of that name."""
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path[:200]!r} is no path: {error}", "name a folder, a .zip or a .npz") from None


def _refuse(path: Path) -> None:
    for suffixes, why in _REFUSED.items():
        if path.name.lower().endswith(suffixes):
            raise DataError(f"{path} is {why}", "name a folder of pictures, a .zip of them, or a .npz of arrays")


def _claimed(path: Path, sources: dict[str, type[Source]]) -> dict[str, Any]:
    for name, source in sources.items():
        if source.claims(path):
            return {"name": name, "path": str(path)}
    raise DataError(f"no source reads {path}", "name a folder of pictures, a .zip of them, or a .npz of arrays")


def _above(path: Path) -> str:
    there = next(parent for parent in path.absolute().parents if parent.is_dir())
    names = sorted(child.name for child in there.iterdir()) if there == path.absolute().parent else []
    return registry.nearest(path.name, names) or f"the folder {there} is there"


def default(how: Reading) -> tuple[dict[str, Any], str]:
    """The source where none is named, and why: MNIST if it is there or comes within 4 s, else the digits of scikit-learn."""
    mnist = MNIST()
    if mnist.present(how):
        return {"name": "mnist"}, f"mnist (70,000 handwritten digits, 28x28, from {how.data_dir})"
    why = "may not be fetched"
    if how.download:
        try:
            mnist.fetch_missing(how.data_dir / mnist.folder, replace(how, time_limit=min(DEFAULT_TIME, how.time_limit)))
            return {"name": "mnist"}, f"mnist (70,000 handwritten digits, 28x28, fetched into {how.data_dir})"
        except (DataError, OSError):
            why = "cannot be fetched"
    return {"name": "digits"}, f"digits (1,797 real 8x8 digits; MNIST is not in {how.data_dir} and {why})"


def read(source: Source, how: Reading) -> Split:
    """The source's arrays, in the size and with the channels asked for. Raises DataError if there is nothing to train on."""
    return finished(source, source.read(how), how)


def finished(source: Source, split: Split, how: Reading) -> Split:
    """`read` after the source has been read."""
    if not len(split.train.images):
        raise DataError(f"{source.name} has no images to train on", "name data that holds at least one image")
    train, test = (shaped(part, how.size, how.channels) for part in (split.train, split.test))
    same = train.images.shape == split.train.images.shape
    return Split(train, test, split.measure if same else None)


def shaped(arrays: Arrays, size: tuple[int, int] | None, channels: int | None) -> Arrays:
    """The same with images of that size (the middle part cut out and scaled, bicubic and antialiased) and 1 or 3 channels."""
    n, c, h, w = arrays.images.shape
    height, width = size or (h, w)
    wanted = channels or c
    if (wanted, height, width) == (c, h, w):
        return arrays
    if wanted != c and {wanted, c} != {1, 3}:
        raise DataError(f"images of {c} channels cannot be given {wanted}", "ask for 1 or 3 channels")
    out = np.empty((n, wanted, height, width), np.uint8)
    for start in range(0, n, BATCH):
        part = torch.from_numpy(np.ascontiguousarray(arrays.images[start : start + BATCH]))
        if wanted < c:
            part = (part.float() * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True).round().to(torch.uint8)
        out[start : start + BATCH] = _covering(part, (height, width)).numpy()
    return replace(arrays, images=out)


def _covering(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 [N, C, H, W] -> uint8 [N, C, *size], as `decode` does it."""
    if x.shape[2:] == size:
        return x
    top, left, h, w = middle(x.shape[2], x.shape[3], size)
    part = x[:, :, top : top + h, left : left + w]
    return functional.interpolate(part, size=size, mode="bicubic", antialias=True, align_corners=False)


def fingerprint(arrays: Arrays) -> str:
    """BLAKE2b of shapes, pixels, labels, attributes and their names: another fingerprint, other data.

    Of a memory-mapped array in the cache it takes the digest that was taken as the array was written.
    """
    of_images = None
    if arrays.images.nbytes > cache.MAPPED_FROM:
        of_images = cache.source_digest(arrays.images)
    return cache.key_of(
        arrays.images.shape,
        of_images or cache.digest(arrays.images),
        *(None if part is None else (part.shape, cache.digest(part)) for part in (arrays.labels, arrays.attributes)),
        arrays.classes,
        arrays.attribute_names,
    )
