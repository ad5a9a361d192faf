"""Events as a site of a thousand firewalls has them, made up: a month of them, a file for each day.

A few outside hosts and a few inside ones are in most connections (their places are drawn by the
cube of a number), ports are those that scanners try, and twenty lists share the addresses.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from logs.events.duck import Bounds, open_duck
from logs.events.schema import COLUMNS, MAPPED
from logs.events.writer import OPTIONS
from logs.models import EventFile
from logs.reports.places import events_dir

DAYS = 30
UNTIL = datetime(2026, 11, 21, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=DAYS)
_INSIDE, _OUTSIDE, _STRANGERS = MAPPED + (10 << 24), MAPPED + (203 << 24), 200_000
_DAY = 86_400_000_000
_BOUNDS = Bounds(seconds=1800.0, memory_mb=4096, spill_mb=50_000)

_ROWS = f"""
WITH drawn AS (
    SELECT range AS n, hash(range * 7919 + $day) AS a,
        hash(range * 104729 + $day) % 1000003 / 1000003.0 AS u,
        hash(range * 1299709 + $day) % 1000003 / 1000003.0 AS v,
        hash(range + 31 * $day) % 1000003 / 1000003.0 AS w
    FROM range($events)
)
SELECT make_timestamp($begin::BIGINT + n * {_DAY} // $events) AS moment,
    1 + floor(1000 * w * w) AS device,
    CASE WHEN a % 3 = 0 THEN 1 ELSE 0 END AS direction,
    CASE WHEN a % 10 < $let_through THEN 0 ELSE 1 END AS action,
    0 AS inside_high, {_INSIDE} + floor(20000 * v * v * v) AS inside_low,
    0 AS outside_high,
    {_OUTSIDE} + hash(floor({_STRANGERS} * u * u * u)) % 16777216 AS outside_low,
    1024 + a % 64000 AS source_port,
    CASE WHEN w < 0.3 THEN 443 WHEN w < 0.5 THEN 445 WHEN w < 0.6 THEN 22 WHEN w < 0.7 THEN 23
        ELSE a % 65536 END AS destination_port,
    CASE WHEN v < 0.8 THEN 6 ELSE 17 END AS protocol,
    'our-block-feed-' || a % 20 AS said,
    CASE WHEN a % 10 < $let_through THEN 0
        ELSE 1 + hash(floor({_STRANGERS} * u * u * u)) % 20 END AS list_id,
    CASE WHEN a % 10 < $let_through THEN ''
        ELSE 'list ' || 1 + hash(floor({_STRANGERS} * u * u * u)) % 20 END AS list_name,
    32 AS entry_length, '' AS entry_range, 5 AS snapshot,
    1 + $day * 96000 + n // 10000 AS batch, n % 10000 * 600 AS line_offset, 600 AS line_size
FROM drawn
"""  # noqa: S608


def fill(events: int, *, let_through: int = 0) -> None:
    """Store so many events over a month, and the rows of their files.

    Of ten of them so many were let through; no list has these.
    """
    folder = events_dir()
    folder.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"{name}::{kind} AS {name}" for name, kind in COLUMNS)
    with open_duck([folder], bounds=_BOUNDS) as duck:
        for number in range(DAYS):
            day = SINCE + number * timedelta(days=1)
            name = f"{day:%Y-%m-%d}/day-bench.parquet"
            (folder / name).parent.mkdir()
            duck.ask(
                f"COPY (SELECT {columns} FROM ({_ROWS}) ORDER BY moment) "  # noqa: S608
                f"TO '{folder / name}' {OPTIONS}",
                {
                    "day": number,
                    "events": events // DAYS,
                    "let_through": let_through,
                    "begin": (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1),
                },
            )
            EventFile.objects.create(
                name=name, day=date(day.year, day.month, day.day), events=events // DAYS,
                bytes=(folder / name).stat().st_size, first_at=day,
                last_at=day + timedelta(days=1) - timedelta(microseconds=1), created_at=UNTIL,
            )  # fmt: skip
