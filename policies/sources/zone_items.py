"""What one record of a zone means, as dnspython reads it: the exact and slow way.

`zone_fast` has a fast way for the plain cases, and both must agree.

RPZ owners are `LENGTH.ADDRESS.rpz-ip.ZONE`, the address backwards, as BIND writes them:
`24.0.2.0.192` is 192.0.2.0/24, and `32.zz.db8.2001` is 2001:db8::/32 (`zz` for `::`). A trigger
written in any other way is skipped, as BIND does.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import dns.ipv4
import dns.ipv6
import dns.name
import dns.rdatatype
from dns.rdata import Rdata
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.APL import APL, APLItem

from policies.sources.zone_records import Item, Kind

IP_TRIGGER = b"rpz-ip"
TRIGGERS = (IP_TRIGGER, b"rpz-client-ip", b"rpz-nsip", b"rpz-nsdname")
ACTIONS = {
    b"": Kind.BLOCKED,  # NXDOMAIN
    b"*": Kind.BLOCKED,  # NODATA
    b"rpz-drop": Kind.BLOCKED,
    b"rpz-passthru": Kind.PASSED,
}
TCP_ONLY = b"rpz-tcp-only"
# What keeps a zone together: neither entries nor worth a count.
MACHINERY = frozenset(
    {
        *(RdataType.SOA, RdataType.NS, RdataType.DS, RdataType.RRSIG, RdataType.NSEC),
        *(RdataType.NSEC3, RdataType.NSEC3PARAM, RdataType.DNSKEY, RdataType.CDS),
        *(RdataType.CDNSKEY, RdataType.ZONEMD, RdataType.CSYNC),
    }
)

LOCAL_DATA = "local data of a response policy"
BY_NAME = "RPZ trigger by name"
HOST_BITS = "RPZ trigger with bits below its length"
NOT_CANONICAL = "RPZ trigger not written as BIND reads it"
NAME_SERVER = "address of a name server of the zone"
ALIAS = "CNAME record"
BY_TCP = "RPZ action rpz-tcp-only"
OTHER_TRIGGER = {trigger: f"RPZ trigger {trigger.decode()}" for trigger in TRIGGERS}
IS_RPZ = frozenset({LOCAL_DATA, BY_NAME, HOST_BITS, NOT_CANONICAL, BY_TCP, *OTHER_TRIGGER.values()})

_APART = re.compile(rb"[\s,]+")
# What a zone says of its own list, by owner. In any other words it is a text like others.
_PROOFS = {
    b"count": re.compile(rb"v4=[0-9]{1,10} v6=[0-9]{1,10}"),
    b"digest": re.compile(rb"sha256=[0-9a-f]{64}"),
    b"snapshot": re.compile(rb"[0-9]{1,10}"),
}
_BITS = {1: 32, 2: 128}  # by address family of an APL item
_LENGTH = re.compile(r"[1-9][0-9]{0,2}")

Labels = tuple[bytes, ...]  # lowercased, of a name within the zone, the zone's own left out


def skipped(reason: str) -> Item:
    """Return the item that counts a record of no use."""
    return Item(Kind.SKIPPED, text=reason)


def labels_in(name: dns.name.Name, zone: dns.name.Name) -> Labels | None:
    """Return the labels of `name` below `zone`, lowercased; None where it is not in it."""
    if not name.is_subdomain(zone):
        return None
    return tuple(label.lower() for label in name.labels[: len(name.labels) - len(zone.labels)])


def items_of(owner: Labels, rdata: Rdata, *, at_name_server: bool) -> Iterator[Item]:
    """Yield what one record says; `at_name_server`: NS records point to its owner."""
    rdtype = rdata.rdtype
    trigger = owner[-1] if owner and owner[-1] in TRIGGERS else b""
    if rdtype in MACHINERY:
        return
    if isinstance(rdata, CNAME):
        yield _alias(owner, trigger, action_of(rdata.target))
    elif trigger:
        yield skipped(LOCAL_DATA)
    elif isinstance(rdata, A | AAAA):
        yield skipped(NAME_SERVER) if at_name_server else _address(rdata)
    elif isinstance(rdata, APL):
        for item in rdata.items:
            yield from _apl(item)
    elif isinstance(rdata, TXT):
        yield from _text(owner, b" ".join(rdata.strings))
    else:
        yield skipped(f"{dns.rdatatype.to_text(rdtype)} record")


def _text(owner: Labels, text: bytes) -> Iterator[Item]:
    proof = _PROOFS.get(owner[0]) if len(owner) == 1 else None
    if proof is not None and proof.fullmatch(text):
        yield Item(Kind.PROOF, text=f"{owner[0].decode()} {text.decode()}")
        return
    for token in _APART.split(text):
        if token:
            yield Item(Kind.TOKEN, text=token.decode("latin-1"))


def action_of(target: dns.name.Name) -> bytes | None:
    """Return the policy action that a CNAME's target stands for, None where it is a name."""
    word = target.labels[0].lower()
    is_word = len(target.labels) <= 2
    return word if is_word and (word in ACTIONS or word == TCP_ONLY) else None


