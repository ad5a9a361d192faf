"""Lines, batches, uploads and forwarding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from django.db.models import Min, Sum
from prometheus_client.core import Metric

from logs.models import Batch, Delivery, Forward, LineShape, Receiver, Spool
from logs.states import UNSENT, BatchState, ForwardState
from tscm_site.metrics.families import MOST_SERIES, by_word, counter, gauge, number

_MOST_RECEIVERS = 50
# Of the ledger: received = spooled + refused + over_quota + lost.
_LINES = (
    "received", "spooled", "refused", "over_quota", "lost", "uploaded_lines", "waiting_lines",
    "open_lines", "expired_lines", "unparsed_lines",
)  # fmt: skip
_BATCHES = ("known_batches", "waiting_batches", "refused_batches")
_BYTES = ("open_bytes", "unsent_bytes", "kept_bytes")


def log_metrics() -> Iterator[Metric]:
    """Yield what is told of the lines of devices."""
    spools = list(Spool.objects.select_related("device").only(
        "device__nickname", "last_line_at", *_LINES, *_BATCHES, *_BYTES
    ).order_by("device"))  # fmt: skip
    total = {
        name: sum(getattr(spool, name) for spool in spools)
        for name in (*_LINES, *_BATCHES, *_BYTES)
    }
    yield by_word(
        "tscm_log_lines",
        "Lines of all devices that there are, as their ledgers have them.",
        "place",
        {name.removesuffix("_lines"): total[name] for name in _LINES},
    )
    done = total["known_batches"] - total["waiting_batches"] - total["refused_batches"]
    yield by_word(
        "tscm_batches",
        "Batches that have rows.",
        "state",
        {
            BatchState.WAITING.value: total["waiting_batches"],
            BatchState.REFUSED.value: total["refused_batches"],
            "finished": max(0, done),
        },
    )
    yield by_word(
        "tscm_log_bytes",
        "Bytes of lines on this disk.",
        "place",
        {name.removesuffix("_bytes"): total[name] for name in _BYTES},
    )
    yield number(
        "tscm_log_last_line_timestamp_seconds",
        "When a line came last, from whichever device.",
        max((spool.last_line_at for spool in spools if spool.last_line_at), default=None),
    )
    yield from _by_device(spools[:MOST_SERIES])


def _by_device(spools: Sequence[Spool]) -> Iterator[Metric]:
    yield counter(
        "tscm_device_log_lines",
        "Lines of a device, and of these the ones that were not kept.",
        ("device", "outcome"),
        [
            ((spool.device.nickname, outcome), lines)
            for spool in spools
            for outcome, lines in (("received", spool.received), ("missed", spool.missed))
        ],
    )
    yield gauge(
        "tscm_device_last_line_timestamp_seconds",
        "When a line of a device came last.",
        ("device",),
        [((spool.device.nickname,), spool.last_line_at) for spool in spools],
    )


def upload_metrics() -> Iterator[Metric]:
    """Yield how far uploads and forwarding are behind."""
    unsent = Batch.objects.filter(state__in=UNSENT, removed_at=None, spool__device__send_logs=True)
    yield number(
        "tscm_upload_oldest_timestamp_seconds",
        "When the batch was closed that waits the longest for its upload; none where none waits.",
        unsent.aggregate(at=Min("closed_at"))["at"],
    )
    last = Delivery.objects.order_by("-pk").values_list("seconds", flat=True).first()
    yield number("tscm_upload_seconds", "How long the last attempt of an upload took.", last)
    forwards = list(Forward.objects.values_list("state", "lag_lines", "dropped", "oldest_at"))
    states = Counter(state for state, _, _, _ in forwards)
    yield by_word(
        "tscm_forwards",
        "Targets that lines are forwarded to, by how each does.",
        "state",
        {state.value: states[state.value] for state in ForwardState},
    )
    yield number(
        "tscm_forward_waiting_lines",
        "Lines that wait to be forwarded.",
        sum(lag for _, lag, _, _ in forwards),
    )
    yield number(
        "tscm_forward_dropped_lines",
        "Lines that waited too long to be forwarded.",
        sum(dropped for _, _, dropped, _ in forwards),
    )
    yield number(
        "tscm_forward_oldest_timestamp_seconds",
        "When the line came that waits the longest to be forwarded.",
        min((at for _, _, _, at in forwards if at is not None), default=None),
    )


def receiver_metrics() -> Iterator[Metric]:
    """Yield what receivers told of themselves, and of lines that no parser knows."""
    rows = list(Receiver.objects.order_by("pk")[:_MOST_RECEIVERS])
    yield gauge(
        "tscm_receiver_told_timestamp_seconds",
        "When a receiver told how it does last.",
        ("node",),
        [((row.node,), row.reported_at) for row in rows],
    )
    yield counter(
        "tscm_receiver_dropped_datagrams",
        "Datagrams that the kernel had no room for, since the receiver started.",
        ("node",),
        [((row.node,), row.kernel_drops) for row in rows],
    )
    yield counter(
        "tscm_receiver_messages",
        "Messages that came, whoever sent them, since the receiver started.",
        ("node",),
        [((row.node,), int(row.counters.get("messages", 0))) for row in rows],
    )
    unknown = LineShape.objects.aggregate(lines=Sum("lines"))["lines"] or 0
    yield number("tscm_unknown_lines", "Lines that no parser knows, of the shapes kept.", unknown)
