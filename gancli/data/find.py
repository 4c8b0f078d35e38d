"""From what a user names to data: which source reads it, the default where nothing is named, and reading in the size asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gancli.core import registry
from gancli.core.data import D, Reading, Source, Split
from gancli.core.errors import DataError, UsageError
from gancli.data import decode, holdout, remarks
from gancli.data.mnist import MNIST

DEFAULT_TIME = 4.0  # seconds in which MNIST must come, where no data is named
PLACES = "a folder of pictures, a .zip or .tar of them, a .parquet, or a .npz of arrays"
_REFUSED = {  # suffixes -> what it is, and what to do
    (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz"): (
        "a compressed tar archive, which is never unpacked", "mkdir FOLDER; tar xf FILE -C FOLDER; then name the folder"
    ),
    (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst"): ("an archive that is not read", "unpack it, and name the folder"),
    (".pt", ".pth", ".pkl", ".pickle", ".ckpt"): (
        "pickled, and a pickle can run any program as it is read", f"name {PLACES}"
    ),
    (".arrow", ".tfrecord", ".lmdb", ".mdb", ".h5", ".hdf5", ".mat", ".db"): (
        "a table or database of another program", "write its images to a folder, or to a .npz with numpy.savez"
    ),
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"): ("a video", "mkdir FOLDER; ffmpeg -i FILE FOLDER/%06d.png"),
}  # fmt: skip


def source_for(text: str, options: Collection[str] = ()) -> dict[str, Any]:
    """Which source a user means.

    Args:
        text: a name, or the path of a folder, a .zip or a .npz.
        options: those of the source that are set: of several sources that can read a path, one that has them is meant.

    Returns:
        The source's table, to be built by `registry.build("data", ...)`.

    Raises:
        UsageError: there is no such name; with the nearest ones.
        DataError: the path is not there or cannot be read.
    """
    sources = cast("dict[str, type[Source]]", registry.parts("data"))
    if text in sources:
        return {"name": text}
    try:
        path = Path(text).expanduser()
        there = path.exists()
    except (OSError, RuntimeError) as error:  # a name too long, a home that nobody has
        raise DataError(f"{text[:200]} cannot be read: {error}", "name data, a folder, a .zip or a .npz") from None
    if "://" in text:
        raise DataError(
            f"{text[:200]} is an address, and nothing is downloaded from it", f"download it, and name {PLACES}"
        )
    _refuse(path)
    if there:
        return _claimed(path.absolute(), sources, options)
    if "/" in text or text.startswith((".", "~")) or path.suffix.lower() in (".zip", ".npz", ".tar", ".parquet"):
        raise DataError(f"there is no {path}", _above(path))
    named = [name for name, source in sources.items() if "path" not in source.model_fields]
    hint = registry.nearest(text, named) or f"there are: {', '.join(named)}; or name a folder, a .zip or a .npz"
    raise UsageError(f"no data {text!r}", hint)


def elsewhere(source: Source, data: str | None, command: str) -> Source:
    """A run's source, where the data has moved.

    Args:
        source: as the run has it.
        data: where it is now, or another form of the same data; None: where it was.
        command: which `--data` is an option of, for the message.

    Raises:
        DataError: it is not where it was.
    """
    path = getattr(source, "path", None)
    if data is None:
        if path is not None and not Path(path).exists():
            raise DataError(
                f"the data of this run is not at {path} any more", f"{command} --data PATH names its place now"
            )
        return source
    own = source.model_dump(mode="json")
    table = source_for(data, own.keys() - {"name", "path"} if "layout" in own else ())
    if "path" in table:
        table["path"] = absolute(table["path"])
    cls = registry.find("data", table["name"])
    found = registry.build("data", {**{k: v for k, v in own.items() if k in cls.model_fields}, **table})
    assert isinstance(found, Source)
    return found


def absolute(path: str) -> str:
    """The path as it is found from anywhere.

    Raises:
        DataError: there can be none of that name.
    """
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path[:200]!r} is no path: {error}", "name a folder, a .zip or a .npz") from None


def _refuse(path: Path) -> None:
    """Raises DataError for a file of a form that is not read, with what makes one of it that is."""
    for suffixes, (why, remedy) in _REFUSED.items():
        if path.name.lower().endswith(suffixes) and not path.is_dir():
            raise DataError(f"{path} is {why}", remedy)
    if path.suffix.lower() in decode.SUFFIXES and path.is_file():
        raise DataError(f"{path} is one picture", f"name {PLACES}")


def _claimed(path: Path, sources: dict[str, type[Source]], options: Collection[str]) -> dict[str, Any]:
    claims = {name: int(source.claims(path)) for name, source in sources.items()}
    claims = {name: claim for name, claim in claims.items() if claim}
    fit = {name: claim for name, claim in claims.items() if options and {*options} <= {*sources[name].model_fields}}
    if found := fit or {name: claim for name, claim in claims.items() if claim > 0}:
        return {"name": max(found, key=lambda name: found[name]), "path": str(path)}
    raise DataError(f"no source reads {path}", f"name {PLACES}")


def _above(path: Path) -> str:
    there = next(parent for parent in path.absolute().parents if parent.is_dir())
    names = sorted(child.name for child in there.iterdir()) if there == path.absolute().parent else []
    return registry.nearest(path.name, names) or f"the folder {there} is there"


def default(how: Reading) -> tuple[dict[str, Any], str]:
    """The source where none is named: MNIST if it is there or comes within 4 s, else the digits of scikit-learn.

    Returns:
        The source's table, and why it was chosen.
    """
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


def read(source: Source, how: Reading) -> Split[Any]:
    """The source's data, in the size and with the channels asked for, with a validation set.

    Args:
        source: where they come from.
        how: what is asked for.

    Raises:
        DataError: the data is missing or broken, or there is nothing to train on.
        UsageError: the data has no size or no channels to choose.
    """
    unsuited(source, how)
    return finished(source, source.read(how), how)


def unsuited(source: Source, how: Reading) -> None:
    """Raises UsageError if an option is set that the source does not implement: it would change nothing."""
    given = {"range": how.range, "labels": how.labels, "unlabeled": how.unlabeled, "frames": how.frames != "first"}
    for name, value in given.items():
        if value and name not in source.options:
            raise UsageError(f"data.{name} does not apply to {source.name}", "it is for folders and files of images")


def finished(source: Source, split: Split[D], how: Reading) -> Split[D]:
    """What `read` does after the source has been read."""
    if not len(split.train):
        raise DataError(f"{source.name} has nothing to train on", "name data that holds at least one image")
    split = holdout.with_validation(split, how)
    for doubt in remarks.alike(getattr(split.train, "images", None)):
        how.warn(doubt)
    parts = (split.train, split.test.for_evaluation(), split.validation.for_evaluation())
    return Split(*(part.resized(how.size, how.channels, how) for part in parts))