def _alias(owner: Labels, trigger: bytes, action: bytes | None) -> Item:
    if not trigger:
        return skipped(ALIAS if action is None else BY_NAME)
    if action is None:
        return skipped(LOCAL_DATA)
    if action == TCP_ONLY:
        return skipped(BY_TCP)
    if trigger != IP_TRIGGER:
        return skipped(OTHER_TRIGGER[trigger])
    return ip_trigger(owner[:-1], ACTIONS[action])


def ip_trigger(labels: Labels, kind: Kind) -> Item:
    """Return the prefix that `LENGTH.ADDRESS` stands for, or why it is none."""
    if len(labels) < 2:
        return skipped(NOT_CANONICAL)
    length, *backwards = (label.decode("latin-1") for label in labels)
    words = backwards[::-1]
    version, text = 6, ":".join("" if word == "zz" else word for word in words)
    if len(words) == 4 and "zz" not in words:
        version, text = 4, ".".join(words)
    elif "zz" in words:
        text = (":" if words[0] == "zz" else "") + text + (":" if words[-1] == "zz" else "")
    address = _canonical(text, version)
    if address is None or not _LENGTH.fullmatch(length) or int(length) > address.max_prefixlen:
        return skipped(NOT_CANONICAL)
    if int(address) & ((1 << (address.max_prefixlen - int(length))) - 1):
        return skipped(HOST_BITS)
    return Item(kind, version, int(address), int(length))


def _canonical(text: str, version: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address; None where BIND would write it otherwise (leading zeros, case)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version != version or "." in text * (version == 6) or "%" in text:
        return None
    plain = all(len(word) == 1 or word[0] != "0" for word in re.split("[.:]+", text) if word)
    return address if plain else None


def _address(rdata: A | AAAA) -> Item:
    if isinstance(rdata, A):
        packed = dns.ipv4.inet_aton(rdata.address)
        return Item(Kind.ADDRESS, 4, int.from_bytes(packed, "big"), 32)
    packed = dns.ipv6.inet_aton(rdata.address)
    return Item(Kind.ADDRESS, 6, int.from_bytes(packed, "big"), 128)


def _apl(item: APLItem) -> Iterator[Item]:
    bits = _BITS.get(item.family)
    if bits is None:
        yield skipped(f"APL item of address family {item.family}")
        return
    packed = dns.ipv4.inet_aton(item.address) if bits == 32 else dns.ipv6.inet_aton(item.address)
    number = int.from_bytes(packed, "big")
    below = (1 << (bits - item.prefix)) - 1
    if number & below:
        yield Item(Kind.CLEARED)
    kind = Kind.NEGATED if item.negation else Kind.LISTED
    yield Item(kind, 4 if bits == 32 else 6, number & ~below, item.prefix)
