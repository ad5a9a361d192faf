"""What is asked of connections: read from text, all of its troubles at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, strategies as st

from logs.events.filters import By, Direction, Ports
from logs.parsers.base import Action
from logs.reports.asked import (
    LASTS,
    PARAMETERS,
    USUAL_BY,
    Asked,
    AskedRefused,
    networks,
    port_ranges,
    read_asked,
)
from logs.reports.steps import MOST_STEPS, STEPS, step_of
from tests.factories import make_device, make_policy

NOW = datetime(2026, 11, 21, 12, 7, 30, tzinfo=UTC)


def read(**given: str | list[str]) -> Asked:
    lists = {name: [v] if isinstance(v, str) else v for name, v in given.items()}
    return read_asked(lists, now=NOW, sees=None)


def trouble(name: str, *values: str) -> str:
    with pytest.raises(AskedRefused) as refused:
        read(**{name: list(values)})
    assert set(refused.value.troubles) == {name}
    return refused.value.troubles[name]


def test_nothing_asked_is_the_last_day_of_what_was_dropped() -> None:
    asked = read()
    assert (asked.last, asked.by) == ("24h", USUAL_BY)
    assert asked.filter.actions == (Action.DROPPED,)
    assert asked.filter.until - asked.filter.since == timedelta(days=1)


@pytest.mark.parametrize("last", LASTS)
def test_a_span_until_now_ends_with_the_bar_that_now_is_in(last: str) -> None:
    found = read(last=last).filter
    step = step_of(LASTS[last][1])
    assert NOW <= found.until < NOW + step
    assert found.since.minute % 15 == found.since.second == 0
    assert (found.until - found.since) == LASTS[last][1]


def test_a_range_takes_the_place_of_a_span() -> None:
    asked = read(last="7d", since="2026-11-01T00:00", until="2026-11-02T00:00+01:00")
    assert asked.last == ""
    assert asked.filter.since == datetime(2026, 11, 1, tzinfo=UTC)
    assert asked.filter.until == datetime(2026, 11, 1, 23, tzinfo=UTC)
    assert read(since="2026-11-01").filter.until == NOW


def test_everything_that_can_be_asked_is_read() -> None:
    found = read(
        direction="out", inside="10.0.0.0/8, 2001:db8::/32", outside=["198.51.100.7"],
        ports="443, 8000-8100, 53/udp", except_ports="22", list=["a, b", "c"], severity="4",
        action=["allowed", "monitored"], by=["hour,port"],
    )  # fmt: skip
    wanted = found.filter
    assert wanted.direction == Direction.OUT
    assert wanted.inside == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert wanted.outside == (ip_network("198.51.100.7/32"),)
    assert wanted.ports == (Ports(443, 443), Ports(8000, 8100), Ports(53, 53))
    assert wanted.except_ports == (Ports(22, 22),)
    assert wanted.lists == ("a, b", "c")  # a list's name may have a comma in it
    assert wanted.severity_least == 4
    assert wanted.actions == (Action.ALLOWED, Action.MONITORED)
    assert found.by == (By.HOUR, By.PORT)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("last", "5d", "Use one of 24h, 7d, 30d"),
        ("since", "yesterday", "'yesterday' is no moment"),
        ("until", "99999-01-01", "is no moment"),
        ("until", "0001-01-01T00:00", "is no moment"),
        ("until", "9999-12-31T23:59", "is no moment"),
        ("since", "1969-12-31T23:59:59", "is no moment"),
        ("device", "fmc\0-1", "a NUL character"),
        ("list", "\0", "a NUL character"),
        ("since", "2026-11-22", "before the end"),
        ("since", "1999-01-01", "more than ten years"),
        ("direction", "up", "Use in or out"),
        ("inside", "10.0.0.0/33", "'10.0.0.0/33' is no address"),
        ("outside", "192.0.2.9-192.0.2.1", "is no address"),
        ("outside", "192.0.2.9-2001:db8::1", "is no address"),
        ("ports", "http", "'http' is no port"),
        ("ports", "9-5", "is no port"),
        ("except_ports", "70000", "is no port"),
        ("severity", "9", "from 1 to 5"),
        ("action", "eaten", "'eaten' is not known. Use dropped, monitored, allowed."),
        ("by", "colour", "'colour' is not known"),
        ("outside", "1.2.3.4 " * 1000, "more than 2,000 characters"),
        ("ports", ",".join(map(str, range(200))), "more than 100 values"),
    ],
)
def test_what_cannot_be_understood_is_told_by_its_name(name: str, value: str, said: str) -> None:
    assert said in trouble(name, value)


def test_all_troubles_are_told_at_once() -> None:
    with pytest.raises(AskedRefused) as refused:
        read(ports="x", inside="y", direction="z")
    assert set(refused.value.troubles) == {"ports", "inside", "direction"}


@pytest.mark.django_db
def test_a_device_that_may_not_be_seen_is_none() -> None:
    policy = make_policy(now=NOW, block=["198.51.100.7"])
    one, other = (
        make_device(policy=policy, now=NOW, nickname=name, device_id=f"tdid_{name}")
        for name in ("berlin", "oslo")
    )
    seen = frozenset({one.pk})
    assert read(device="berlin, oslo").filter.devices == frozenset({one.pk, other.pk})
    assert read_asked({}, now=NOW, sees=seen).filter.devices == seen
    for name in ("oslo", "paris"):
        with pytest.raises(AskedRefused, match=f"There is no device '{name}'"):
            read_asked({"device": [name]}, now=NOW, sees=seen)


@given(st.datetimes(), st.datetimes())
def test_any_two_moments_are_read_or_refused(since: datetime, until: datetime) -> None:
    with suppress(AskedRefused):
        asked = read(since=since.isoformat(), until=until.isoformat())
        assert asked.filter.since < asked.filter.until
    with suppress(AskedRefused):
        read(until=until.isoformat())


@given(
    st.dictionaries(
        st.sampled_from([*PARAMETERS, "by"]), st.lists(st.text(max_size=30), max_size=3)
    )
)
def test_any_text_is_read_or_refused(given: dict[str, list[str]]) -> None:
    given.pop("device", None)  # asks the database
    with suppress(AskedRefused):
        asked = read_asked(given, now=NOW, sees=None)
        assert asked.filter.since < asked.filter.until


@given(st.ip_addresses(v=4), st.integers(0, 5000))
def test_a_range_is_its_addresses_and_no_others(first: object, size: int) -> None:
    begin = int(ip_address(str(first)))
    end = min(begin + size, 2**32 - 1)
    found = networks([f"{ip_address(begin)}-{ip_address(end)}"])
    assert sum(one.num_addresses for one in found) == end - begin + 1
    assert int(min(one.network_address for one in found)) == begin


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_ports_are_read_as_they_are_written(one: int, other: int) -> None:
    first, last = sorted((one, other))
    assert port_ranges([f"{first}-{last}"]) == (Ports(first, last),)


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=3660)))
def test_a_timeline_has_few_steps_and_none_shorter_would_do(span: timedelta) -> None:
    step = step_of(span)
    assert -(-span // step) <= MOST_STEPS
    shorter = [one for one in STEPS if one < step]
    assert not shorter or span > shorter[-1] * MOST_STEPS
