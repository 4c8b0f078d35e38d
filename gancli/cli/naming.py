"""How commands name a run: RUN as the first argument, or `--run RUN`; without either the newest."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import ArgumentInfo

from gancli.core.errors import UsageError

OPTION = "run_option"  # the parameter of --run
RunOption = Annotated[str | None, typer.Option("--run", metavar="RUN", help="The same as RUN.")]


def is_argument(parameter: inspect.Parameter) -> bool:
    """Whether it is a positional argument."""
    return any(isinstance(info, ArgumentInfo) for info in getattr(parameter.annotation, "__metadata__", ()))


def with_run_option(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command that takes RUN as an argument take it as `--run RUN`, too; other commands are returned as they are."""
    signature = inspect.signature(command, eval_str=True)
    run = signature.parameters.get("run")
    if run is None or not is_argument(run):
        return command
    parameters = list(signature.parameters.values())
    files = [p.name for p in parameters if p is not run and is_argument(p)]  # that follow RUN
    named = inspect.Parameter(OPTION, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=RunOption)

    @functools.wraps(command)
    def either(**given: Any) -> None:
        option, word = given.pop(OPTION), given["run"]
        if option is not None and word is not None:
            if files:
                given[files[0]] = [word, *(given[files[0]] or [])]
            elif option != word:
                raise UsageError(f"RUN {word} and --run {option} are two runs", "name one of them")
        command(**{**given, "run": word if option is None else option})

    either.__signature__ = signature.replace(parameters=[*parameters, named])  # type: ignore[attr-defined]
    either.__annotations__ = {p.name: p.annotation for p in (*parameters, named)}
    return either


def run_and_files(run: str | None, files: Sequence[str] | None, what: str) -> tuple[str | None, list[str]]:
    """RUN and files of a command line where RUN may be left out: a first word that is data is not the run.

    Args:
        run: the first word.
        files: the others.
        what: a file, in words.

    Raises:
        UsageError: no file is named.
    """
    found = list(files or [])
    first = run if run is not None and _is_data(Path(run), alone=not found) else None
    if first is not None:
        run, found = None, [first, *found]
    if not found:
        raise UsageError(f"no {what} is named", f"name {what}s behind the run: {run or 'RUN'} a.png b.png")
    return run, found


def _is_data(word: Path, alone: bool) -> bool:
    """Whether a word is data: standard input or a file; `alone`: or the name of one, or a folder that is no run."""
    if str(word) == "-" or word.is_file():
        return True
    if not alone:
        return False
    ours = any((word / file).is_file() for file in ("config.json", "model.safetensors"))
    return not ours if word.is_dir() else bool(word.suffix)
