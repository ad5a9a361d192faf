"""What the page of a gateway says of its kernel."""

from __future__ import annotations

from datetime import datetime

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from devices.models import Device, Gateway
from policies.admin.base import Panel
from policies.words import NOTHING, ago, count, table, word

_DIGEST_SHOWN = 12  # characters, as in the names of files


def kernel_panel(device: Device, *, now: datetime) -> Panel:
    """Return what is live in the kernel of a gateway, as its enforcer saw it last."""
    gateway = device.gateway
    body = format_html(
        "{}{}{}", _in_force(gateway, now=now), _sets(gateway), _sentences(gateway, now=now)
    )
    return Panel("In the kernel", body, name="kernel")


def _in_force(gateway: Gateway, *, now: datetime) -> SafeString:
    number = gateway.snapshot_number
    facts = (
        gateway.device.node,
        word(gateway.state_word.tone, str(gateway.state_word.label)),
        NOTHING if number is None else f"#{number}",
        _short(gateway.block_digest),
        _short(gateway.allow_digest),
        ago(gateway.applied_at, now=now),
        ago(gateway.checked_at, now=now),
    )
    titles = ("Machine", "State", "Snapshot", "Block list", "Allow list", "Applied", "Read back")
    return table(titles, [facts], empty="")


def _short(digest: str) -> SafeString | str:
    if not digest:
        return NOTHING
    return format_html('<code title="SHA-256 {}">{}</code>', digest, digest[:_DIGEST_SHOWN])


def _sets(gateway: Gateway) -> SafeString:
    return table(
        ("Set", "Live entries", "Memory"),
        (
            (format_html("<code>{}</code>", name), count(entries), _memory(memory))
            for name, (entries, memory) in gateway.sets.items()
        ),
        empty="No set of ours was seen in this kernel yet.",
    )


def _memory(size: int) -> str:
    return filesizeformat(size) if size else NOTHING


def _sentences(gateway: Gateway, *, now: datetime) -> SafeString:
    """Return what the rules dropped, what was put right and what to know, a sentence each."""
    said = [*_dropped(gateway, now=now), *_healed(gateway, now=now)]
    said += [format_html("{} {}", word("warning", "warning"), one) for one in gateway.warnings]
    body = format_html_join("", "<p>{}</p>", ((one,) for one in said))
    return format_html('<div class="text">{}</div>', body) if said else body


def _dropped(gateway: Gateway, *, now: datetime) -> list[SafeString]:
    if gateway.dropped_since is None:
        return []
    sentence = (
        "Dropped <b>{}</b> packets inbound and forwarded, <b>{}</b> outbound; counted from {}."
    )
    since = ago(gateway.dropped_since, now=now)
    return [format_html(sentence, count(gateway.dropped_in), count(gateway.dropped_out), since)]


def _healed(gateway: Gateway, *, now: datetime) -> list[SafeString]:
    if not gateway.healed:
        return []
    things = "difference" if gateway.healed == 1 else "differences"
    sentence = "{} {} from what is meant found and healed, the last one {}."
    last = ago(gateway.healed_at, now=now)
    return [format_html(sentence, count(gateway.healed), things, last)]
