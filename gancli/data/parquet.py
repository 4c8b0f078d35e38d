"""`parquet`: pictures whose bytes are in the rows of Parquet files, one or a folder of them, as model hubs keep data sets.

The column of pictures is the first of structs with `bytes`, or of bytes; other columns of numbers and words are read as a table of
labels is. Class names are those of the file's metadata. Files are parts of the split if they are called so (train-00000-of-00002.parquet).
Needs pyarrow (`pip install 'gancli[parquet]'`). The pictures are held in memory, as compressed as they are.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
from pathlib import Path
from typing import IO, Any, ClassVar

from gancli.core.descriptors import open_named
from gancli.core.errors import DataError, reason_of
from gancli.data.collection import LARGEST, Entry, FileCollection, hidden, named_as_image, shown
from gancli.data.decode import BrokenImageError
from gancli.data.layout import part_of
from gancli.data.listed import Facts, ListedCollection, plain
from gancli.data.pictures import Pictures

LARGEST_TOTAL = 16 * 2**30  # bytes of pictures in memory
RATIO, RATIO_FROM = 100, 2**30  # as of zip archives
MOST_ROWS = 20_000_000
BATCH = 16  # rows decoded at a time
MAGIC = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


class Parquet(Pictures):
    name = "parquet"
    options: ClassVar[tuple[str, ...]] = Pictures.options

    @classmethod
    def claims(cls, path: Path) -> int:
        if path.is_file():
            return int(path.suffix.lower() == ".parquet")
        return 3 if tables(path) else 0

    def files(self) -> FileCollection:
        return ParquetCollection(Path(self.path))


def tables(folder: Path) -> list[Path]:
    """The Parquet files of a folder, or of its folder `data`, that holds no pictures beside them; none otherwise."""
    if not folder.is_dir():
        return []
    there = [p for p in folder.iterdir() if not hidden(p.name)]
    found = sorted(p for p in there if p.suffix.lower() == ".parquet" and p.is_file())
    if found:
        return [] if any(named_as_image(p.name) for p in there) else found
    return tables(folder / "data") if folder.name != "data" else []


class ParquetCollection(ListedCollection):
    """The pictures of Parquet files. Raises DataError if a file is none, or has no pictures."""

    def __init__(self, path: Path) -> None:
        self.where, self.notes, self.warnings = str(path), [], []
        if importlib.util.find_spec("pyarrow") is None:
            raise DataError(f"{path} needs pyarrow", "pip install 'gancli[parquet]'")
        self.pictures: dict[str, bytes] = {}
        self._total = 0
        facts: dict[str, Facts] = {}
        for file in tables(path) if path.is_dir() else [path]:
            facts |= self._read(file)
        stamp = max((file.stat().st_mtime_ns for file in (tables(path) if path.is_dir() else [path])), default=0)
        self.listed([Entry(name, len(content), stamp) for name, content in self.pictures.items()], facts)

    def _read(self, file: Path) -> dict[str, Facts]:
        """The pictures of a file, and what its other columns say of each."""
        pyarrow: Any = importlib.import_module("pyarrow")
        reader: Any = importlib.import_module("pyarrow.parquet")
        facts: dict[str, Facts] = {}
        try:
            with open_named(file) as opened, reader.ParquetFile(opened) as table:
                schema = table.schema_arrow
                column, leaf = _picture_column(schema, file)
                self._check(table.metadata, file)
                others, classes = _other_columns(schema, column), _classes(schema.metadata or {})
                folder = {None: "", 0: "train/", 1: "val/", 2: "test/"}[part_of(file.stem.partition("-")[0])]
                number = 0
                for batch in table.iter_batches(BATCH, columns=[leaf, *others]):
                    for row in batch.to_pylist():
                        content = row[column]["bytes"] if leaf != column else row[column]
                        name = self._add(content, f"{folder}{file.stem}.{number:08d}")
                        facts[name] = _facts(row, others, classes)
                        number += 1
        except (pyarrow.ArrowException, ValueError, TypeError, KeyError) as error:
            text = " ".join(str(error).split())[:200]
            raise DataError(f"{file} cannot be read as Parquet: {text}", "fetch it again") from None
        except OSError as error:  # pyarrow says so of damaged files, too
            raise DataError(
                f"{file} cannot be read: {' '.join(reason_of(error).split())[:200]}", "fetch it again"
            ) from None
        return facts

    def _check(self, metadata: Any, file: Path) -> None:
        total = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        size = file.stat().st_size
        if total > LARGEST_TOTAL or (total > RATIO_FROM and total > RATIO * size):
            raise DataError(f"{file} would unpack to {total / 1e9:.1f} GB from {size / 1e6:.1f} MB", "use a folder")
        if metadata.num_rows > MOST_ROWS:
            raise DataError(f"{file} has {metadata.num_rows:,} rows, more than {MOST_ROWS:,}", "divide it")

    def _add(self, content: Any, stem: str) -> str:
        """Keep a picture; returns its name."""
        content = content if isinstance(content, bytes) else b""
        self._total += len(content)
        if self._total > LARGEST_TOTAL:
            raise DataError(f"{self.where} holds more than {LARGEST_TOTAL / 2**30:.0f} GB of pictures", "use a folder")
        suffix = next((suffix for magic, suffix in MAGIC.items() if content.startswith(magic)), ".png")
        self.pictures[stem + suffix] = content
        return stem + suffix

    def member(self, name: str) -> IO[bytes]:
        if len(self.pictures[name]) > LARGEST:
            raise BrokenImageError(f"the file is larger than {LARGEST // 2**20} MB")
        return io.BytesIO(self.pictures[name])

    def reason(self, error: Exception) -> str:
        raise error


def _picture_column(schema: Any, file: Path) -> tuple[str, str]:
    """The column of pictures, and the path of their bytes in it."""
    types: Any = importlib.import_module("pyarrow.types")
    for field in schema:
        if types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            return field.name, f"{field.name}.bytes"
    for field in schema:
        if types.is_binary(field.type) or types.is_large_binary(field.type):
            return field.name, field.name
    names = ", ".join(shown(name) for name in schema.names[:10])
    raise DataError(f"{file} has no column of pictures (it has {names})", "it needs one of bytes, or {bytes, path}")


def _other_columns(schema: Any, column: str) -> list[str]:
    types: Any = importlib.import_module("pyarrow.types")

    def short(kind: Any) -> bool:
        return bool(
            types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_string(kind)
        )

    return [field.name for field in schema if field.name != column and short(field.type)]


def _classes(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of the classes of columns, as the hub's libraries write them into the metadata."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            str(column): [str(name) for name in what["names"]]
            for column, what in features.items()
            if isinstance(what, dict) and isinstance(what.get("names"), list)
        }
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _facts(row: dict[str, Any], columns: list[str], classes: dict[str, list[str]]) -> Facts:
    out = {}
    for column in columns:
        value, names = row[column], classes.get(column)
        if names is not None and isinstance(value, int):
            value = names[value] if 0 <= value < len(names) else None
        if (text := plain(value)) is not None:
            out[column] = text
    return out
