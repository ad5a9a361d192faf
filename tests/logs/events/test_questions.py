"""DuckDB answers as one would count by hand."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st

from logs.events.duck import Bounds, QueryRefused, QueryUnavailable, open_duck
from logs.events.filters import By, Direction, Filter, Ports
from logs.events.questions import Questions, open_questions
from logs.events.text import connection_of, key_text
from logs.events.where import MOST_NETWORKS, Asked, Stored
from logs.events.writer import merge_files, write_events
from logs.parsers.base import Action
from tests.fakes.events import Made, table_of

FIRST = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
WHOLE = Filter(FIRST - timedelta(days=9), FIRST + timedelta(days=9), actions=tuple(Action))
INSIDE = ["10.1.2.3", "10.1.2.4", "10.9.0.1", "fd00::7"]
OUTSIDE = ["198.51.100.7", "198.51.100.200", "203.0.113.9", "2001:db8::1", "2001:db8:0:1::1"]
NETWORKS = [
    "10.1.2.0/24", "10.1.2.3/32", "198.51.100.0/25", "0.0.0.0/0", "fd00::/8", "2001:db8::/64",
    "2001:db8::/128", "::/0",
]  # fmt: skip
_numbers = itertools.count(1)


class Owner:
    """A device as far as its key goes."""

    def __init__(self, pk: int) -> None:
        self.pk = pk


class List(Owner):
    name = "a list"


moments = st.integers(0, 5 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
made = st.builds(
    Made,
    at=moments,
    inside=st.sampled_from(INSIDE),
    outside=st.sampled_from(OUTSIDE),
    direction=st.sampled_from(Direction),
    destination_port=st.sampled_from([22, 443, 8080]),
    protocol=st.sampled_from([6, 17]),
    action=st.sampled_from(Action),
    list=st.sampled_from([None, List(1), List(2)]),
)
networks = st.lists(st.sampled_from(NETWORKS).map(ip_network), max_size=2).map(tuple)
ports = st.lists(st.builds(Ports, st.just(22), st.sampled_from([22, 443])), max_size=1).map(tuple)
filters = st.builds(
    Filter,
    since=moments,
    until=moments.map(lambda at: at + timedelta(hours=2)),
    direction=st.sampled_from([None, *Direction]),
    devices=st.sampled_from([None, frozenset({1}), frozenset[int]()]),
    inside=networks,
    outside=networks,
    ports=ports,
    except_ports=ports,
    actions=st.lists(st.sampled_from(Action), unique=True, max_size=3).map(tuple),
)
asked = st.builds(Asked, filters, st.sampled_from([None, frozenset({1}), frozenset[int]()]))


def store(folder: Path, *batches: tuple[int, Sequence[Made]]) -> list[Stored]:
    """Write events of devices, a file for each device and day."""
    folder.mkdir(exist_ok=True)
    found = list[Stored]()
    with open_duck([folder]) as duck:
        for device, events in batches:
            table = table_of(Owner(device), events)  # type: ignore[arg-type]
            written = write_events(duck, folder, f"made-{next(_numbers)}", table)
            found += [Stored(str(one.path), one.day, one.first_at, one.last_at) for one in written]
    return found


def matches(event: Made, device: int, one: Asked) -> bool:
    """Tell as a reader of the docs would whether a filter asks for an event."""
    chosen = one.filter
    return (
        chosen.since <= event.at < chosen.until
        and (chosen.devices is None or device in chosen.devices)
        and chosen.direction in {None, event.direction}
        and _within(event.inside, chosen.inside)
        and _within(event.outside, chosen.outside)
        and (not chosen.ports or _among(event.destination_port, chosen.ports))
        and not _among(event.destination_port, chosen.except_ports)
        and event.action in chosen.actions
        and (one.list_ids is None or (event.list is not None and event.list.pk in one.list_ids))
    )


def _within(address: str, among: Sequence[object]) -> bool:
    return not among or any(ip_address(address) in one for one in among)  # type: ignore[operator]


def _among(port: int, ranges: Sequence[Ports]) -> bool:
    return any(one.first <= port <= one.last for one in ranges)


def key_of(event: Made, device: int, by: By) -> str:
    """Return the key of the row that an event is counted in; of a list, its number."""
    return {
        By.HOUR: event.at.replace(minute=0).isoformat(),
        By.DAY: event.at.date().isoformat(),
        By.DEVICE: str(device),
        By.LIST: str(event.list.pk if event.list else 0),
        By.OUTSIDE: event.outside,
        By.INSIDE: event.inside,
        By.PORT: f"{event.destination_port}/{'tcp' if event.protocol == 6 else 'udp'}",
        By.DIRECTION: str(event.direction),
    }[by]


KEYS = [by for by in By if by not in {By.COUNTRY, By.NETWORK}]


@hypothesis(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(made, max_size=40), st.lists(made, max_size=20), asked, st.sampled_from(KEYS))
def test_every_question_is_answered_as_by_hand(
    tmp_path: Path, one: list[Made], two: list[Made], chosen: Asked, by: By
) -> None:
    files = store(tmp_path, (1, one), (2, two))
    events = [(event, 1) for event in one] + [(event, 2) for event in two]
    wanted = [(event, device) for event, device in events if matches(event, device, chosen)]
    with open_questions(tmp_path, files) as questions:
        counts = questions.counts(chosen)
        groups = questions.groups(chosen, by, most=100)
        found = questions.events(chosen, most=1000, skip=0, before=None)
    assert counts.inbound == sum(event.direction == Direction.IN for event, _ in wanted)
    assert counts.outbound == sum(event.direction == Direction.OUT for event, _ in wanted)
    assert counts.insides == len({event.inside for event, _ in wanted})
    assert counts.outsides == len({event.outside for event, _ in wanted})
    by_key = defaultdict[str, list[Made]](list)
    for event, device in wanted:
        by_key[key_of(event, device, by)].append(event)
    assert {key_text(by, row.key): summed(row) for row in groups.rows} == {
        key: (
            len(some), len({event.inside for event in some}),
            len({event.outside for event in some}),
            min(event.at for event in some), max(event.at for event in some),
        )
        for key, some in by_key.items()
    }  # fmt: skip
    assert (groups.total_rows, groups.total_connections) == (len(by_key), len(wanted))
    times = [connection_of(row).at for row in found]
    assert times == sorted((event.at for event, _ in wanted), reverse=True)


def summed(row: object) -> tuple[object, ...]:
    return tuple(
        getattr(row, name) for name in ("connections", "insides", "outsides", "first_at", "last_at")
    )


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Questions]:
    """Three days of events, a minute apart, 20 an hour."""
    events = [
        Made(FIRST + timedelta(minutes=3 * n), outside=f"198.51.{n % 3}.{n % 200}", offset=n)
        for n in range(20 * 50)
    ]
    with open_questions(tmp_path, store(tmp_path, (1, events))) as questions:
        yield questions


def test_pages_follow_each_other_without_a_gap(filled: Questions) -> None:
    everything = [
        connection_of(row) for row in filled.events(Asked(WHOLE), most=2000, skip=0, before=None)
    ]
    assert len(everything) == 1000
    before, pages = None, []
    while rows := filled.events(Asked(WHOLE), most=70, skip=0, before=before):
        pages += [connection_of(row) for row in rows]
        before = pages[-1].place
    assert pages == everything
    skipped = filled.events(Asked(WHOLE), most=70, skip=500, before=None)
    assert [connection_of(row) for row in skipped] == everything[500:570]


def test_the_largest_rows_come_first_and_the_rest_is_counted(filled: Questions) -> None:
    groups = filled.groups(Asked(WHOLE), By.OUTSIDE, most=10)
    assert len(groups.rows) == 10
    assert (groups.total_rows, groups.total_connections) == (600, 1000)
    counts = [row.connections for row in groups.rows]
    assert counts == sorted(counts, reverse=True)


def test_what_was_parsed_again_does_not_count_in_a_file_of_the_day(tmp_path: Path) -> None:
    files = store(tmp_path, (1, [Made(FIRST, batch=Owner(5)), Made(FIRST, batch=Owner(6))]))  # type: ignore[arg-type]
    [whole] = files
    without = Stored(whole.path, whole.day, whole.first_at, whole.last_at, (5,))
    with open_questions(tmp_path, [without]) as questions:
        assert questions.count(Asked(WHOLE)) == 1
        assert questions.event(batch=5, offset=0) is None
    with open_duck([tmp_path]) as duck:
        written = merge_files(duck, tmp_path / "day" / "one.parquet", whole.day, [without])
        assert written is not None
        assert written.events == 1
        none = Stored(whole.path, whole.day, whole.first_at, whole.last_at, (5, 6))
        assert merge_files(duck, tmp_path / "day" / "none.parquet", whole.day, [none]) is None


FOREVER = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range < b.range"
LARGE = "SELECT count(DISTINCT range), max(hash(range)) FROM range(20000000)"


def test_a_question_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with (
        open_duck([tmp_path], bounds=Bounds(seconds=0.2)) as duck,
        pytest.raises(QueryUnavailable, match=r"longer than 0\.2 seconds"),
    ):
        duck.ask(FOREVER)


def test_a_question_that_begins_when_its_time_is_over_is_given_up_too(tmp_path: Path) -> None:
    with open_duck([tmp_path], left=-1.0) as duck, pytest.raises(QueryUnavailable, match="30 sec"):
        duck.ask(FOREVER)


def test_no_question_draws_a_bar_of_progress_on_the_output(tmp_path: Path) -> None:
    with open_duck([tmp_path]) as duck:
        assert duck.ask("SELECT current_setting('enable_progress_bar')") == [(False,)]


def test_a_question_that_takes_too_much_memory_is_given_up(tmp_path: Path) -> None:
    with (
        open_duck([tmp_path], bounds=Bounds(memory_mb=32, spill_mb=1)) as duck,
        pytest.raises(QueryUnavailable, match="more than 32 MB"),
    ):
        duck.ask(LARGE)


def test_no_file_elsewhere_can_be_read_and_no_bound_be_lifted(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n", encoding="ascii")
    path = {"path": str(tmp_path / "secret.csv")}
    with open_duck([tmp_path / "ours"]) as duck:
        with pytest.raises(duckdb.PermissionException):
            duck.ask("SELECT * FROM read_csv($path)", path)
        with pytest.raises(duckdb.PermissionException):
            duck.ask("COPY (SELECT 1) TO 'out.csv'")
        with pytest.raises(QueryUnavailable, match="locked"):
            duck.ask("SET memory_limit = '100GB'")


def test_a_filter_that_is_too_long_is_refused(filled: Questions) -> None:
    many = tuple(ip_network(f"10.0.{n // 256}.{n % 256}") for n in range(MOST_NETWORKS + 1))
    with pytest.raises(QueryRefused, match="too many"):
        filled.count(Asked(Filter(WHOLE.since, WHOLE.until, inside=many)))
    ranges = tuple(Ports(n, n) for n in range(200))
    with pytest.raises(QueryRefused, match="too many"):
        filled.count(Asked(Filter(WHOLE.since, WHOLE.until, ports=ranges)))


def test_hosts_of_very_many_connections_are_estimated(
    filled: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = filled.counts(Asked(WHOLE))
    monkeypatch.setattr("logs.events.questions.EXACT_MOST", 999)
    about = filled.counts(Asked(WHOLE))
    assert (exact.is_estimate, about.is_estimate) == (False, True)
    assert (about.inbound, about.insides) == (exact.inbound, exact.insides)
    assert abs(about.outsides - exact.outsides) < exact.outsides / 5
    assert filled.groups(Asked(WHOLE), By.DAY, most=9).is_estimate
