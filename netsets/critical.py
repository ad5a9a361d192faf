"""Public services without which a network stands still, whatever a list says of them.

Only addresses that their operators publish as fixed. A site may switch a group off, and protects
whatever else it needs by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from netsets.cidr import AddressSet
from netsets.cuts import Labelled

ROOT_SERVERS = "root name servers"
RESOLVERS = "public resolvers"
TIME_SERVERS = "public time servers"


def _labelled(*rows: tuple[str, ...]) -> tuple[Labelled, ...]:
    return tuple(Labelled(label, AddressSet.of(*addresses)) for label, *addresses in rows)


CRITICAL = MappingProxyType({
    # The hints file of IANA: https://www.internic.net/domain/named.root
    ROOT_SERVERS: _labelled(
        ("a.root-servers.net", "198.41.0.4", "2001:503:ba3e::2:30"),
        ("b.root-servers.net", "170.247.170.2", "2801:1b8:10::b"),
        ("c.root-servers.net", "192.33.4.12", "2001:500:2::c"),
        ("d.root-servers.net", "199.7.91.13", "2001:500:2d::d"),
        ("e.root-servers.net", "192.203.230.10", "2001:500:a8::e"),
        ("f.root-servers.net", "192.5.5.241", "2001:500:2f::f"),
        ("g.root-servers.net", "192.112.36.4", "2001:500:12::d0d"),
        ("h.root-servers.net", "198.97.190.53", "2001:500:1::53"),
        ("i.root-servers.net", "192.36.148.17", "2001:7fe::53"),
        ("j.root-servers.net", "192.58.128.30", "2001:503:c27::2:30"),
        ("k.root-servers.net", "193.0.14.129", "2001:7fd::1"),
        ("l.root-servers.net", "199.7.83.42", "2001:500:9f::42"),
        ("m.root-servers.net", "202.12.27.33", "2001:dc3::35"),
    ),
    RESOLVERS: _labelled(
        ("Google Public DNS", "8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"),
        ("Cloudflare", "1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),
        (
            "Cloudflare for families",
            *("1.1.1.2", "1.0.0.2", "2606:4700:4700::1112", "2606:4700:4700::1002"),
            *("1.1.1.3", "1.0.0.3", "2606:4700:4700::1113", "2606:4700:4700::1003"),
        ),
        (
            "Quad9",
            *("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"),
            *("9.9.9.10", "149.112.112.10", "2620:fe::10", "2620:fe::fe:10"),
            *("9.9.9.11", "149.112.112.11", "2620:fe::11", "2620:fe::fe:11"),
        ),
        (
            "OpenDNS",
            *("208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53"),
            *("208.67.222.123", "208.67.220.123"),
        ),
        (
            "AdGuard DNS",
            *("94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff"),
        ),
    ),
    TIME_SERVERS: _labelled(
        (
            "time.google.com",
            *("216.239.35.0", "216.239.35.4", "216.239.35.8", "216.239.35.12"),
            *("2001:4860:4806::", "2001:4860:4806:4::", "2001:4860:4806:8::", "2001:4860:4806:c::"),
        ),
        (
            "time.cloudflare.com",
            *("162.159.200.1", "162.159.200.123", "2606:4700:f1::1", "2606:4700:f1::123"),
        ),
    ),
})  # fmt: skip


def critical_services(groups: Iterable[str] = tuple(CRITICAL)) -> tuple[Labelled, ...]:
    """Return the services of these groups, each labelled with its group and name.

    Raises ValueError for a group that is none of CRITICAL.
    """
    chosen = tuple(groups)
    for group in chosen:
        if group not in CRITICAL:
            raise ValueError(f"{group!r} is no group of critical services: {', '.join(CRITICAL)}")
    return tuple(
        Labelled(f"{group}: {service.label}", service.addresses)
        for group in chosen
        for service in CRITICAL[group]
    )
