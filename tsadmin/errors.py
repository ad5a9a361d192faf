"""What a command answers instead of a result.

CommandError        one line on stderr
├── Refused         exit 1: refused or failed
└── Misused         exit 2: the command line itself is wrong
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

_LONGEST = 2_000
# Whose refusals name the part that is to blame themselves.
_TOLD_IN_PARTS = frozenset({"settings", "sources", "tests"})


class CommandError(Exception):
    """A command that did not do what was asked, told in one line."""

    exit_code = 1


class Refused(CommandError):
    """It was understood, and refused or failed."""


class Misused(CommandError):
    """It was not understood; the message names the flag."""

    exit_code = 2


def one_line(text: str) -> str:
    """Return `text` on one line, without anything a terminal would obey."""
    flat = " ".join(text.split())
    return "".join(map(_visible, flat))[:_LONGEST]


def _visible(character: str) -> str:
    if unicodedata.category(character)[0] != "C":
        return character
    return character.encode("unicode_escape").decode("ascii")


def explain(error: Exception) -> CommandError | None:
    """Return the expected error as one to show, None for one that nobody expected."""
    if isinstance(error, CommandError):
        return error
    for kinds, translate in _expected():
        if isinstance(error, kinds):
            return translate(error)
    return None


_Translation = tuple[tuple[type[Exception], ...], Callable[[Exception], CommandError]]


def _expected() -> tuple[_Translation, ...]:
    # Only now: by the time one of these was raised, their modules are imported anyway.
    from django.core.exceptions import ObjectDoesNotExist
    from django.db import DatabaseError

    from accounts.people import PeopleRefused
    from accounts.second_factor import FactorRefused
    from accounts.services import TokenRefused
    from devices.kinds.base import SettingRefused
    from devices.services import DeviceRefused, GatewayRefused, GroupRefused
    from enforcement.services import TooManyQuestions
    from fleet.cloud.base import RegistrationError
    from fleet.protocol.errors import WebAutomationError
    from fleet.protocol.keys import KeyUnreadable
    from fleet.protocol.names import NotADeviceId
    from logs.reports.asked import AskedRefused
    from logs.reports.event_files import ReportRefused
    from logs.services import SenderRefused
    from policies.fields import DecryptionFailed
    from policies.models import ClaimLost
    from policies.services import AddressRefused, Busy, Refused as PolicyRefused

    told = (
        AddressRefused, Busy, DecryptionFailed, DeviceRefused, FactorRefused, GatewayRefused,
        GroupRefused, KeyUnreadable, NotADeviceId, PeopleRefused, RegistrationError, ReportRefused,
        SenderRefused, TokenRefused, TooManyQuestions, WebAutomationError,
    )  # fmt: skip
    return (
        ((SettingRefused,), _setting),
        ((PolicyRefused,), _column),
        ((AskedRefused,), _asked),
        (told, lambda error: Refused(str(error))),
        ((ClaimLost,), lambda error: Refused(f"{error}; try again in a minute")),
        ((ObjectDoesNotExist,), lambda error: Refused(f"{error} It was removed meanwhile.")),
        ((DatabaseError,), _database),
    )


def _column(error: Exception) -> CommandError:
    """Name the column, where the rule that refused it speaks of "this value" alone."""
    column, text = getattr(error, "setting", ""), str(error)
    is_named = column in text or column in _TOLD_IN_PARTS
    return Refused(text if is_named else f"{column}: {text}")


def _setting(error: Exception) -> CommandError:
    from devices.kinds import KINDS
    from devices.kinds.base import SettingRefused

    if not isinstance(error, SettingRefused):
        return Refused(str(error))
    known = {setting.name: setting for kind in KINDS.values() for setting in kind.settings}
    setting = known.get(error.setting)
    if setting is None:
        return Refused(str(error))
    if setting.is_secret:  # what was typed is not for the screen
        return Refused(f"--{setting.name} is not accepted: use {error.accepted}")
    return Refused(f"--{error}")


def _asked(error: Any) -> CommandError:
    """Name the flag of the first part of a question that means nothing."""
    name, said = next(iter(error.troubles.items()))
    return Misused(f"--{name.replace('_', '-')}: {said}")


_NOT_PREPARED = ("no such table", "no such column", "unable to open database", "does not exist")


def _database(error: Exception) -> CommandError:
    text = str(error)
    if any(sign in text for sign in _NOT_PREPARED):
        return Refused("the database is not ready: run 'make run' first, which prepares it")
    if "locked" in text:
        return Refused("the database is busy; try again in a moment")
    return Refused(f"the database refused: {text}")
