"""The command line. One small file per verb; each holds a function `command` and its place in the help.

This is the only room that imports typer, and importing it imports neither torch nor the rest of gancli.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from typing import Annotated

import typer

from gancli.errors import GanError, StoppedError

app = typer.Typer(
    name="gan",
    help="Train, resume, sample from and judge generative adversarial networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "GAN", "help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from gancli import __version__

        typer.echo(f"gan {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Train, resume, sample from and judge generative adversarial networks."""


def _verbs() -> None:
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    for module in sorted((m for m in modules if hasattr(m, "command")), key=lambda m: m.PLACE):
        app.command(module.__name__.rpartition(".")[2])(module.command)


_verbs()


def main() -> None:
    """Run the command line: one line and an exit code for every fault that is not a bug."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        code = _refuse(" ".join(error.format_message().split()), error.exit_code)
    except StoppedError as error:
        code = _refuse(str(error), error.exit_code, "stopped")
    except GanError as error:
        code = _refuse(str(error), error.code)
    except (KeyboardInterrupt, typer.Abort):
        code = _refuse("interrupted; what was saved before is whole", 130, "stopped")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except MemoryError:
        code = _refuse("out of memory  ->  try a smaller --batch-size", 5)
    except RuntimeError as error:
        code = _runtime(error)
    sys.exit(code if isinstance(code, int) else 0)


def _runtime(error: RuntimeError) -> int:
    """Torch says "out of memory" and "versions do not match" by RuntimeError; anything else is a bug."""
    text = str(error)
    if "out of memory" in text or "can't allocate memory" in text:
        return _refuse("out of memory  ->  try a smaller --batch-size, or --set machine.micro_batch=16", 5)
    if "operator torchvision::" in text:
        return _refuse("torch and torchvision do not fit together  ->  pip install --upgrade torch torchvision", 5)
    raise error


def _refuse(text: str, code: int, what: str = "error") -> int:
    typer.echo(f"{what}: {text}", err=True)
    return code
