"""Zones transferred from a real BIND and a real Knot, whole and by what changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from netsets.cidr import AddressSet
from policies.sources import zone_transfer
from policies.sources.dns_errors import Refused
from policies.sources.zone_errors import KeyRefused, KeyUnknown, NotAuthoritative
from policies.sources.zone_records import ZoneRecords
from tests.fakes.authority import Authority, write_zone
from tests.fakes.bind import Bind, BindMissing
from tests.fakes.knot import Knot, KnotMissing
from tests.fakes.tsig import TsigKey
from tests.policies.sources.zones import ZONE, addresses, transfer, transferred

KEY = TsigKey()
LARGE = "large.example"
POLICY = "policy.example"
MIXED = "mixed.example"

RECORDS = [
    *(f"a{number} A 198.51.100.{number}" for number in range(1, 200)),
    *(f"same AAAA 2001:db8::{number:x}" for number in range(1, 50)),
]
EXPECTED = AddressSet.of("198.51.100.1-198.51.100.199", "2001:db8::1-2001:db8::31")


def large() -> list[str]:
    """Return more records than a message holds, at few names and at many."""
    at_few = [f"few{n % 10} A 203.0.{n >> 8}.{n & 255}" for n in range(20_000)]
    return at_few + [f"many-{n} A 192.0.{n >> 8}.{n & 255}" for n in range(20_000)]


RPZ = [
    "32.1.2.0.192.rpz-ip CNAME .",
    "24.0.100.51.198.rpz-ip CNAME *.",
    "32.7.100.51.198.rpz-ip CNAME rpz-passthru.",
    "25.0.113.0.203.rpz-ip CNAME rpz-drop.",
    "26.0.113.0.203.rpz-ip CNAME rpz-passthru.",
    "27.0.113.0.203.rpz-ip CNAME .",
    "32.zz.db8.2001.rpz-ip CNAME .",
    "128.1.zz.db8.2001.rpz-ip CNAME rpz-passthru.",
    "24.0.0.0.233.rpz-ip CNAME rpz-tcp-only.",
    "32.9.9.9.233.rpz-ip A 192.0.2.80",
    "32.9.2.0.192.rpz-client-ip CNAME .",
    "32.9.2.0.192.rpz-nsip CNAME .",
    "bad.example.com CNAME .",
    "worse.example.com A 192.0.2.81",
]
BLOCKED = AddressSet.of(
    *("192.0.2.1", "198.51.100.0-198.51.100.6", "198.51.100.8-198.51.100.255"),
    *("203.0.113.64-203.0.113.127", "203.0.113.0/27"),
    *("2001:db8::", "2001:db8::2-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
)
ALLOWED = AddressSet.of("198.51.100.7", "203.0.113.32/27", "2001:db8::1")

OTHERS = [
    "apl APL 1:192.0.2.0/24 !1:192.0.2.128/26 2:2001:db8::/32",
    'txt TXT "198.51.100.1 198.51.100.2,203.0.113.0/25" "203.0.113.200-203.0.113.201"',
    "mail MX 10 mail.example.com.",
    "alias CNAME www.example.com.",
]
OTHERS_EXPECTED = AddressSet.of(
    *("192.0.2.0/25", "192.0.2.192/26", "2001:db8::/32", "198.51.100.1", "198.51.100.2"),
    *("203.0.113.0/25", "203.0.113.200", "203.0.113.201"),
)


@contextmanager
def served(kind: str, folder: Path) -> Iterator[Authority]:
    contents = {ZONE: RECORDS, POLICY: RPZ, MIXED: OTHERS}
    zones = {origin: write_zone(folder / origin, lines) for origin, lines in contents.items()}
    if kind.startswith("large"):
        zones = {LARGE: write_zone(folder / LARGE, large())}
    try:
        server: Authority = (Bind if kind.endswith("bind") else Knot)(zones, keys=[KEY])
    except (BindMissing, KnotMissing) as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="module", params=["bind", "knot"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Authority]:
    with served(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(params=["bind", "knot"])
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Authority]:
    with served(request.param, tmp_path) as server:
        yield server


def test_takes_a_zone_whole(server: Authority) -> None:
    retrieved = transferred(server.server, **KEY.settings)
    assert retrieved.version == "1"
    assert retrieved.server == server.address
    assert addresses(retrieved) == EXPECTED


@pytest.mark.parametrize("kind", ["bind", "knot"])
def test_takes_a_zone_of_many_messages(kind: str, tmp_path: Path) -> None:
    with served(f"large {kind}", tmp_path) as server:
        retrieved = transferred(server.server, name=LARGE, **KEY.settings)
    assert addresses(retrieved).count == 40_000


def test_takes_what_a_response_policy_zone_blocks(server: Authority) -> None:
    assert addresses(transferred(server.server, name=POLICY, **KEY.settings)) == BLOCKED


def test_takes_what_a_response_policy_zone_allows(server: Authority) -> None:
    retrieved = transferred(server.server, name=POLICY, take="allow", **KEY.settings)
    assert retrieved.format == "zone-allow"
    assert addresses(retrieved) == ALLOWED


def test_takes_apl_and_txt_records(server: Authority) -> None:
    assert addresses(transferred(server.server, name=MIXED, **KEY.settings)) == OTHERS_EXPECTED


def test_what_is_kept_of_another_zone_or_damaged_is_not_built_upon(own_server: Authority) -> None:
    first = transferred(own_server.server, **KEY.settings)
    other = transferred(own_server.server, name=MIXED, **KEY.settings)
    own_server.change(ZONE, KEY, delete=["a1 A 198.51.100.1"])
    for keep in (other.keep, b"", first.keep[:-1], b"x" + first.keep):
        second = transferred(own_server.server, known=replace(first, keep=keep), **KEY.settings)
        assert addresses(second) == EXPECTED - AddressSet.of("198.51.100.1")


def test_a_zone_at_the_serial_held_is_not_transferred(server: Authority) -> None:
    first = transferred(server.server, **KEY.settings)
    assert transfer(server.server, known=first, **KEY.settings) is None


def test_takes_only_what_changed(own_server: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    first = transferred(own_server.server, **KEY.settings)
    own_server.change(ZONE, KEY, add=["new A 192.0.2.1", "new A 192.0.2.2"])
    own_server.change(ZONE, KEY, delete=["a1 A 198.51.100.1", "new A 192.0.2.2"])
    with monkeypatch.context() as patched:
        patched.setattr(zone_transfer.Conversation, "whole", None)
        patched.setattr(zone_transfer.Conversation, "read_whole", None)
        second = transferred(own_server.server, known=first, **KEY.settings)
    assert int(second.version or "") > int(first.version or "")
    assert addresses(second) == (EXPECTED | AddressSet.of("192.0.2.1")) - AddressSet.of(
        "198.51.100.1"
    )
    assert addresses(second) == addresses(transferred(own_server.server, **KEY.settings))


def test_takes_what_changed_in_a_response_policy_zone(own_server: Authority) -> None:
    first = transferred(own_server.server, name=POLICY, **KEY.settings)
    own_server.change(
        POLICY,
        KEY,
        delete=["32.7.100.51.198.rpz-ip CNAME rpz-passthru."],
        add=["32.200.2.0.192.rpz-ip CNAME ."],
    )
    second = transferred(own_server.server, name=POLICY, known=first, **KEY.settings)
    assert addresses(second) == BLOCKED | AddressSet.of("192.0.2.200", "198.51.100.7")


def test_an_increment_that_does_not_fit_what_is_held_is_dropped_for_the_whole_zone(
    own_server: Authority,
) -> None:
    first = transferred(own_server.server, **KEY.settings)
    own_server.change(ZONE, KEY, delete=["a1 A 198.51.100.1"])
    empty = ZoneRecords.of(ZONE, [], frozenset()).encode()
    second = transferred(own_server.server, known=replace(first, keep=empty), **KEY.settings)
    assert addresses(second) == EXPECTED - AddressSet.of("198.51.100.1")


def test_a_change_of_name_servers_is_taken_whole(own_server: Authority) -> None:
    first = transferred(own_server.server, **KEY.settings)
    own_server.change(ZONE, KEY, add=[f"{ZONE}. NS a1.{ZONE}."])
    second = transferred(own_server.server, known=first, **KEY.settings)
    assert addresses(second) == EXPECTED - AddressSet.of("198.51.100.1")


@pytest.mark.parametrize("algorithm", ["hmac-sha384", "hmac-sha512", "hmac-sha1", "hmac-md5"])
def test_takes_a_zone_with_each_algorithm(algorithm: str, tmp_path: Path) -> None:
    key = TsigKey(algorithm=algorithm)
    zone = write_zone(tmp_path / "zone", RECORDS)
    try:
        bind = Bind({ZONE: zone}, keys=[key])
    except BindMissing as error:
        pytest.skip(str(error))
    allowed = {"weak_algorithms": [algorithm]} if algorithm in {"hmac-sha1", "hmac-md5"} else {}
    with bind:
        assert addresses(transferred(bind.server, **key.settings, **allowed)) == EXPECTED


def test_refuses_without_a_key(server: Authority) -> None:
    with pytest.raises((Refused, NotAuthoritative), match=f"^zone {ZONE} could not be transferred"):
        transfer(server.server)


def test_says_that_the_server_does_not_know_the_key(server: Authority) -> None:
    key = TsigKey(name="other-key")
    with pytest.raises(KeyUnknown, match="does not know the key"):
        transfer(server.server, **key.settings)


def test_says_that_the_secret_is_another(server: Authority) -> None:
    key = TsigKey(secret="b3RoZXI=")
    with pytest.raises(KeyRefused, match="does not accept our signature"):
        transfer(server.server, **key.settings)


def test_says_that_the_server_has_no_such_zone(server: Authority) -> None:
    with pytest.raises((Refused, NotAuthoritative), match="could not be transferred"):
        transfer(server.server, name="other.example", **KEY.settings)
