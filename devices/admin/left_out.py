"""What a device that is too small for its policy does not get, for the eye and as a file."""

from __future__ import annotations

from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html

from devices.models import Device
from devices.reports.left_out import NothingLeftOut, left_out_text
from policies.admin.base import Panel
from policies.downloads import as_file
from policies.words import addresses, count, table


def packed_panels(device: Device) -> tuple[Panel, ...]:
    """Return a panel on what was left out, none where the policy fits as it is."""
    packing = device.packing
    if packing is None:
        return ()
    dropped = table(
        ("Left out of", "Prefixes", "Addresses"),
        ((name, count(prefixes), count(number)) for name, prefixes, number in packing.dropped),
        empty="Nothing is left out.",
    )
    merged = packing.added["prefixes"]
    note = f"Merging neighbours blocks {addresses(packing.added)} that no list names. "
    url = reverse("admin:devices_device_left_out", args=[device.pk])
    more = format_html('<a class="text-link" href="{}">Every prefix that is left out</a>', url)
    body = format_html(
        '{}<p class="quiet">{}{}</p>',
        dropped,
        note if merged else "",
        "" if packing.is_whole else more,
    )
    return (Panel(f"Cut to {packing.most:,} entries", body, name="cut"),)


def left_out_file(device: Device) -> HttpResponseBase:
    """Return every prefix that is left out, a line each; raises Http404."""
    try:
        return as_file(left_out_text(device), name=f"left-out-{device.nickname}.txt")
    except NothingLeftOut as error:
        raise Http404(str(error)) from error
    except (OSError, ValueError) as error:
        raise Http404(f"A list cannot be read: {error}") from error
