"""What somebody asks of connections, as text: one way to read it for page, API, mail and tsadmin.

The names and values are those of the page's address, so that a report is a link and a link can be
kept. All that cannot be understood is told at once, each by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import collapse_addresses, ip_address, ip_network, summarize_address_range
from typing import Any, TypeVar

from devices.models import Device
from logs.events.filters import By, Direction, Filter, Network, Ports
from logs.parsers.base import Action
from logs.reports.steps import step_of

LASTS = {
    "24h": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
# Of others, times and spans that are reckoned from one may not be times any more.
_YEARS = range(1970, 9999)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACTIONS = {"dropped": Action.DROPPED, "monitored": Action.MONITORED, "allowed": Action.ALLOWED}
SEVERITIES = range(1, 6)
USUAL_BY: tuple[By, ...] = (By.LIST, By.OUTSIDE, By.INSIDE, By.PORT)
MOST_BY = 6
LONGEST_SPAN = timedelta(days=3660)
_LONGEST_TEXT = 2000
_MOST_WORDS = 100
_MOST_NETWORKS = 200  # that ranges may come to
_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?(?:/[a-z0-9-]{1,16})?")

PARAMETERS = (
    "last", "since", "until", "direction", "device", "inside", "outside", "ports", "except_ports",
    "list", "severity", "action",
)  # fmt: skip

SEVERAL = frozenset({"device", "inside", "outside", "ports", "except_ports", "list", "action"})

Given = Mapping[str, Sequence[str]]
Value = TypeVar("Value")


class AskedRefused(ValueError):
    """A question that cannot be understood; `troubles` has a sentence for each parameter."""

    def __init__(self, troubles: Mapping[str, str]) -> None:
        """Keep each sentence with its parameter."""
        super().__init__(" ".join(f"{name}: {said}" for name, said in troubles.items()))
        self.troubles = dict(troubles)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was understood."""

    filter: Filter
    by: tuple[By, ...]
    last: str  # such as 24h; "" where the span is given by its ends

    @property
    def span_text(self) -> str:
        """The time it is about, for people."""
        since, until = self.filter.since, self.filter.until
        ends = f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
        return f"last {LASTS[self.last][0]}, {ends}" if self.last else ends


class _Reader:
    """Takes parameters one by one and gathers what is wrong with them."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self.troubles: dict[str, str] = {}

    def text(self, name: str) -> str:
        """Return the last value of a parameter, as a form sends one."""
        values = self._given.get(name, ())
        return values[-1].strip() if values else ""

    def words(self, name: str, *, is_split: bool = True) -> list[str]:
        """Return all values of a parameter; those with commas in them apart."""
        values = self._given.get(name, ())
        if sum(map(len, values)) > _LONGEST_TEXT:
            self.troubles[name] = f"That is more than {_LONGEST_TEXT:,} characters."
            return []
        if any("\0" in one for one in values):  # PostgreSQL takes it in no text
            self.troubles[name] = "It has a NUL character in it; leave that out."
            return []
        parts = [part for one in values for part in (one.split(",") if is_split else [one])]
        words = [part.strip() for part in parts if part.strip()]
        if len(words) > _MOST_WORDS:
            self.troubles[name] = f"That is more than {_MOST_WORDS} values."
            return []
        return list(dict.fromkeys(words))

    def read(self, name: str, how: Callable[[], Value], default: Value) -> Value:
        """Return what `how` makes of a parameter; where it cannot, note why."""
        try:
            return how()
        except ValueError as error:
            self.troubles.setdefault(name, str(error))
            return default


def read_asked(given: Given, *, now: datetime, sees: frozenset[int] | None) -> Asked:
    """Read a question of somebody who sees these devices, None for all. Raises AskedRefused.

    Parameters that are not of a question are left alone: pages have others beside.
    """
    reader = _Reader(given)
    last, since, until = _span(reader, now=now)
    found = Filter(
        since=since,
        until=until,
        devices=reader.read("device", lambda: _devices(reader.words("device"), sees), sees),
        direction=reader.read("direction", lambda: _direction(reader.text("direction")), None),
        inside=reader.read("inside", lambda: networks(reader.words("inside")), ()),
        outside=reader.read("outside", lambda: networks(reader.words("outside")), ()),
        ports=reader.read("ports", lambda: port_ranges(reader.words("ports")), ()),
        except_ports=reader.read(
            "except_ports", lambda: port_ranges(reader.words("except_ports")), ()
        ),
        lists=tuple(reader.words("list", is_split=False)),
        severity_least=reader.read("severity", lambda: _severity(reader.text("severity")), 1),
        actions=reader.read("action", lambda: _actions(reader.words("action")), (Action.DROPPED,)),
    )
    by = reader.read("by", lambda: _by(reader.words("by")), USUAL_BY)
    if reader.troubles:
        raise AskedRefused(reader.troubles)
    return Asked(found, by, last)


def named_devices(given: Given) -> frozenset[str]:
    """Return the names of devices that a question is about; none where it is about all."""
    return frozenset(_Reader(given).words("device"))


def networks(words: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses, prefixes and ranges such as 192.0.2.7-192.0.2.20; raises ValueError."""
    found = [one for word in words for one in _networks_of(word)]
    four, six = ([one for one in found if one.version == version] for version in (4, 6))
    if len(found) > _MOST_NETWORKS:
        raise ValueError(f"The ranges come to more than {_MOST_NETWORKS} prefixes; give prefixes.")
    return (*collapse_addresses(four), *collapse_addresses(six))  # type: ignore[type-var]


