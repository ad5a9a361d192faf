"""Codes of RFC 6238 and recovery codes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st

from accounts import one_time_codes
from accounts.one_time_codes import code_at, step_of

SECRET = base64.b32encode(b"12345678901234567890").decode()
# RFC 6238, appendix B, SHA-1; its eight digits end in our six.
VECTORS = [
    (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"),
    (1234567890, "89005924"), (2000000000, "69279037"), (20000000000, "65353130"),
]  # fmt: skip

moments = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001  the zone is added
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert code_at(SECRET, datetime.fromtimestamp(seconds, UTC)) == code[2:]


@given(now=moments, steps=st.integers(-5, 5))
def test_a_code_is_good_in_its_own_step_and_one_beside(now: datetime, steps: int) -> None:
    code = code_at(SECRET, now + timedelta(seconds=30 * steps))
    found = step_of(SECRET, code, after=0, now=now)
    today = int(now.timestamp()) // 30
    if abs(steps) <= 1:
        assert found is not None
        assert abs(found - today) <= 1
    else:  # the same six digits may come by chance
        assert found is None or code in {
            code_at(SECRET, now + timedelta(seconds=30 * n)) for n in (-1, 0, 1)
        }


@given(now=moments)
def test_a_code_is_good_once(now: datetime) -> None:
    code = code_at(SECRET, now)
    step = step_of(SECRET, code, after=0, now=now)
    assert step is not None
    again = step_of(SECRET, code, after=step, now=now)
    assert again is None or again > step


@given(now=moments, steps=st.integers(2, 2**40))
def test_a_code_of_a_clock_that_was_set_back_refuses_none_of_today(
    now: datetime, steps: int
) -> None:
    today = int(now.timestamp()) // 30
    assert step_of(SECRET, code_at(SECRET, now), after=today + steps, now=now) is not None


@given(st.text(max_size=20))
def test_whatever_else_is_typed_is_no_code(text: str) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    good = {code_at(SECRET, now + timedelta(seconds=30 * n)) for n in (-1, 0, 1)}
    assert text in good or step_of(SECRET, text, after=0, now=now) is None


def test_what_a_phone_reads_says_whose_it_is_even_with_odd_names() -> None:
    address = one_time_codes.address_for_phones(SECRET, user="a&b c:d@é", issuer="TSCM")
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/TSCM%3Aa%26b%20c%3Ad%40%C3%A9"
    assert parse_qs(parts.query) == {"secret": [SECRET], "issuer": ["TSCM"]}


def test_recovery_codes_are_ten_that_nobody_guesses_and_few_misread() -> None:
    codes = one_time_codes.new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) == 16 for code in codes)
    assert not set("".join(codes)) & set("01IO")
    one = codes[0]
    assert one_time_codes.digest_of(one) == one_time_codes.digest_of(
        f" {one.lower()} ".replace("-", " ")
    )
