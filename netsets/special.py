"""Addresses that no policy may block: the special-purpose registries of IANA, and multicast.

Taken in: every entry of the two registries that is marked "not globally reachable", whatever the
registries leave open inside those entries, multicast, and NAT64's prefix, through which a host
without IPv4 reaches all of it. Left out of an entry: the more specific assignments inside it that
are marked globally reachable.
"""

from __future__ import annotations

from netsets.cidr import AddressSet

DOCUMENTATION = AddressSet.of(
    "192.0.2.0/24",  # TEST-NET-1, RFC 5737
    "198.51.100.0/24",  # TEST-NET-2, RFC 5737
    "203.0.113.0/24",  # TEST-NET-3, RFC 5737
    "2001:db8::/32",  # RFC 3849
    "3fff::/20",  # RFC 9637
)

_NOT_REACHABLE = AddressSet.of(
    "0.0.0.0/8",  # this network, RFC 791
    "10.0.0.0/8",  # private use, RFC 1918
    "100.64.0.0/10",  # shared address space, RFC 6598
    "127.0.0.0/8",  # loopback, RFC 1122
    "169.254.0.0/16",  # link local, RFC 3927
    "172.16.0.0/12",  # private use, RFC 1918
    "192.0.0.0/24",  # protocol assignments, RFC 6890
    "192.168.0.0/16",  # private use, RFC 1918
    "192.88.99.2/32",  # 6a44 relay anycast, RFC 6751
    "198.18.0.0/15",  # benchmarking, RFC 2544
    "224.0.0.0/4",  # multicast, RFC 5771
    "240.0.0.0/4",  # reserved, RFC 1112; holds the limited broadcast of RFC 919
    "::/128",  # unspecified, RFC 4291
    "::1/128",  # loopback, RFC 4291
    "::ffff:0:0/96",  # IPv4-mapped, RFC 4291
    "64:ff9b::/96",  # NAT64, RFC 6052
    "64:ff9b:1::/48",  # NAT64 for local use, RFC 8215
    "100::/64",  # discard only, RFC 6666
    "100:0:0:1::/64",  # dummy prefix, RFC 9780
    "2001::/23",  # protocol assignments, RFC 2928
    "5f00::/16",  # segment routing SIDs, RFC 9602
    "fc00::/7",  # unique local, RFC 4193
    "fe80::/10",  # link local, RFC 4291
    "ff00::/8",  # multicast, RFC 4291
)

_REACHABLE_INSIDE = AddressSet.of(
    "192.0.0.9/32",  # PCP anycast, RFC 7723
    "192.0.0.10/32",  # TURN anycast, RFC 8155
    "2001:1::1/128",  # PCP anycast, RFC 7723
    "2001:1::2/128",  # TURN anycast, RFC 8155
    "2001:1::3/128",  # DNS-SD registration anycast, RFC 9665
    "2001:3::/32",  # AMT, RFC 7450
    "2001:4:112::/48",  # AS112, RFC 7535
    "2001:20::/28",  # ORCHIDv2, RFC 7343
    "2001:30::/28",  # drone entity tags, RFC 9374
)

SPECIAL_PURPOSE = (_NOT_REACHABLE - _REACHABLE_INSIDE) | DOCUMENTATION

# What even a policy of bogons may not block. No router forwards most of it, so that a firewall
# loses nothing by leaving it out; but whoever loads the list into a host, or into a firewall's own
# input chain, would cut that host off from itself, from its link, or from everything.
NEVER_KEPT = AddressSet.of(
    "0.0.0.0/8",  # the source of whoever has no address yet (DHCP); to some firewalls "any"
    "127.0.0.0/8",  # a host speaking with itself
    "169.254.0.0/16",  # link local: never forwarded; a cloud's metadata service lives here
    "224.0.0.0/24",  # the link's own protocols: OSPF, VRRP, HSRP
    "255.255.255.255/32",  # limited broadcast: DHCP
    "::/127",  # unspecified and loopback
    "::ffff:0:0/96",  # all of IPv4, as a socket of both families shows it
    "64:ff9b::/96",  # all of IPv4, as a host without IPv4 reaches it
    "fe80::/10",  # link local: without it no neighbour and no router is found
    "ff01::/16",  # multicast within a host
    "ff02::/16",  # multicast on the link: neighbour discovery, OSPFv3, DHCPv6
)
