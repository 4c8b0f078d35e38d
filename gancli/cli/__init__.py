"""The command line. One file per verb; each has a function `command` and its place in the help.

This is the only room that imports typer, and importing it imports neither torch nor the rest of gancli.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gancli.cli.streams import guarded, hush
from gancli.cli.verbs import Verbs, brief, summaries
from gancli.core.errors import GanError, StoppedError
from gancli.core.host import says_out_of_memory
from gancli.core.printable import printable

KNOWN_TO_ALL = (2, 6)  # usage, divergence
INTERRUPTED = 130


class _Root(TyperGroup):
    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "commands": Verbs()})

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of all verbs: a line each."""
        self.commands = dict(summaries())
        super().format_help(ctx, formatter)

    def get_params(self, ctx: Any) -> list[Any]:
        """The root command's options cannot be set by environment variables: GAN_VERSION may belong to another program."""
        params = brief(super().get_params(ctx))
        for param in params:
            param.allow_from_autoenv = False
        return params


app = typer.Typer(
    name="gan",
    cls=_Root,
    help="Train, resume, sample and evaluate generative adversarial networks (GANs).",
    epilog="GAN_RUNS_DIR and GAN_DATA_DIR set the folders of runs and data sets for every verb.",
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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train, resume, sample and evaluate generative adversarial networks (GANs)."""


def main() -> None:
    """Run the command line. Every error that is not a bug ends with one line and an exit code."""
    with guarded() as caught:
        try:
            code = _run()
        except (KeyboardInterrupt, typer.Abort):
            text = "interrupted; saved checkpoints are intact"
            code = _refuse(text, 128 + caught.number if caught.number else INTERRUPTED, "stopped")
    sys.exit(code)


def _run() -> int:
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer's way of telling
            raise KeyboardInterrupt
    except typer.TyperException as error:
        text = " ".join(error.format_message().split())
        return _refuse(text, error.exit_code) if text else error.exit_code  # without a verb the help was printed
    except GanError as error:
        stopped = isinstance(error, StoppedError)
        return _refuse(str(error), getattr(error, "exit_code", error.code), "stopped" if stopped else "error")
    except BrokenPipeError:
        hush()
        return 0
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{what}{error.strerror or error}  ->  check disk space and permissions with gan doctor", 5)
    except Exception as error:  # noqa: BLE001
        return _bug(error)
    return code if isinstance(code, int) else 0


def _bug(error: Exception) -> int:
    """Torch raises RuntimeError when memory runs out or versions do not match; anything else is a bug."""
    text = str(error)
    if says_out_of_memory(error):
        return _refuse(
            "out of memory  ->  fewer samples; gan train with a smaller --batch-size, or --set runtime.micro_batch=16",
            5,
        )
    if "operator torchvision::" in text or (isinstance(error, ImportError) and "torchvision" in text):
        return _refuse("torch and torchvision do not fit together  ->  pip install --upgrade torch torchvision", 5)
    notes = getattr(error, "__notes__", [])
    if notes:
        return _refuse(
            f"this is a bug in gan: {type(error).__name__}: {' '.join(text.split())[:300]}  ->  {notes[-1]}", 1
        )
    sys.stderr.write(printable("".join(traceback.format_exception(error)), breaks=True, most=20_000))
    return 1


def _refuse(text: str, code: int, what: str = "error") -> int:
    """Print an error. Of several ranks only the first prints those that all of them have."""
    from gancli.distributed.ranks import rank

    text = printable(text)
    if rank() == 0:
        typer.echo(_wrapped(f"{what}: {text}"), err=True)
    elif what == "error" and code not in KNOWN_TO_ALL:
        typer.echo(f"rank {rank()}: {what}: {text}", err=True)
    return code


def _wrapped(text: str) -> str:
    """Wrapped at words on a terminal; elsewhere one line."""
    if not sys.stderr.isatty():
        return text
    return textwrap.fill(text, shutil.get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)
