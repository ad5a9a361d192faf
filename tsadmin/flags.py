"""Flags made from the settings of the kinds, or from columns: one line each, one flag each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from devices.kinds import KINDS
from devices.kinds.base import Setting

Json = Annotated[bool, typer.Option("--json", help="Print JSON; ask nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AcceptChange = Annotated[
    bool,
    typer.Option(
        "--accept-change", help="Take a change beyond the shrink and growth limits, once."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting as text; NAME:=VALUE as JSON; NAME=@FILE from a file. May be repeated.",
    ),
]

# As documented for the single-device packages of the product.
_SHORT = {"device_id": "-d", "allow_list": "-a", "block_list": "-b", "max_policy_size": "-m"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a row that has a flag of its own."""

    name: str
    flag: str
    metavar: str
    help: str


def hyphen_or_underscore(token: str) -> str:
    """Return a flag's name as both spellings share it: --device_id is --device-id."""
    return token.replace("_", "-")


def all_settings() -> dict[str, Setting]:
    """Return the settings of every kind by name, in the order they are asked.

    Where two kinds have the same setting, the first kind's question stands for both.
    """
    found: dict[str, Setting] = {}
    for kind in KINDS.values():
        for setting in kind.settings:
            found.setdefault(setting.name, setting)
    return found


def with_settings(*, defaults: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each setting; help shows the defaults where `defaults` apply."""
    return _with([_parameter(setting, defaults=defaults) for setting in all_settings().values()])


def with_columns(columns: Iterable[Column]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each column."""
    return _with(
        [
            _flag(column.name, [column.flag], metavar=column.metavar, text=column.help)
            for column in columns
        ]
    )


def _with(
    flags: Sequence[inspect.Parameter],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these flags; its `**keywords` get only what stood on the command line."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]

        def run(**values: Any) -> None:
            names = [parameter.name for parameter in own]  # in order: messages name flags so
            given = {k: v for k, v in values.items() if k not in names and v is not None}
            command(**{name: values[name] for name in names}, **given)

        run.__doc__, run.__name__ = command.__doc__, command.__name__
        run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *flags)}
        return run

    return decorate


def _parameter(setting: Setting, *, defaults: bool) -> inspect.Parameter:
    names = [f"--{setting.name}"]
    if setting.name in _SHORT:
        names.append(_SHORT[setting.name])
    return _flag(setting.name, names, metavar="TEXT", text=_help(setting, defaults=defaults))


def _flag(name: str, flags: Sequence[str], *, metavar: str, text: str) -> inspect.Parameter:
    option = typer.Option(None, *flags, metavar=metavar, help=text, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None
    )


def _help(setting: Setting, *, defaults: bool) -> str:
    """Return the question, and in brackets which kinds have it, need it and what it defaults to."""
    having = _kinds(lambda one: one.name == setting.name)
    needing = _kinds(lambda one: one.name == setting.name and one.is_required)
    notes = [] if len(having) == len(KINDS) else [f"{', '.join(having)} only"]
    if defaults and needing == having:
        notes.append("required")
    elif defaults and needing:
        notes.append(f"required for {', '.join(needing)}")
    elif defaults and setting.default:
        notes.append(f"default: {setting.default}")
    return f"{setting.question}. [{'; '.join(notes)}]" if notes else f"{setting.question}."


def _kinds(has: Callable[[Setting], bool]) -> list[str]:
    return [kind.name for kind in KINDS.values() if any(map(has, kind.settings))]
