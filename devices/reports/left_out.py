"""What a device that is too small for its policy does not get, prefix by prefix."""

from __future__ import annotations

from collections.abc import Iterator

from devices.models import Device
from netsets.cidr import AddressSet
from netsets.render.text import stream
from policies.models import Packing
from policies.store import get_set


class NothingLeftOut(Exception):
    """The device gets all of its policy; the message says so."""


def left_out_text(device: Device) -> Iterator[bytes]:
    """Yield the prefixes that the device does not get as text, a line each, in order.

    Raises NothingLeftOut, and OSError or ValueError where a file is lost; both at once.
    """
    packing = device.packing
    if packing is None or packing.is_whole:
        raise NothingLeftOut(f"nothing of its policy is left out for {device.nickname}")
    return stream(_left_out(packing).prefixes())


def _left_out(packing: Packing) -> AddressSet:
    return get_set(packing.snapshot.block_digest) - get_set(packing.block_digest)
