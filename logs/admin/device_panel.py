"""What the page of a device says of its logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from devices.hosts import reachable
from devices.models import Device, LogWriter
from devices.services import own_node
from logs.admin.forward import forwards_table
from logs.admin.parts import ledger_url
from logs.models import Batch, Forward, Spool
from logs.reports.ledger import Ledger, ledger_of
from logs.reports.receivers import listeners
from logs.reports.uploads import TROUBLED, uploads_of
from logs.services import is_kernel
from logs.states import UNSENT
from policies.admin.base import Panel

BATCHES_SHOWN = 3
BATCHES_LOOKED_AT = 12  # for how many lines come: a few hours of a busy device
_MINUTE = timedelta(minutes=1)
_SAID = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}


@dataclass(frozen=True, slots=True)
class Way:
    """Where a firewall can send to."""

    transport: str
    where: str


def logs_panel(device: Device, request: HttpRequest, *, now: datetime, may_change: bool) -> Panel:
    """Return the ledger in one line, how uploads and forwards do, and where to send lines to."""
    spool = Spool.objects.filter(device=device).select_related("device").first()
    context: dict[str, Any] = {
        "device": device,
        "now": now,
        "is_kernel": is_kernel(device),
        "is_other": device.log_writer == LogWriter.RSYSLOG,
        "sources": [*filter(None, [device.management_ip]), *device.syslog_sources],
        "ways": ways(now=now),
        "forwards": _forwards(device, now=now),
        "is_forwarded": bool(device.syslog_forward),
        "may_change": may_change,
        "rotate_url": reverse("admin:devices_device_rotate-logs", args=[device.pk]),
        "retry_url": reverse("admin:devices_device_retry-uploads", args=[device.pk]),
        **({} if spool is None else _kept(spool)),
    }
    body = render_to_string("console/device_logs.html", context, request)
    more = "" if spool is None else format_html('<a href="{}">Ledger</a>', ledger_url(spool))
    return Panel("Logs", body, name="logs", is_half=True, more=more)


def ways(*, now: datetime) -> list[Way]:
    """Return where lines are really taken, by the addresses that others reach them at."""
    return [
        Way(_SAID.get(one.transport, one.transport), _where(one.node, one.host, one.port))
        for one in listeners(now=now)
    ]


def _where(node: str, host: str, port: int) -> str:
    reached = reachable(host) if node == own_node() else node
    return f"[{reached}]:{port}" if ":" in reached else f"{reached}:{port}"


def _forwards(device: Device, *, now: datetime) -> SafeString | str:
    rows = list(Forward.objects.filter(device=device).order_by("target", "id"))
    return forwards_table(rows, now=now) if rows else ""


def _kept(spool: Spool) -> dict[str, Any]:
    ledger: Ledger = ledger_of(spool.device)
    uploads = uploads_of(spool, ledger)
    batches = Batch.objects.filter(spool=spool)
    last = batches.aggregate(at=Max("uploaded_at"))["at"]
    newest = list(batches.order_by("-number")[:BATCHES_LOOKED_AT])
    return {
        "unsent_since": _unsent_since(batches, ledger),
        "per_minute": _rate(newest),
        "batches": newest[:BATCHES_SHOWN],
        "spool": spool,
        "ledger": ledger,
        "missed": spool.missed + ledger.expired,
        "uploads": uploads,
        "uploaded_at": last,
        "may_retry": uploads.state in TROUBLED,
    }


def _unsent_since(batches: QuerySet[Batch], ledger: Ledger) -> datetime | None:
    """Return when the batch was closed that waits the longest; None where none does."""
    if not (ledger.batches_waiting or ledger.batches_refused):
        return None
    waiting = batches.filter(state__in=UNSENT)
    since: datetime | None = waiting.aggregate(at=Min("closed_at"))["at"]
    return since


def _rate(newest: Sequence[Batch]) -> float | None:
    """Return how many lines a minute came lately; None where no batch was closed."""
    if not newest:
        return None
    took = newest[0].closed_at - newest[-1].first_at
    return sum(one.lines for one in newest) / max(1.0, took / _MINUTE)
