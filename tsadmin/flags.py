"""Flags made from the settings of the kinds: a new setting has its flag at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from devices.kinds import KINDS
from devices.kinds.base import Setting

Json = Annotated[bool, typer.Option("--json", help="Print JSON; ask nothing.")]

# As documented for the single-device packages of the product.
_SHORT = {"device_id": "-d", "allow_list": "-a", "block_list": "-b", "max_policy_size": "-m"}


def hyphen_or_underscore(token: str) -> str:
    """Return a flag's name as both spellings share it: --device_id is --device-id."""
    return token.replace("_", "-")


def all_settings() -> dict[str, Setting]:
    """Return the settings of every kind by name, in the order they are asked."""
    return {setting.name: setting for kind in KINDS.values() for setting in kind.settings}


def with_settings(*, defaults: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each setting; what was given arrives as keywords.

    The command's `**settings` get only what stood on the command line. Help shows the defaults
    where `defaults` apply.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]

        def run(**values: Any) -> None:
            names = {parameter.name for parameter in own}
            given = {k: v for k, v in values.items() if k not in names and v is not None}
            command(**{name: values[name] for name in names}, **given)

        flags = [_parameter(setting, defaults=defaults) for setting in all_settings().values()]
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *flags)}
        return run

    return decorate


def _parameter(setting: Setting, *, defaults: bool) -> inspect.Parameter:
    names = [f"--{setting.name}"]
    if setting.name in _SHORT:
        names.append(_SHORT[setting.name])
    text = _help(setting, defaults=defaults)
    option = typer.Option(None, *names, metavar="TEXT", help=text, show_default=False)
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None
    )


def _help(setting: Setting, *, defaults: bool) -> str:
    text = f"{setting.question}."
    if defaults and setting.is_required:
        return f"{text} [required]"
    if defaults and setting.default:
        return f"{text} [default: {setting.default}]"
    return text
