"""Plain stamps, read at very many places at once.

`2026-11-26T08:00:00Z`, the same as rsyslog writes it (`2026-11-26T08:00:00.123456+00:00`),
`Nov 26 08:00:00` and `Nov 26 2026 08:00:00`. Moments are microseconds since 1970. What is not
plain is marked, never guessed at.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from logs.parsers.fast.text import Array8, Bools, Index, Text

Moments = npt.NDArray[np.int64]

ISO_BYTES, ISO_LONG_BYTES, SHORT_BYTES, DATED_BYTES = 20, 32, 15, 20
SECOND = 1_000_000
_DAY = 86_400 * SECOND
_FIRST_YEAR, _YEARS = 1970, 130
_ZERO = np.uint8(ord("0"))
_LOW_BITS = np.uint8(31)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun",
           b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")  # fmt: skip
_MONTH_LETTERS = np.array([list(name) for name in _MONTHS], np.uint8).T


def _calendar() -> tuple[Moments, npt.NDArray[np.uint8]]:
    """Return when each month of each year begins, and how many days it has."""
    months = np.arange(f"{_FIRST_YEAR}-01", f"{_FIRST_YEAR + _YEARS}-02", dtype="datetime64[M]")
    begins = months.astype("datetime64[us]").astype(np.int64)
    days = (np.diff(begins) // _DAY).astype(np.uint8)
    return begins[:-1].reshape(_YEARS, 12), days.reshape(_YEARS, 12)


def _month_numbers() -> npt.NDArray[np.uint8]:
    """Return which month, from 0, a name is if it is one: by the ends of two of its letters."""
    table = np.zeros(1 << 10, np.uint8)
    for number, name in enumerate(_MONTHS):
        table[(name[1] & 31) << 5 | name[2] & 31] = number
    return table


_BEGINS, _DAYS = _calendar()
_MONTH_NUMBERS = _month_numbers()


def iso(text: Text, at: Index) -> tuple[Moments, Bools]:
    """Return the moments that stamps in UTC, with a Z, name."""
    column = text.columns(at, ISO_BYTES)
    moment, plain = _iso(column)
    return moment, plain & (column[19] == ord("Z"))


def iso_long(text: Text, at: Index) -> tuple[Moments, Bools]:
    """Return the moments that stamps with six places and an offset name."""
    column = text.columns(at, ISO_LONG_BYTES)
    moment, plain = _iso(column)
    micros = np.zeros(len(at), np.int64)
    for place in range(20, 26):
        plain &= column[place] - _ZERO <= 9
        micros = micros * 10 + (column[place] - _ZERO)
    digits = column[27:] - _ZERO
    for place in (0, 1, 3, 4):
        plain &= digits[place] <= 9
    plain &= (column[19] == ord(".")) & (column[29] == ord(":"))
    east = (_pair(digits, 0).astype(np.int64) * 60 + _pair(digits, 3)) * (60 * SECOND)
    west = column[26] == ord("-")
    plain &= west | (column[26] == ord("+"))
    return moment + micros - np.where(west, -east, east), plain


def short(text: Text, at: Index, arrived: Moments) -> tuple[Moments, Bools]:
    """Return the moments that stamps without year name in the year of their arrival, as UTC."""
    column = text.columns(at, SHORT_BYTES)
    year = arrived.astype("datetime64[us]").astype("datetime64[Y]").astype(np.intp)
    return _month_first(column, year, clock_at=7)


def dated(text: Text, at: Index) -> tuple[Moments, Bools]:
    """Return the moments that stamps with year and without zone name, as UTC."""
    column = text.columns(at, DATED_BYTES)
    year, plain = _year(column[7:11])
    moment, rest = _month_first(column, year, clock_at=12)
    return moment, plain & rest & (column[11] == ord(" "))


def _iso(column: Array8) -> tuple[Moments, Bools]:
    """Return `YYYY-MM-DDTHH:MM:SS` as moments, taken for UTC, and which are such."""
    year, plain = _year(column[:4])
    plain &= (column[4] == ord("-")) & (column[7] == ord("-")) & (column[10] == ord("T"))
    digits = column[5:10] - _ZERO
    for place in (0, 1, 3, 4):
        plain &= digits[place] <= 9
    clock, in_day = _clock(column[11:19])
    moment, on_calendar = _day(year, _pair(digits, 0) - np.uint8(1), _pair(digits, 3))
    return moment + clock, plain & in_day & on_calendar


def _month_first(column: Array8, year: Index, *, clock_at: int) -> tuple[Moments, Bools]:
    """Return `Mon dd …HH:MM:SS` of these years as moments, taken for UTC, and which are such."""
    ends = (column[1:3] & _LOW_BITS).astype(np.intp)
    month = _MONTH_NUMBERS[ends[0] << 5 | ends[1]]
    plain = (_MONTH_LETTERS[:, month] == column[:3]).all(axis=0)
    plain &= (column[3] == ord(" ")) & (column[6] == ord(" "))
    blank = column[4] == ord(" ")
    tens, ones = np.where(blank, np.uint8(0), column[4] - _ZERO), column[5] - _ZERO
    plain &= (tens <= 3) & (ones <= 9)
    clock, in_day = _clock(column[clock_at : clock_at + 8])
    moment, on_calendar = _day(year, month, tens * np.uint8(10) + ones)
    return moment + clock, plain & in_day & on_calendar


def _year(column: Array8) -> tuple[Index, Bools]:
    """Return four digits as a year after `_FIRST_YEAR`, and which are such."""
    digits = column - _ZERO
    plain = (digits[0] <= 9) & (digits[1] <= 9) & (digits[2] <= 9) & (digits[3] <= 9)
    return _pair(digits, 0).astype(np.intp) * 100 + _pair(digits, 2) - _FIRST_YEAR, plain


def _day(year: Index, month: Array8, day: Array8) -> tuple[Moments, Bools]:
    """Return when days begin, by their year after `_FIRST_YEAR` and their month from 0."""
    plain = (year >= 0) & (year < _YEARS) & (month < 12)
    year, month = np.where(plain, year, 0), np.where(plain, month, np.uint8(0))
    plain &= (day >= 1) & (day <= _DAYS[year, month])
    return _BEGINS[year, month] + (day.astype(np.int64) - 1) * _DAY, plain


def _clock(column: Array8) -> tuple[Moments, Bools]:
    """Return `HH:MM:SS` as microseconds, and which are such times."""
    digits = column - _ZERO
    hour, minute, second = (_pair(digits, place) for place in (0, 3, 6))
    plain = (hour < 24) & (minute < 60) & (second < 60)
    plain &= (column[2] == ord(":")) & (column[5] == ord(":"))
    for place in (0, 1, 3, 4, 6, 7):
        plain &= digits[place] <= 9
    seconds = hour.astype(np.int64) * 3600 + minute.astype(np.int64) * 60 + second
    return seconds * SECOND, plain


def _pair(digits: Array8, at: int) -> Array8:
    """Return two digits as a number; whether they are digits, the caller asks."""
    pair: Array8 = digits[at] * np.uint8(10) + digits[at + 1]
    return pair
