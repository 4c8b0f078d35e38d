"""The verbs of the command line: one module of this room each, imported when its verb is asked for."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import typer
from typer.core import TyperCommand

from gancli.cli.naming import with_run_option

EXAMPLES = {
    "epochs": 20,
    "n": 64,
    "steps": 50,
    "json": 1,
    "port": 8642,
}  # options, of which the first that a verb has is shown


class Verb(TyperCommand):
    """A verb, whose help leaves out the line below each option that names its environment variable."""

    def get_params(self, ctx: Any) -> list[Any]:
        return brief(super().get_params(ctx))


class Verbs(Mapping[str, TyperCommand]):
    """The verbs by name, in the order of the help."""

    def __getitem__(self, name: str) -> TyperCommand:
        command = _command(name)
        one = typer.Typer(add_completion=False)
        one.command(name, cls=Verb, epilog=_variables(name, command))(with_run_option(command))
        made = typer.main.get_command(one)
        assert isinstance(made, TyperCommand)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @cached_property
    def _names(self) -> list[str]:
        modules = {name: importlib.import_module(f"{__package__}.{name}") for name in _modules()}
        return sorted(
            (n for n, module in modules.items() if hasattr(module, "command")), key=lambda n: modules[n].PLACE
        )


def summaries() -> dict[str, TyperCommand]:
    """The verbs as a list of them shows them: without options, which take longer to make than the list to print."""
    return {name: TyperCommand(name, help=inspect.getdoc(_command(name))) for name in Verbs()}


def brief(params: list[Any]) -> list[Any]:
    """Leave out the line below each option that names its environment variable."""
    for param in params:
        param.show_envvar = False
    return params


def _command(name: str) -> Callable[..., None]:
    """The function of a verb.

    Raises:
        KeyError: there is no such verb.
    """
    command: Callable[..., None] | None = None
    if name in _modules():
        command = getattr(importlib.import_module(f"{__package__}.{name}"), "command", None)
    if command is None:
        raise KeyError(name)
    return command


def _modules() -> list[str]:
    """The names of the modules of this room, sorted."""
    return [module.name for module in pkgutil.iter_modules(sys.modules[__package__].__path__)]


def _variables(verb: str, command: Callable[..., None]) -> str:
    options = inspect.signature(command).parameters
    name, value = next((name, value) for name, value in EXAMPLES.items() if name in options)
    return f"Each option is also an environment variable: GAN_{verb.upper()}_{name.upper()}={value}."
