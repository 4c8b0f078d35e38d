"""Registry of parts by kind and name.

A part is a small frozen pydantic class: its fields are options, its methods the behavior. A class that sets `name` is
registered under its `kind` when it is defined. `find` imports all modules in the folder of the kind and all installed
packages with an entry point in the group `gancli.parts`; `load_plugin` imports one file. A new part is therefore one new
file, without changes elsewhere. This module does not import torch.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_serializer,
)

from gancli.core import plugins
from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDERS = {
    "spec": "core",
    "data": "data",
    "model": "models",
    "translator": "models",
    "critic": "models",
    "condition": "conditions",
    "loss": "losses",
    "penalty": "penalties",
    "augment": "augment",
    "degradation": "degradations",
    "task": "tasks",
    "optimizer": "optimizers",
    "features": "evaluation.features",
    "metric": "evaluation.metrics",
    "baseline": "evaluation.baselines",
    "export": "export.formats",
    "logger": "loggers",
    "arm": "augmentation.arms",
    "classifier": "augmentation.classifiers",
}

ENTRY_POINTS = ("gancli.parts", "gancli.loggers")  # the group of installed packages that define parts
SCHEMA_KEY = "x-part"  # holds the kind of part in the schema of a field; `core/schema.py` replaces it by a reference

_parts: dict[str, dict[str, type[Part]]] = {kind: {} for kind in FOLDERS}
_scanned: set[str] = set()


class Frozen(BaseModel):
    """An immutable pydantic model that rejects unknown fields."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some fields changed.

        Args:
            changes: new values by field.

        Raises:
            pydantic.ValidationError: a value is invalid.
        """
        return type(self).model_validate({**{k: getattr(self, k) for k in type(self).model_fields}, **changes})


class Part(Frozen):
    """Base of all parts.

    Attributes:
        kind: set by the contract (such as `Loss`).
        name: set by each concrete part, which registers it.
    """

    kind: ClassVar[str]
    name: ClassVar[str]

    @classmethod
    def schema_notes(cls) -> dict[str, Any]:
        """What its JSON Schema says besides its options, under keys that begin with `x-`."""
        return {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            return
        there = _parts[cls.kind].get(cls.name)
        if there is not None and there.__module__ != cls.__module__:
            raise UsageError(
                f"two parts have the name {cls.kind} {cls.name!r}: {there.__module__} and {cls.__module__}"
            )
        _parts[cls.kind][cls.name] = cls

    @model_serializer(mode="wrap")
    def _with_name(self, inner: Any) -> dict[str, Any]:
        return {"name": self.name, **inner(self)}


def kinds() -> tuple[str, ...]:
    """The kinds of parts."""
    return tuple(FOLDERS)


def extended() -> bool:
    """Whether there are parts from outside of gancli: of plug-ins, or of installed packages."""
    ours = all(cls.__module__.startswith("gancli.") for found in _parts.values() for cls in found.values())
    return not ours or bool(_entry_points())


def _scan(kind: str) -> None:
    folder = FOLDERS[kind]
    if folder in _scanned:
        return
    _scanned.add(folder)
    package = importlib.import_module(f"gancli.{folder}")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"gancli.{folder}.{module.name}")
    if "entry points" not in _scanned:
        _scanned.add("entry points")
        for point in _entry_points():
            point.load()


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    """Of installed packages."""
    return [point for group in ENTRY_POINTS for point in importlib.metadata.entry_points(group=group)]


def load_plugin(file: Path) -> None:
    """Import a Python file, which registers the parts that it defines.

    Args:
        file: the file. Its code is executed.

    Raises:
        UsageError: the file does not exist or cannot be imported, or a class in it is no part.
    """
    if not file.is_file():
        raise UsageError(f"no plugin file {file}")
    module_name = f"{plugins.PREFIX}{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin {file} is not a Python file", "give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise UsageError(f"plugin {file} cannot be imported: {type(error).__name__}: {said[:300]}") from error
    plugins.register(module, file)


def parts(kind: str) -> dict[str, type[Part]]:
    """All parts of a kind.

    Args:
        kind: such as "loss".

    Returns:
        Classes by name, sorted.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in FOLDERS:
        raise UsageError(f"no kind of part {kind!r}", nearest(kind, FOLDERS))
    _scan(kind)
    return dict(sorted(_parts[kind].items()))


