"""How commands end: what a user reads when something went wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeGuard, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from msam.errors import Cancelled, MsamError
from msam.exit_codes import ExitCode

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


_tracebacks_wanted = False


def show_tracebacks(wanted: bool) -> None:
    """Whether unexpected errors are shown in full from now on, as `--debug` asks for."""
    global _tracebacks_wanted
    _tracebacks_wanted = wanted


def complain(text: str) -> None:
    """Says on stderr, in one line, what went wrong."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("Error: ", "bold red"), text))


def unexpected(error: Exception) -> str:
    """A sentence for an error that nobody foresaw; one about a file names it, as that is what the user can change."""
    if is_about_a_file(error):
        return f"'{error.filename}' cannot be used: {error.strerror}."
    what = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        what += f": {error.strerror}"
    return f"Something unexpected happened ({what}). For the details, run msam-segment --debug …"


def is_about_a_file(error: Exception) -> TypeGuard[OSError]:
    """Whether the system refused a file or a folder: its permissions, a name that is too long, a disk that is gone."""
    return isinstance(error, OSError) and error.filename is not None and bool(error.strerror)


def reports_errors(command: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Makes a command end with a sentence on stderr and an `ExitCode` instead of a traceback."""

    @functools.wraps(command)
    def reporting(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        try:
            return command(*args, **kwargs)
        except (KeyboardInterrupt, Cancelled, typer.Abort) as interruption:
            typer.echo("Cancelled.", err=True)
            raise typer.Exit(ExitCode.CANCELLED) from interruption
        except (typer.Exit, typer.BadParameter):
            raise
        except MsamError as error:
            complain(str(error))
            raise typer.Exit(ExitCode.WRONG_USE) from error
        except Exception as error:
            if _tracebacks_wanted:
                raise
            complain(unexpected(error))
            raise typer.Exit(ExitCode.WRONG_USE if is_about_a_file(error) else ExitCode.UNEXPECTED) from error

    return reporting
