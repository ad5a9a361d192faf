"""What a device says of itself: read as it was said, and whatever else it says does no harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, strategies as st

from fleet.protocol.base import Status
from fleet.protocol.status_zone import MAX_ERRORS, NAMES, read_statuses, records_of
from fleet.protocol.values import MAX_BYTES, rdata
from tests.fleet.protocol.devices import GATEWAY, OTHER, STATUS

shown = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="\u00ad"), max_size=64)
moments = st.datetimes(
    datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from(  # noqa: DTZ001
        [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30))]
    )
).map(lambda moment: moment.replace(microsecond=0))  # fmt: skip
statuses = st.builds(
    Status,
    reported_at=moments,
    version=shown,
    state=shown,
    serial=st.integers(0, 2**32 - 1),
    snapshot=st.none() | st.integers(0, 2**31 - 1),
    digest=st.just("") | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    retrieved_at=st.none() | moments,
    uploaded_at=st.none() | moments,
    clock_offset=st.none() | st.integers(-(10**9), 10**9).map(lambda n: n / 1000),
    errors=st.lists(shown.filter(bool), max_size=MAX_ERRORS).map(tuple),
    overrides=st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), max_size=9).map(
        tuple
    ),
)


def at(device_id: str, texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"{name}.{device_id}", text) for name, text in texts.items()]


@given(statuses, statuses)
def test_what_devices_say_is_what_is_read(first: Status, second: Status) -> None:
    records = [*at(GATEWAY, records_of(first)), *at(OTHER.upper(), records_of(second))]
    assert read_statuses(records) == {GATEWAY: first, OTHER: second}
    assert set(records_of(first)) <= set(NAMES)


@given(
    st.lists(
        st.tuples(
            st.builds("{}.{}".format, st.sampled_from(NAMES), st.sampled_from(["a", "b", "a.b"]))
            | st.text(max_size=20),
            st.text(max_size=40)
            | st.builds("{}:{}".format, st.sampled_from("silbnx"), st.text(max_size=20))
            | st.sampled_from(["s:nan", "s:inf", "s:1e999", "s:0000-00-00T00:00:00Z", "i:-1"]),
        ),
        max_size=12,
    )
)
def test_nothing_that_a_device_says_does_harm(spoilt: list[tuple[str, str]]) -> None:
    good = at(GATEWAY, records_of(STATUS))
    assert read_statuses([*spoilt, *good])[GATEWAY] == STATUS
    for status in read_statuses(spoilt).values():
        texts = (status.version, status.state, *status.errors, *status.overrides)
        assert all(text.isprintable() for text in texts)
        assert 0 <= status.serial < 2**32


def test_a_device_that_does_not_say_when_says_nothing() -> None:
    texts = records_of(STATUS)
    del texts["reported-at"]
    assert read_statuses(at(GATEWAY, texts)) == {}


def test_errors_are_cut_and_stripped_and_fit_a_message() -> None:
    long = "one \x1b[31m\ttwo\x00 " + "\u00fc" * 9000
    status = replace(STATUS, errors=(long,) * 99, overrides=tuple(f"s{n}" for n in range(999)))
    texts = records_of(status)
    assert sum(len(rdata(text).encode()) for text in texts.values()) < 32_768
    found = read_statuses(at(GATEWAY, texts))[GATEWAY]
    assert len(found.errors) == MAX_ERRORS
    assert found.errors[0].startswith("one  [31m two  \u00fc")
    assert len(found.overrides) == 200


def test_moments_go_to_the_second_in_utc() -> None:
    east = datetime(2026, 11, 21, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    texts = records_of(replace(STATUS, reported_at=east))
    assert texts["reported-at"] == "s:2026-11-21T12:00:00Z"


def test_a_text_that_is_too_long_is_left_out() -> None:
    texts = {**records_of(STATUS), "version": "s:" + "x" * MAX_BYTES}
    assert read_statuses(at(GATEWAY, texts))[GATEWAY].version == ""


def test_overrides_are_as_many_as_one_record_takes() -> None:
    names = tuple(f"{'x' * 60}{number:04}" for number in range(200))
    text = records_of(replace(STATUS, overrides=("no name", *names)))["overrides"]
    assert MAX_BYTES - 65 < len(text) <= MAX_BYTES
    assert rdata(text)
    kept = read_statuses(at(GATEWAY, records_of(replace(STATUS, overrides=names))))
    assert kept[GATEWAY].overrides == names[: text.count(" ") + 1]
