"""The form of a report: every field with what was written in it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import QueryDict

from console.hits_links import with_span
from devices.models import Device
from logs.events.filters import By, Direction
from logs.reports.asked import ACTIONS, LASTS, SEVERITIES, USUAL_BY, Given
from logs.reports.report import DIRECTIONS, HEADINGS
from policies.models import Source
from policies.visible import visible

NAMES_OFFERED = 500  # devices and lists; others may be written all the same


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that may be chosen."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A field as the page shows it."""

    name: str
    label: str
    kind: Literal["text", "datetime-local", "one", "some"]
    value: str = ""
    hint: str = ""
    trouble: str = ""
    choices: tuple[Choice, ...] = ()
    offered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preset:
    """A span of time that is one click away."""

    label: str
    url: str
    is_chosen: bool


def fields_of(
    given: Given,
    troubles: Mapping[str, str],
    *,
    user: AbstractBaseUser | AnonymousUser,
    has_by: bool,
) -> list[Field]:
    """Return the fields in their order; the tables to choose from where the page has tables."""
    texts = {name: ", ".join(values).strip() for name, values in given.items()}

    def text(name: str, label: str, hint: str, *, offered: Iterable[str] = ()) -> Field:
        value, trouble = texts.get(name, ""), troubles.get(name, "")
        return Field(name, label, "text", value, hint, trouble, offered=tuple(offered))

    def moment(name: str, label: str) -> Field:
        # What is no moment at all would vanish from a field of moments, and could not be mended.
        value, trouble = texts.get(name, ""), troubles.get(name, "")
        if trouble:
            return Field(name, label, "text", value, trouble=trouble)
        return Field(name, label, "datetime-local", value[:16])

    def one(name: str, label: str, choices: Iterable[tuple[str, str]]) -> Field:
        shown = tuple(Choice(key, said, key == texts.get(name, "")) for key, said in choices)
        return Field(name, label, "one", trouble=troubles.get(name, ""), choices=shown)

    def some(name: str, label: str, choices: Iterable[tuple[str, str]], usual: set[str]) -> Field:
        chosen = {part.strip() for part in texts.get(name, "").split(",") if part.strip()} or usual
        shown = tuple(Choice(key, said, key in chosen) for key, said in choices)
        return Field(name, label, "some", trouble=troubles.get(name, ""), choices=shown)

    severities = [("", "any"), *((f"{one}", f"{one} or more") for one in SEVERITIES if one > 1)]
    fields = [
        moment("since", "From (UTC)"),
        moment("until", "To (UTC)"),
        one("direction", "Direction", [("", "both"), *((d, DIRECTIONS[d]) for d in Direction)]),
        text("device", "Devices", "all", offered=_devices(user)),
        text("list", "List", "all", offered=_lists(user)),
        one("severity", "Severity", severities),
        text("outside", "Outside", "198.51.100.7, 203.0.113.0/24"),
        text("inside", "Inside", "10.0.0.0/8"),
        text("ports", "Ports", "443, 8000-8100"),
        text("except_ports", "Not these ports", "53"),
        some("action", "What became of it", ((word, word) for word in ACTIONS), {"dropped"}),
    ]
    if has_by:
        usual = {str(by) for by in USUAL_BY}
        fields.append(some("by", "Tables", ((by, HEADINGS[by]) for by in _tables()), usual))
    return fields


def presets_of(query: QueryDict, *, last: str) -> list[Preset]:
    """Return the spans that are one click away, all else as it is asked."""
    return [
        Preset(f"Last {label}", f"?{with_span(query, last=key)}", key == last)
        for key, (label, _) in LASTS.items()
    ]


def _tables() -> list[By]:
    """Return the tables there are: countries and networks where the site has a file of them."""
    files = {By.COUNTRY: settings.TSCM_GEO_COUNTRY, By.NETWORK: settings.TSCM_GEO_NETWORK}
    return [by for by in By if by not in files or files[by] is not None]


def _devices(user: AbstractBaseUser | AnonymousUser) -> list[str]:
    rows = Device.objects.visible_to(user).filter(is_sample=False).order_by("nickname", "id")
    return list(rows.values_list("nickname", flat=True)[:NAMES_OFFERED])


def _lists(user: AbstractBaseUser | AnonymousUser) -> list[str]:
    rows = visible(Source.objects.order_by("name", "id"), user)
    return list(rows.values_list("name", flat=True)[:NAMES_OFFERED])
