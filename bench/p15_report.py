"""P15: reports over ten million and a hundred million events; the slowest question counts.

Asked are all that a page of reports can ask: the totals, an hourly timeline, a summary by each of
the things there are, and the newest connections; of a month, and of what one network did in it.
Peers keep their own reports to themselves; the rows stand beside their limits. All is asked in a
child process with an appliance of its own: `python -m bench.p15_report EVENTS` prints one line.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import appliance
from bench.rows import Row
from bench.timing import median_seconds

TIMES = 3  # each question; its median counts
TIMEOUT = 3600  # seconds
_ROWS = (("P15", 10, 1.0), ("P15big", 100, 5.0))


def measure(*, size: int) -> list[Row]:
    """Return the row over ten times `size` events and the one over a hundred times as many."""
    return [_row(name, times * size, limit) for name, times, limit in _ROWS]


def _row(name: str, events: int, limit: float) -> Row:
    with tempfile.TemporaryDirectory(prefix="bench-p15-") as folder:
        found: dict[str, Any] = appliance.ask_child(
            "bench.p15_report", events, data_dir=Path(folder), timeout=TIMEOUT
        )
    taken: dict[str, float] = found["taken"]
    slowest = max(taken, key=lambda question: taken[question])
    return Row(
        name=name,
        work=f"the slowest of {len(taken)} reports over {events:,} events",
        peer="limit",
        peer_value=limit,
        our_value=taken[slowest],
        unit="s",
        goal=f"≤ {limit}",
        note=f"{slowest}; half of them within {sorted(taken.values())[len(taken) // 2]:.3f} s; "
        f"{found['bytes'] / events:.1f} bytes an event; peak {found['megabytes']:.0f} MB",
    )


def _child(events: int) -> None:
    appliance.set_up()
    from bench.events import fill
    from logs.models import EventFile

    fill(events)
    taken = {name: median_seconds(ask, times=TIMES) for name, ask in _questions()}
    size = sum(EventFile.objects.order_by("pk").values_list("bytes", flat=True))
    print(json.dumps({"taken": taken, "bytes": size, "megabytes": appliance.peak_megabytes()}))


def _questions() -> list[tuple[str, Callable[[], object]]]:
    from ipaddress import ip_network

    from bench.events import SINCE, UNTIL
    from logs.events.filters import By, Direction, Filter
    from logs.reports.hits import connections, summary, timeline, totals

    month = Filter(SINCE, UNTIL)
    inside = Filter(SINCE, UNTIL, inside=(ip_network("10.0.0.0/28"),))
    came = Filter(SINCE, UNTIL, direction=Direction.IN)
    keys = [by for by in By if by not in {By.COUNTRY, By.NETWORK}]
    return [
        ("totals", lambda: totals(month)),
        ("timeline", lambda: timeline(month, step=timedelta(hours=1))),
        *((f"by {by}", lambda by=by: summary(month, by)) for by in keys),
        ("outside hosts of a network", lambda: summary(inside, By.OUTSIDE)),
        ("ports of what came in", lambda: summary(came, By.PORT)),
        ("connections", lambda: connections(month, most=50)),
        ("connections of a network", lambda: connections(inside, most=50)),
    ]


if __name__ == "__main__":
    _child(int(sys.argv[1]))
