"""Metric families, in one line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from policies.timings import BOUNDS, Timing

# So many things at most have series of their own, the oldest ones: whoever has more of them still
# has their numbers by state. Others may come and go, and the series of these stay the same.
MOST_SERIES = 500

Value = float | int | datetime | None
Rows = Iterable[tuple[Sequence[str], Value]]  # (labels, value); None is left out


def number(name: str, says: str, value: Value) -> Metric:
    """Return a gauge without labels."""
    return gauge(name, says, (), [((), value)])


def gauge(name: str, says: str, labels: Sequence[str], rows: Rows) -> Metric:
    """Return a gauge; moments become seconds since 1970."""
    family = GaugeMetricFamily(name, says, labels=labels)
    for values, value in rows:
        if value is not None:
            family.add_metric(values, _plain(value))
    return family


def by_word(name: str, says: str, label: str, counts: Mapping[str, int]) -> Metric:
    """Return a gauge with one label, such as a state."""
    return gauge(name, says, (label,), [((word,), count) for word, count in counts.items()])


def counter(name: str, says: str, labels: Sequence[str], rows: Rows) -> Metric:
    """Return a counter; its name ends in `_total` where it is shown."""
    family = CounterMetricFamily(name, says, labels=labels)
    for values, value in rows:
        if value is not None:
            family.add_metric(values, _plain(value))
    return family


def histogram(name: str, says: str, label: str, timings: Mapping[str, Timing]) -> Metric:
    """Return how long things took, by what was done."""
    family = HistogramMetricFamily(name, says, labels=(label,))
    for word, timing in timings.items():
        buckets: list[tuple[str, float]] = []
        so_far = 0
        for bound, count in zip((*BOUNDS, float("inf")), timing.counts, strict=True):
            so_far += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), so_far))
        family.add_metric((word,), buckets, timing.seconds)
    return family


def _plain(value: float | datetime) -> float:
    return value.timestamp() if isinstance(value, datetime) else value
