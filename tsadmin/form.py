"""In which form tables are printed: for people, or as CSV. Nothing here imports Django."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any

import typer

from tsadmin.errors import Misused

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]

_is_csv: ContextVar[bool] = ContextVar("csv", default=False)


def is_csv() -> bool:
    """Tell whether tables are to be printed as CSV."""
    return _is_csv.get()


def one_form(*, csv: bool, json: bool) -> None:
    """Raise Misused for a command that is asked for two forms at once."""
    if csv and json:
        raise Misused("--csv and --json are two answers; give one of them")


def or_csv(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that prints one table the flag `--csv`: the table is CSV then."""
    signature = inspect.signature(command, eval_str=True)
    flag = inspect.Parameter("csv", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Csv)
    *before, last = signature.parameters.values()  # `json`, which stays the last one shown

    def run(*, csv: bool, **values: Any) -> None:
        one_form(csv=csv, json=values["json"])
        token = _is_csv.set(csv)
        try:
            command(**values)
        finally:
            _is_csv.reset(token)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*before, flag, last]
    )
    run.__annotations__ = {p.name: p.annotation for p in (*before, flag, last)}
    return run
