"""What is known of a device's logs, for `show`: what came, what waits, where copies go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings as site

from devices.hosts import reachable
from devices.models import Device, LogWriter
from logs.models import Delivery, Forward, Spool
from logs.reports.ledger import Ledger, ledger_of
from logs.reports.receivers import listeners
from logs.reports.uploads import Uploads, uploads_of
from logs.services import is_kernel
from logs.states import DeliveryOutcome
from tsadmin.commands.kernel import memory_text
from tsadmin.words import counted


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The logs of a device at one moment."""

    syslog: tuple[str, ...]  # where it is to send to, such as "udp 192.0.2.5:514"
    other_way: str  # how its lines come where it is to send to no receiver; "" where it is
    ledger: Ledger
    uploads: Uploads
    last: Delivery | None  # the last batch that arrived
    trouble: str  # of its spool
    forwards: tuple[Forward, ...]
    now: datetime

    def lines(self) -> list[tuple[str, str]]:
        """Return labels and values for the screen."""
        last = self.ledger.last_line_at
        return [
            ("Syslog to", self.other_way or ", ".join(self.syslog)),
            ("Last line", f"{last:%Y-%m-%d %H:%M:%S} UTC" if last else "never"),
            ("Lines", _ledger_text(self.ledger)),
            ("Waiting", _waiting_text(self.ledger)),
            ("Uploads", f"{self.uploads.label}. {self.uploads.detail}"),
            ("Last upload", _delivery_text(self.last)),
            *([("Log trouble", self.trouble)] if self.trouble else []),
            *(("Forward", _forward_text(one, now=self.now)) for one in self.forwards),
        ]

    def json(self) -> dict[str, object]:
        """Return the same for programs."""
        ledger = self.ledger
        return {
            "syslog": list(self.syslog),
            "last_line_at": ledger.last_line_at,
            "received": ledger.received,
            "spooled": ledger.spooled,
            "refused": ledger.refused,
            "over_quota": ledger.over_quota,
            "lost": ledger.lost,
            "uploaded": ledger.uploaded,
            "waiting": ledger.waiting,
            "expired": ledger.expired,
            "open": ledger.open,
            "is_balanced": ledger.is_balanced,
            "batches_waiting": ledger.batches_waiting,
            "batches_refused": ledger.batches_refused,
            "uploads": self.uploads.state.value,
            "uploads_detail": self.uploads.detail,
            "last_upload_at": self.last and self.last.at,
            "trouble": self.trouble,
            "forwards": [_forward_json(one) for one in self.forwards],
        }


def log_facts_of(device: Device, *, now: datetime) -> LogFacts:
    """Gather what is known of a device's logs."""
    spool = Spool.objects.select_related("device").filter(device=device).first()
    ledger = ledger_of(device)
    delivered = Delivery.objects.filter(
        batch__spool__device=device, outcome=DeliveryOutcome.DELIVERED
    )
    other_way = _other_way(device)
    return LogFacts(
        syslog=() if other_way else _syslog(now=now),
        other_way=other_way,
        ledger=ledger,
        uploads=uploads_of(spool or Spool(device=device), ledger),
        last=delivered.select_related("batch").order_by("-at", "-id").first(),
        trouble=spool.trouble if spool else "",
        forwards=tuple(Forward.objects.filter(device=device).order_by("target")),
        now=now,
    )


def _other_way(device: Device) -> str:
    """Return how lines come that no receiver takes; "" where one does."""
    if device.log_writer == LogWriter.RSYSLOG:
        return "rsyslog of this machine, which writes its lines"
    return "nowhere: its own kernel's lines are kept" if is_kernel(device) else ""


def _syslog(*, now: datetime) -> tuple[str, ...]:
    """Return where receivers listen; where none runs, where one would."""
    found = [(one.transport, one.host, one.port) for one in listeners(now=now)]
    bind = site.TSCM_SYSLOG_BIND
    wanted = found or [("udp", bind.host, bind.port), ("tcp", bind.host, bind.port)]
    texts = [_address(*one) for one in wanted]
    return tuple(texts if found else [f"{text} (no receiver runs)" for text in texts])


def _address(transport: str, host: str, port: int) -> str:
    to = reachable(host)
    return f"{transport} [{to}]:{port}" if ":" in to else f"{transport} {to}:{port}"


def _ledger_text(ledger: Ledger) -> str:
    parts = [f"received {ledger.received:,}", f"kept {ledger.spooled:,}"]
    rest = (
        ("refused", ledger.refused), ("over quota", ledger.over_quota), ("lost", ledger.lost),
        ("expired", ledger.expired),
    )  # fmt: skip
    parts += [f"{word} {number:,}" for word, number in rest if number]
    parts.append(f"uploaded {ledger.uploaded:,}")
    return ", ".join(parts) + ("" if ledger.is_balanced else "; this does not add up")


def _waiting_text(ledger: Ledger) -> str:
    if not ledger.waiting:
        return "nothing"
    batches = ledger.batches_waiting + ledger.batches_refused
    inside = f"{counted(batches, 'batch', 'batches')}, and {ledger.open:,} lines not closed yet"
    return f"{counted(ledger.waiting, 'line', 'lines')}: {inside}"


def _delivery_text(one: Delivery | None) -> str:
    if one is None:
        return "never"
    lines = counted(one.batch.lines, "line", "lines")
    return f"{one.at:%Y-%m-%d %H:%M:%S} UTC, batch {one.batch.number} of {lines}: {one.detail}"


def _forward_text(one: Forward, *, now: datetime) -> str:
    parts = [f"{one.target} {one.state_word.label}", f"sent {one.sent:,}"]
    if one.lag_lines or one.lag_bytes:
        behind = f"behind by {counted(one.lag_lines, 'line', 'lines')}"
        age = f", the oldest {_age(one.oldest_at, now=now)} old" if one.oldest_at else ""
        parts.append(f"{behind} ({memory_text(one.lag_bytes)}){age}")
    parts += [f"{word} {n:,}" for word, n in (("dropped", one.dropped), ("cut", one.cut)) if n]
    return f"{', '.join(parts)}. {one.error}".strip()


def _age(moment: datetime, *, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _forward_json(one: Forward) -> dict[str, object]:
    return {
        "target": one.target,
        "state": one.state,
        "error": one.error,
        "connected_at": one.connected_at,
        "sent": one.sent,
        "dropped": one.dropped,
        "cut": one.cut,
        "lag_lines": one.lag_lines,
        "lag_bytes": one.lag_bytes,
        "oldest_at": one.oldest_at,
    }
