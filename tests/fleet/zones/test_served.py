"""Published policies at a real BIND and a real Knot, and what each kind of client takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from fleet.zones import FORMS, Lists
from netsets import cidr
from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources import zone_transfer
from policies.sources.base import Deadline, Retrieved
from policies.sources.dns_list import DnsListSource
from policies.sources.zone_errors import HalfWritten, NotAsPublished
from tests.fakes.authority import Authority, write_zone
from tests.fakes.bind import Bind, BindMissing
from tests.fakes.knot import Knot, KnotMissing
from tests.fakes.tsig import TsigKey
from tests.fleet.zones.published import (
    NOTHING,
    differ,
    rendered,
    some_prefixes,
    update,
    write,
    zone_of,
)
from tests.policies.sources.zones import addresses, transfer, transferred

KEY = TsigKey()
LARGE = some_prefixes(91_000, seed=11)  # 100,000 prefixes
BLOCK = some_prefixes(5000, seed=12) | AddressSet.of("192.0.2.0/24", "2001:db8:1::/120")
ALLOW = AddressSet.of("198.51.100.7", "2001:db8:2::/64")
SMALL = AddressSet.of("198.51.100.7", "2001:db8:2::2")
LISTED = ["apl", "a", "txt"]


def served(kind: str, zones: dict[str, Path], *, policy: str = "") -> Authority:
    try:
        if kind == "knot":
            return Knot(zones, keys=[KEY])
        return Bind(zones, keys=[KEY], policy=policy)
    except (BindMissing, KnotMissing) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["bind", "knot"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Authority]:
    """Serve the same policy in every form."""
    folder, zones = tmp_path_factory.mktemp("zones"), dict[str, Path]()
    for form in FORMS:
        for lists in (Lists.BLOCK, Lists.ALLOW):
            zone = zone_of(form, lists)
            body = rendered(form, lists, block=BLOCK, allow=SMALL).body
            zones[zone] = write(folder, zone, body)
    with served(request.param, zones) as server:
        yield server


@pytest.fixture(params=["bind", "knot"])
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Authority]:
    """Serve a large list, a list of nothing, and a response policy."""
    contents = {
        zone_of("apl"): rendered("apl", block=LARGE).body,
        zone_of("apl", Lists.ALLOW): rendered("apl", Lists.ALLOW).body,
        zone_of("rpz"): rendered("rpz", block=BLOCK, allow=ALLOW).body,
    }
    zones = {zone: write(tmp_path, zone, body) for zone, body in contents.items()}
    with served(request.param, zones) as server:
        yield server


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_transferred_and_proven(server: Authority, form: str) -> None:
    held = BLOCK - SMALL if form == "rpz" else BLOCK
    settings = {"must_prove": True, **KEY.settings}
    assert addresses(transferred(server.server, name=zone_of(form), **settings)) == held
    allowed = transferred(server.server, name=zone_of(form, Lists.ALLOW), take="allow", **settings)
    assert addresses(allowed) == SMALL


@pytest.mark.parametrize("form", LISTED)
def test_a_list_is_read_by_who_asks_for_names_alone(server: Authority, form: str) -> None:
    for lists, wanted in ((Lists.BLOCK, BLOCK), (Lists.ALLOW, SMALL)):
        source = DnsListSource.from_settings(
            {"name": zone_of(form, lists), "servers": [server.server]}
        )
        found = decode(source.retrieve(known=None, deadline=Deadline.after(20)))
        assert found.addresses == wanted
        assert not found.skipped


def test_an_empty_list_is_transferred_as_meant(own_server: Authority) -> None:
    name = zone_of("apl", Lists.ALLOW)
    first = transferred(own_server.server, name=name, take="allow", **KEY.settings)
    assert addresses(first) == NOTHING
    old, new = (rendered("apl", Lists.ALLOW, allow=held).body for held in (NOTHING, ALLOW))
    update(own_server, name, KEY, old, new)
    second = transferred(own_server.server, name=name, take="allow", known=first, **KEY.settings)
    assert addresses(second) == ALLOW


def test_a_large_list_is_taken_whole_and_then_by_what_changed(
    own_server: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = zone_of("apl")
    first = transferred(own_server.server, name=name, must_prove=True, **KEY.settings)
    assert addresses(first) == LARGE
    assert len(LARGE.prefixes()) >= 100_000
    gone = cidr.from_addresses4(LARGE.prefixes().v4_first[::2000])
    changed = (LARGE - gone) | some_prefixes(50, seed=13)
    old, new = (rendered("apl", block=held).body for held in (LARGE, changed))
    assert sum(map(len, differ(old, new))) < 0.06 * old.count(b"\n")
    update(own_server, name, KEY, old, new)
    with monkeypatch.context() as patched:
        patched.setattr(zone_transfer.Conversation, "whole", None)
        patched.setattr(zone_transfer.Conversation, "read_whole", None)
        second = transferred(own_server.server, name=name, known=first, **KEY.settings)
    assert addresses(second) == changed


def test_a_response_policy_zone_is_taken_by_what_changed(own_server: Authority) -> None:
    name = zone_of("rpz")
    first = transferred(own_server.server, name=name, **KEY.settings)
    old, new = (
        rendered("rpz", block=block, allow=ALLOW).body
        for block in (BLOCK, BLOCK | AddressSet.of("203.0.113.0/25"))
    )
    update(own_server, name, KEY, old, new)
    second = transferred(own_server.server, name=name, known=first, **KEY.settings)
    assert addresses(second) == (BLOCK | AddressSet.of("203.0.113.0/25")) - ALLOW


def test_a_list_that_is_being_written_or_was_damaged_is_not_taken(own_server: Authority) -> None:
    name, body = zone_of("apl"), rendered("apl", block=LARGE).body.decode()
    first = transferred(own_server.server, name=name, **KEY.settings)
    (digest,) = (x.replace("\t", " ") for x in body.splitlines() if x.startswith("digest"))

    def failing(fault: type[Exception], known: Retrieved | None = None) -> None:
        with pytest.raises(fault, match=rf"^zone {name} could not be transferred\."):
            transfer(own_server.server, name=name, known=known, **KEY.settings)

    own_server.change(name, KEY, delete=[digest])
    failing(HalfWritten, known=first)
    failing(HalfWritten)
    own_server.change(name, KEY, add=["more APL 1:203.0.113.0/25", digest])
    failing(NotAsPublished, known=first)
    failing(NotAsPublished)
    own_server.change(name, KEY, delete=["more APL 1:203.0.113.0/25"])
    second = transferred(own_server.server, name=name, known=first, **KEY.settings)
    assert addresses(second) == LARGE


# A response policy in force.

POLICY_BLOCK = AddressSet.of(
    *("192.0.2.0/24", "198.51.100.0/23", "203.0.113.9", "2001:db8::/33"),
    *("2001:db8:8000:0:1::/80", "2001:db8:9000::2:0:0:1", "2001:0:0:1::2:0", "2001:db8:a::1:0"),
)
POLICY_ALLOW = AddressSet.of("192.0.2.7", "2001:db8:1::/48")
ANSWERS = [
    *("192.0.2.1", "192.0.2.7", "198.51.101.255", "198.51.102.0", "203.0.113.9", "203.0.113.10"),
    *("2001:db8::1", "2001:db8:1::1", "2001:db8:7fff::1", "2001:db8:8000::1"),
    *("2001:db8:8000:0:1::5", "2001:db8:9000::2:0:0:1", "2001:db8:9000:0:0:2:0:2"),
    *("2001:0:0:1::2:0", "2001:0:0:1::2:1", "2001:db8:a::1:0", "2001:db8:a::1:1"),
]


def answered(server: Authority, name: str, rdtype: str) -> bool:
    """Tell whether a server gives the address that a name has."""
    query = dns.message.make_query(name, rdtype)
    answer = dns.query.tcp(query, "127.0.0.1", timeout=10, port=server.port)
    assert answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
    return bool(answer.answer)


def test_bind_enforces_a_published_response_policy(tmp_path: Path) -> None:
    body = rendered("rpz", block=POLICY_BLOCK, allow=POLICY_ALLOW).body
    types = ["AAAA" if ":" in address else "A" for address in ANSWERS]
    names = [
        f"n{number} {rdtype} {address}"
        for number, (rdtype, address) in enumerate(zip(types, ANSWERS, strict=True))
    ]
    zones = {
        zone_of("rpz"): write(tmp_path, zone_of("rpz"), body),
        "site.example": write_zone(tmp_path / "site.example", names),
    }
    with served("bind", zones, policy=zone_of("rpz")) as bind:
        given = [
            address
            for number, (rdtype, address) in enumerate(zip(types, ANSWERS, strict=True))
            if answered(bind, f"n{number}.site.example.", rdtype)
        ]
        assert "canonical" not in bind.log()
    blocked = POLICY_BLOCK - POLICY_ALLOW
    assert given == [address for address in ANSWERS if address not in blocked]