def find(kind: str, name: str) -> type[Part]:
    """Find the class of a part.

    Args:
        kind: such as "loss".
        name: of the part.

    Returns:
        The class.

    Raises:
        UsageError: there is no part of this name; suggests the nearest names.
    """
    known = parts(kind)
    if name not in known:
        others = [other for other, there in _parts.items() if name in there]
        if others:
            raise UsageError(f"no {kind} {name!r}", f"{name!r} is a {others[0]}")
        raise UsageError(f"no {kind} {name!r}", nearest(name, known) or f"there are: {', '.join(known)}")
    return known[name]


def nearest(word: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelled name.

    Args:
        word: the misspelled name.
        known: the valid names.

    Returns:
        "did you mean ...?" with up to three similar names, or "".
    """
    close = difflib.get_close_matches(str(word)[:100], [str(k) for k in known], n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else ""


def build(kind: str, value: Any) -> Part:
    """Build a part from its configuration.

    Args:
        kind: such as "loss".
        value: a name, a table with `name` and options, or a part, which is returned as it is.

    Returns:
        The part.

    Raises:
        UsageError: a name or option is unknown or invalid; names it.
    """
    if isinstance(value, Part):
        if value.kind != kind:
            raise UsageError(f"{value.name!r} is a {value.kind}, not a {kind}")
        return value
    options = as_table(kind, value)
    cls = find(kind, options.pop("name"))
    return validated(cls, options, f"{kind} {cls.name}")


def as_table(kind: str, value: Any) -> dict[str, Any]:
    """A part's configuration, a name or a table, as a table with a name. Raises UsageError if it is neither."""
    options = {"name": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
    if not isinstance(options.get("name"), str):
        raise UsageError(f"the {kind} is a name or a table with a name, not {value!r}")
    return options


F = TypeVar("F", bound=Frozen)


def validated(cls: type[F], options: dict[str, Any], where: str) -> F:
    """Construct `cls(**options)`, with pydantic's errors as `UsageError`.

    Args:
        cls: the class.
        options: values of its fields.
        where: prefix of error messages.

    Returns:
        The instance.

    Raises:
        UsageError: the first validation error, in one line; for an unknown option it suggests the nearest ones.
    """
    if _exceeds_int64(options):
        raise UsageError(f"{where}: an integer exceeds 64 bits")
    try:
        return cls.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(p) for p in first["loc"])
        if first["type"] == "extra_forbidden":
            inner, within = cls, list(first["loc"][:-1])
            for key in within:
                inner = inner.model_fields[str(key)].annotation  # type: ignore[assignment]
            known = [".".join([*map(str, within), name]) for name in inner.model_fields]
            hint = nearest(path, known) or f"there are: {', '.join(known)}"
            raise UsageError(f"{where} has no option {path!r}", hint) from None
        if not path:  # an error of a combination of options
            raise UsageError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
        raise UsageError(f"{where}: {path}: {first['msg'].lower()} (got {first['input']!r})") from None


def _exceeds_int64(value: Any) -> bool:
    """Whether a nested value contains an integer outside the range of int64, which torch cannot represent."""
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(map(_exceeds_int64, inner))


def of_kind(kind: str) -> Any:
    """The pydantic annotations of a field that holds a part: `loss: Annotated[Loss, *of_kind("loss")]`.

    Args:
        kind: of the part.

    Returns:
        A tuple of annotations, for validation from a name or table, serialization and JSON schema.
    """
    return (
        BeforeValidator(lambda value: build(kind, value)),
        PlainSerializer(lambda part: part.model_dump(mode="json")),
        WithJsonSchema({SCHEMA_KEY: kind}),
    )
