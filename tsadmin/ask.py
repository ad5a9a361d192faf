"""Questions at the terminal: ENTER accepts, a bad answer is explained and asked again."""

from __future__ import annotations

import getpass
import importlib
import sys
from collections.abc import Iterable, Mapping

import typer

from devices.kinds.base import Setting, SettingRefused
from tsadmin.errors import Misused, Refused, one_line
from tsadmin.words import SET, as_text, empty_word

_YES, _NO = frozenset({"y", "yes"}), frozenset({"n", "no"})


def may_ask(*, no_input: bool, as_json: bool) -> bool:
    """Tell whether somebody is there to answer."""
    return not no_input and not as_json and sys.stdin.isatty()


def ask_settings(
    settings: Iterable[Setting], *, current: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Ask each setting and return the values of those not accepted with ENTER.

    Offered is the value in `current`; without it, as for a new device, the setting's default.
    """
    answers: dict[str, object] = {}
    for setting in settings:
        offered = setting.default if current is None else as_text(setting, current[setting.name])
        answer = ask_setting(setting, offered=offered)
        if answer is not None:
            answers[setting.name] = answer
    return answers


def ask_setting(setting: Setting, *, offered: str) -> object | None:
    """Ask until the answer is accepted; return its value, None when ENTER took what is offered."""
    question = f"{setting.question} : {_offer(setting, offered)}"
    while True:
        try:
            text = _read(question, is_secret=setting.is_secret)
            if not text and (offered or not setting.is_required):
                return None
            if text.lower() in {"none", empty_word(setting)}:
                text = ""
            return setting.clean(text)
        except SettingRefused as error:
            explain_answer(f"use {error.accepted}")
        except UnicodeDecodeError:
            explain_answer("that was not UTF-8 text")


def confirm(question: str) -> bool:
    """Ask a question whose careful answer is no."""
    while True:
        text = _read(f"{question} (y or n) [default n] ", is_secret=False).lower()
        if not text or text in _NO:
            return False
        if text in _YES:
            return True
        explain_answer("answer y or n")


def confirm_removal(name: str, *, consequence: str, asking: bool) -> None:
    """Ask before `name` is removed; raise Misused where nobody is there, Refused after a no."""
    if not asking:
        raise Misused(f"nobody is there to confirm: add --yes to remove {name}")
    if not confirm(f"Remove {name}? {consequence}"):
        raise Refused(f"{name} was not removed")


def explain_answer(reason: str) -> None:
    """Say why an answer was not accepted."""
    typer.echo(f"  Not accepted: {one_line(reason)}.")


def _offer(setting: Setting, offered: str) -> str:
    if setting.is_secret:
        return f"[default {SET if offered else empty_word(setting)}] "
    if not offered and setting.is_required:
        return ""
    return f"[default {one_line(offered) or empty_word(setting)}] "


def _read(question: str, *, is_secret: bool) -> str:
    if is_secret:
        return getpass.getpass(question).strip()
    importlib.import_module("readline")  # gives input() line editing
    return input(question).strip()