def port_ranges(words: Iterable[str]) -> tuple[Ports, ...]:
    """Read ports and ranges of ports, such as 443, 8000-8100, 53/udp; raises ValueError.

    The protocol behind a port says nothing here: a summary's row is written with it.
    """
    found = []
    for word in words:
        match = _PORTS.fullmatch(word.lower())
        first = int(match["first"]) if match else -1
        last = int(match["last"] or first) if match else -1
        if not 0 <= first <= last <= 65535:
            raise ValueError(f"{word!r} is no port. Write such as 443, 8000-8100.")
        found.append(Ports(first, last))
    return tuple(found)


def moment(text: str, *, now: datetime) -> datetime:
    """Read a moment in ISO 8601, UTC where it names no zone; raises ValueError."""
    try:
        read = datetime.fromisoformat(text)
        at = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        is_one = at.year in _YEARS
    except (ValueError, OverflowError):
        is_one = False
    if not is_one:
        raise ValueError(f"{text!r} is no moment. Write such as {now:%Y-%m-%dT%H:%M}.")
    return at


def _span(reader: _Reader, *, now: datetime) -> tuple[str, datetime, datetime]:
    """Return the span by its name, and its ends."""
    begin, end, last = (reader.text(name) for name in ("since", "until", "last"))
    if not begin and not end:
        if last and last not in LASTS:
            reader.troubles["last"] = f"Use one of {', '.join(LASTS)}, or since and until."
            last = ""
        last = last or "24h"
        until = at_a_step(now, LASTS[last][1])
        return last, until - LASTS[last][1], until
    until = reader.read("until", lambda: moment(end, now=now), now) if end else now
    usual = until - LASTS["24h"][1]
    since = reader.read("since", lambda: moment(begin, now=now), usual) if begin else usual
    if since >= until:
        reader.troubles.setdefault("since", "It must be before the end.")
    elif until - since > LONGEST_SPAN:
        reader.troubles.setdefault("since", "That is more than ten years before the end.")
    return "", since, until


def at_a_step(now: datetime, span: timedelta) -> datetime:
    """Return the end of the bar that `now` is in: bars then begin at whole hours and quarters."""
    step = step_of(span)
    return now + (_EPOCH - now) % step


def _networks_of(word: str) -> list[Network]:
    first, dash, last = word.partition("-")
    try:
        if dash:
            ends: Any = ip_address(first.strip()), ip_address(last.strip())
            return list(summarize_address_range(*ends))
        return [ip_network(word, strict=False)]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{word!r} is no address. Write such as 192.0.2.7, 192.0.2.0/24 or "
            f"192.0.2.10-192.0.2.20."
        ) from error


def _devices(names: list[str], sees: frozenset[int] | None) -> frozenset[int] | None:
    if not names:
        return sees
    found = dict(Device.objects.filter(nickname__in=names).values_list("nickname", "pk"))
    for name in names:
        # One that he may not see is none for him.
        if name not in found or (sees is not None and found[name] not in sees):
            raise ValueError(f"There is no device {name!r}.")
    return frozenset(found.values())


def _direction(text: str) -> Direction | None:
    if text and text not in set(Direction):
        raise ValueError(f"Use {' or '.join(Direction)}.")
    return Direction(text) if text else None


def _severity(text: str) -> int:
    if text and text not in {str(one) for one in SEVERITIES}:
        raise ValueError("Use a number from 1 to 5.")
    return int(text or 1)


def _actions(words: list[str]) -> tuple[Action, ...]:
    unknown = [word for word in words if word not in ACTIONS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known. Use {', '.join(ACTIONS)}.")
    return tuple(ACTIONS[word] for word in words) or (Action.DROPPED,)


def _by(words: list[str]) -> tuple[By, ...]:
    unknown = [word for word in words if word not in set(By)]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known. Use {', '.join(By)}.")
    if len(words) > MOST_BY:
        raise ValueError(f"At most {MOST_BY} at a time.")
    return tuple(By(word) for word in words) or USUAL_BY
