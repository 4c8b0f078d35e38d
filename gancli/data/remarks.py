"""What is said of pictures before they are used: notes, and warnings of what is probably not as it was meant to be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from gancli.data import cache, tables
from gancli.data.collection import shown, suffix
from gancli.data.decode import middle
from gancli.data.values import BYTES, DIM, WAY

if TYPE_CHECKING:
    from gancli.core.data import Dataset
    from gancli.data.collection import FileCollection, Scan

ENLARGED = 1.5  # times, from which on a picture is much smaller than it is to be
OURS = ("manifest.csv",)  # tables that are written beside images, and say nothing of them
LONG = 3  # times as long as wide
NAMED = 5  # files, in a warning
RARE = 10  # images, below which a class is a matter of luck
LISTED = 20  # classes whose sizes are listed
LOOKED_AT = 256  # images, for what they look like
PICTURES = (
    *(".heic", ".heif", ".hif", ".jxl", ".psd", ".svg", ".dcm", ".nii", ".exr", ".hdr", ".raw", ".cr2", ".cr3", ".nef"),
    *(".arw", ".dng", ".npy", ".npz", ".mat", ".mp4", ".mov", ".avi", ".webm", ".tar", ".zip"),
)
TABLES = (*tables.SUFFIXES, ".xml", ".parquet", ".xlsx", ".arrow")


def others(files: FileCollection, found: Scan, read: set[str]) -> list[str]:
    """Files that are neither pictures nor tables that were read."""
    known = {*found.names, *found.broken, *read}
    return [entry.name for entry in files.entries if entry.name not in known]


def notes(others: list[str], found: Scan, used: Scan, size: tuple[int, int]) -> list[str]:
    """What was left out, and what becomes of the sizes."""
    out = []
    if others:
        out.append(f"files that are no pictures: {len(others):,}")
    if found.broken:
        out.append(f"broken pictures left out: {len(found.broken):,}")
    sizes = set(used.sizes)
    if sizes != {size}:
        what = "of different sizes" if len(sizes) > 1 else "{}x{}".format(*next(iter(sizes)))
        out.append(f"the pictures are {what}; they are {becomes(sizes, size)} (height x width)")
    return out


def becomes(sizes: set[tuple[int, int]], size: tuple[int, int]) -> str:
    """What happens to pictures of these sizes: "cut and scaled to 32x32"."""
    seen = {own: middle(*own, size)[2:] for own in sizes}
    done = ["cut"] if any(part != own for own, part in seen.items()) else []
    done += ["scaled"] if any(part != size for part in seen.values()) else []
    return f"{' and '.join(done)} to {size[0]}x{size[1]}"


def warnings(others: list[str], used: Scan, size: tuple[int, int]) -> list[str]:
    """Files that look as if they should have been read, and pictures that do not suit the size."""
    out = []
    kinds = Counter(map(suffix, others))
    pictures = [f"{n:,} {kind}" for kind, n in kinds.items() if kind in PICTURES]
    called = [name for name in others if _like_labels(name)]
    more = [f"{len(called) - NAMED:,} more"] if len(called) > NAMED else []
    if pictures:
        out.append(f"passed over: {', '.join(pictures)}  ->  convert them to PNG or JPEG if they are to be read")
    if called:
        names = ", ".join([*map(shown, called[:NAMED]), *more])
        out.append(f"passed over: {names}  ->  call a table labels.csv if it is to be read")
    if used.sizes and all(width == 2 * height for height, width in used.sizes):
        out.append("all pictures are twice as wide as high  ->  pairs side by side? gan train --layout side-by-side")
    cut = {own: middle(*own, size) for own in set(used.sizes)}  # what is seen, before it is scaled
    total = len(used.sizes)
    small = sum(ENLARGED * cut[own][2] < size[0] for own in used.sizes)
    long = sum(_long(own, cut[own]) for own in used.sizes)
    if small:
        out.append(
            f"{small:,} of {total:,} pictures are much smaller than {size[0]}x{size[1]} and are enlarged"
            f" over {ENLARGED:g} times"
        )
    if long:
        out.append(f"{long:,} of {total:,} pictures are over three times as long as wide: only their middle is seen")
    return out


def class_sizes(data: Dataset) -> dict[str, int]:
    """The number of images of each class, by its name; empty without classes."""
    labels, names = data.strata, tuple(getattr(data, "classes", ()))
    if labels is None or len(names) < 2:
        return {}
    return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))


def classes(data: Dataset) -> str:
    """The sizes of the classes in a line: `classes cats 500, dogs 20`; empty without classes."""
    sizes = class_sizes(data)
    if len(sizes) > LISTED:
        return f"{len(sizes):,} classes of {min(sizes.values()):,} to {max(sizes.values()):,} images"
    return f"classes {', '.join(f'{shown(name)} {n:,}' for name, n in sizes.items())}" if sizes else ""


def rare(data: Dataset) -> list[str]:
    """A warning if there are classes with very few images."""
    few = {name: n for name, n in class_sizes(data).items() if n < RARE}
    if not few:
        return []
    named = ", ".join(f"{shown(name)} {n}" for name, n in list(few.items())[:NAMED])
    more = f", {len(few) - NAMED} more" if len(few) > NAMED else ""
    return [f"fewer than {RARE} images in {named}{more}: expect copies and small variations of them"]


def dark(images: np.ndarray) -> list[str]:
    """A warning if some of the images, uint8 [N, C, H, W], are nearly black."""
    brightest = max((int(images[i].max()) for i in _some(images)), default=255)
    cache.release(images)
    if brightest >= DIM * BYTES:
        return []
    way = f"  ->  {WAY}=0,{brightest}" if brightest else ""
    return [f"the images are nearly black: the brightest value is {brightest} of 255{way}"]


def alike(images: np.ndarray | None) -> list[str]:
    """A warning if some of the images, uint8 [N, C, H, W], are all alike; None: the data are no images."""
    if images is None or len(images) < 2:
        return []
    some = _some(images)
    same = all((images[i] == images[0]).all() for i in some)
    cache.release(images)
    what = f"all {len(images):,} images" if len(some) == len(images) else f"all of {len(some):,} images looked at"
    return [f"{what} are alike"] if same else []


def _some(images: np.ndarray) -> list[int]:
    """The numbers of some images, evenly over all of them."""
    return np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(int).tolist()  # type: ignore[no-any-return]


def _like_labels(name: str) -> bool:
    """Whether a file looks like a table of labels, not like the text that often lies beside data."""
    own = name.rpartition("/")[2]
    kind = suffix(own)
    return kind in TABLES and own not in OURS and (kind != ".txt" or "label" in own.lower())


def _long(size: tuple[int, int], cut: tuple[int, int, int, int]) -> bool:
    """Whether it is long, and most of it is cut off: where all pictures are long, so may be what is made of them."""
    return max(size) > LONG * min(size) and LONG * cut[2] * cut[3] < size[0] * size[1]
