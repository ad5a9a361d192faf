"""From a line to its event, whichever firewall wrote it."""

from __future__ import annotations

from logs.parsers import asa, firepower, fortigate, ios, netfilter, panos
from logs.parsers.base import NOT_OURS, Arrival, Event, Miss, Parser

VERSION = 1  # raised when any parser improves, so that kept batches are parsed again

# In the order in which they are tried.
PARSERS: dict[str, Parser] = {
    "firepower": firepower.parse,
    "netfilter": netfilter.parse,
    "asa": asa.parse,
    "panos": panos.parse,
    "fortigate": fortigate.parse,
    "ios": ios.parse,
}
# A line with none of a brand's signs is not shown to its parser.
SIGNS: dict[str, tuple[bytes, ...]] = {
    "firepower": (b"-43000", b"SFIMS", b"SrcIP: "),
    "netfilter": (b"OUT=",),
    "asa": (b"%ASA", b"%FTD", b"%PIX", b"%FWSM", b"%NGIPS"),
    "panos": (b",TRAFFIC,", b",THREAT,"),
    "fortigate": (b"devid=", b"logid="),
    "ios": (b"ACCESSLOG",),
}


def parse_line(line: bytes, arrival: Arrival) -> Event | Miss:
    """Return what a line says, by the first brand that knows it as its own; never raises."""
    for brand, parse in PARSERS.items():
        if any(sign in line for sign in SIGNS[brand]):
            found = parse(line, arrival)
            if found is not NOT_OURS:
                return found
    return NOT_OURS
