"""senders, senders adopt, senders ignore: addresses whose lines no device is known by."""

from __future__ import annotations

from datetime import datetime

from logs import services
from logs.models import Sender
from logs.reports.suggestions import Adopters
from logs.services.record import plain_address
from tsadmin.commands.finding import find_device
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Address", "Lines", "By", "Last seen", "What to do", "Sample")
SHOWN = 100


def list_senders(*, as_json: bool) -> None:
    """Print the refused senders: those to decide about first, the newest of them first."""
    rows = list(Sender.objects.order_by("is_ignored", "-last_at", "-id"))
    adopters = Adopters.all()
    if as_json:
        print_json({"senders": [_json(row, adopters) for row in rows]})
        return
    if not rows:
        print_line("No sender is refused.")
        return
    print_table(COLUMNS, [_row(row, adopters) for row in rows[:SHOWN]])
    if len(rows) > SHOWN:
        print_hint(f"{SHOWN} of {len(rows):,} are shown; --json has all of them.")
    print_hint(
        "Their lines are counted and not kept. Whose they are: tsadmin senders adopt ADDRESS NAME. "
        "Nobody wants them: tsadmin senders ignore ADDRESS."
    )


def adopt(*, address: str, nickname: str, now: datetime, as_json: bool) -> None:
    """Make an address one of a device's syslog sources."""
    sender, device = _find(address), find_device(nickname)
    services.adopt_sender(sender=sender, device=device, actor=actor(), now=now)
    if as_json:
        print_json({"adopted": sender.address, "name": device.nickname})
    else:
        print_line(f"{sender.address} is a syslog source of {device}.", tone="success")
        print_hint("Its lines are kept within two seconds; those refused until then are gone.")


def ignore(*, address: str, ignored: bool, now: datetime, as_json: bool) -> None:
    """Show a sender no more among those to decide about, or again."""
    sender = _find(address)
    services.ignore_sender(sender=sender, actor=actor(), now=now, ignored=ignored)
    if as_json:
        print_json({"address": sender.address, "is_ignored": ignored})
    elif ignored:
        print_line(f"{sender.address} is ignored; its lines stay refused.", tone="success")
    else:
        print_line(f"{sender.address} is shown again.", tone="success")


def _find(address: str) -> Sender:
    try:
        plain = plain_address(address.strip())
    except ValueError as error:
        raise Misused(f"{address} is no address, such as 192.0.2.9 or 2001:db8::9") from error
    sender = Sender.objects.filter(address=plain).first()
    if sender is None:
        raise Refused(f"no lines of {plain} were refused lately; see 'tsadmin senders'")
    return sender


def _row(row: Sender, adopters: Adopters) -> tuple[str, ...]:
    seen = f"{row.last_at:%Y-%m-%d %H:%M}"
    by = ", ".join(map(str, row.transports))
    return (row.address, f"{row.lines:,}", by, seen, _what_to_do(row, adopters), row.sample)


def _what_to_do(row: Sender, adopters: Adopters) -> str:
    if row.is_ignored:
        return "ignored"
    name, reason = _suggested(row, adopters)
    because = f" ({reason})" if reason else ""
    return f"tsadmin senders adopt {row.address} {name or 'NAME'}{because}"


def _suggested(row: Sender, adopters: Adopters) -> tuple[str, str]:
    """Return the device that it most likely is, and why; "" where nothing speaks for one."""
    best = next(iter(adopters.of(row)), None)
    return (best.device.nickname, best.reason) if best and best.reason else ("", "")


def _json(row: Sender, adopters: Adopters) -> dict[str, object]:
    name, reason = _suggested(row, adopters)
    return {
        "address": row.address,
        "lines": row.lines,
        "bytes": row.bytes,
        "transports": row.transports,
        "first_at": row.first_at,
        "last_at": row.last_at,
        "sample": row.sample,
        "is_ignored": row.is_ignored,
        "suggested": name or None,
        "reason": reason,
    }
