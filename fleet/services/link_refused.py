"""Why a device cannot be linked, or its link cannot be changed this way."""

from __future__ import annotations

from devices.models import Device
from devices.services import DeviceRefused
from fleet.models import Link


class LinkRefused(DeviceRefused):
    """What is asked of a link cannot be done; the message says why and what to do."""


class NoListsYet(LinkRefused):
    """The portal does not say yet where a device's lists are; it does within a minute or so."""


def link_of(device: Device) -> Link:
    """Return the link of a device, locked until the transaction ends.

    Raises LinkRefused where it is linked to no portal.
    """
    rows = Link.objects.select_for_update(of=("self",)).select_related("device__policy")
    link = rows.filter(device=device).first()
    if link is None:
        raise LinkRefused(f"{device} is linked to no portal: see 'tsadmin add --type auto'")
    return link
