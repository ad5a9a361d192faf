"""The outermost loop of the command line: whatever happens ends in one line and an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from policies.origin import acting_from
from tsadmin.doors import origin
from tsadmin.errors import CommandError, Misused, Refused, explain, one_line

INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """A group of commands that never shows a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002, FBT001, FBT002  always on, as for any program
        windows_expand_args: bool = True,  # noqa: ARG002, FBT001, FBT002
        **extra: Any,
    ) -> NoReturn:
        """Run the command that `args` name, and exit."""
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        try:
            _check_text(given)
            with acting_from(origin()):
                code = super().main(
                    given, prog_name, complete_var, standalone_mode=False, **extra
                )  # an exit code where one was raised, else None
            sys.stdout.flush()
        except BrokenPipeError:
            _close_stdout()
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except (EOFError, typer.Abort):  # the end of input, as typer passes it on
            stopped = Refused("stopped at a question; nothing was changed")
            sys.exit(_show(stopped, as_json=as_json))
        except typer.TyperException as error:
            sys.exit(_show(_misuse(error), as_json=as_json))
        except Exception as error:  # noqa: BLE001  the outermost loop
            sys.exit(_show(explain(error) or _unexpected(error), as_json=as_json))
        sys.exit(code if isinstance(code, int) else 0)


def _check_text(arguments: list[str]) -> None:
    for argument in arguments:
        if not argument.isascii() and any(0xD800 <= ord(sign) < 0xE000 for sign in argument):
            raise Misused(f"{argument.encode(errors='replace').decode()} is not UTF-8 text")


def _misuse(error: typer.TyperException) -> CommandError:
    """Return what is wrong with the command line, and where its help is."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "tsadmin"
    return Misused(f"{error.format_message().rstrip('.')}. See '{path} --help'")


def _unexpected(error: Exception) -> CommandError:
    from tsadmin.failure import keep

    kept_in = keep(error)
    where = f"details are in {kept_in}" if kept_in else "and its details could not be logged"
    return Refused(f"unexpected failure ({type(error).__name__}); {where}")


def _show(error: CommandError, *, as_json: bool) -> int:
    text = one_line(str(error))
    typer.echo(json.dumps({"error": text}) if as_json else f"Error: {text}", err=True)
    return error.exit_code


def _close_stdout() -> None:
    """Keep the interpreter from complaining, at its end, about a reader that went away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
