"""What a primary is to serve: each key opens what is its device's, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given, strategies as st

from fleet.models import Entry
from fleet.primary.base import Key, Role
from fleet.protocol.base import DeviceKey
from fleet.protocol.keys import tsig_name, tsig_secret
from fleet.reports.effective import Effective, EffectiveSetting
from fleet.reports.place import PortalPlace
from fleet.reports.wanted import (
    Steered,
    content_digest,
    digest_of,
    policy_places,
    served,
    settings_for,
)
from policies.models import Policy

PLACE = PortalPlace("tscm.example", "portal.example", 853, "tls.example", (), Key("k", b"x" * 32))
FOLLOWED = (Policy(pk=1, name="one"), Policy(pk=2, name="two"))
_DEVICES = st.lists(
    st.tuples(
        st.sampled_from([None, *FOLLOWED]),
        st.integers(0, 2),  # keys
        st.sampled_from(["", "192.0.2.1", "2001:db8::1"]),
    ),
    max_size=6,
)


def steered(number: int, policy: Policy | None, keys: int, address: str) -> Steered:
    """Return a device entry with keys and an address of its own."""
    entry = Entry(pk=number, nickname=f"gw-{number}", device_id=f"tdid_{number}", kind="iptables")
    said = (
        EffectiveSetting("ip_type", "static", "default"),
        EffectiveSetting("public_ip", address, "entry"),
    )
    made = tuple(DeviceKey(n + 1, bytes([number, n]) * 16) for n in range(keys))
    return Steered(entry, Effective(said, policy, "entry", ()), made)


def publication(policy: Policy, *, by_address: bool = True, held: int | None = 7) -> Any:
    """Return how a policy is published, with the rows of its zones."""
    names = {"block": f"{policy.name}-netb.x", "allow": f"{policy.name}-neta.x"}
    zones = [
        SimpleNamespace(name=name, role=role, form="apl", snapshot_number=held)
        for role, name in names.items()
    ]
    return SimpleNamespace(
        policy=policy, policy_id=policy.pk, by_address=by_address, networks=["198.51.100.0/24"],
        zones=SimpleNamespace(all=lambda: zones),
    )  # fmt: skip


@given(devices=_DEVICES, by_address=st.booleans())
def test_each_key_opens_what_is_its_devices_and_nothing_else(
    devices: list[tuple[Policy | None, int, str]], by_address: bool
) -> None:
    fleet = [steered(number, *told) for number, told in enumerate(devices)]
    published = [publication(policy, by_address=by_address) for policy in FOLLOWED]
    wanted = served(fleet, published, place=PLACE)
    zones = {zone.name: zone for zone in wanted.zones}
    assert len(zones) == len(fleet) + 1 + 2 * len(published)
    for one in fleet:
        own = set(one.key_names)
        opened = {name for name, zone in zones.items() if own & set(zone.access.keys)}
        policy = one.effective.policy
        lists = {f"{policy.name}-netb.x", f"{policy.name}-neta.x"} if policy else set()
        mine = {f"{one.entry.device_id}.device.tscm.example"} | lists
        assert opened == (mine if own else set())
        grants = {grant.name for grant in zones["status.tscm.example"].grants if grant.key in own}
        assert grants == ({f"{one.entry.device_id}.status.tscm.example"} if own else set())
        assert {key.secret for key in wanted.keys if key.name in own} == {
            tsig_secret(one.entry.device_id, key) for key in one.keys
        }
    for zone in wanted.zones:
        if zone.role is not Role.POLICY:
            assert zone.access.networks == ()
            continue
        name = zone.name.partition("-")[0]
        addresses = {
            one.networks[0]
            for one in fleet
            if one.networks and getattr(one.effective.policy, "name", "") == name
        }
        assert set(zone.access.networks) == {"198.51.100.0/24"} | (
            addresses if by_address else set()
        )


def test_anything_that_differs_is_served_anew() -> None:
    one = steered(1, FOLLOWED[0], 1, "192.0.2.1")
    published = [publication(FOLLOWED[0])]
    digest = digest_of(served([one], published, place=PLACE))
    assert digest == digest_of(served([one], published, place=PLACE))
    other_key = replace(one, keys=(DeviceKey(1, b"z" * 32),))
    elsewhere = steered(1, FOLLOWED[0], 1, "192.0.2.2")
    follows_none = steered(1, None, 1, "192.0.2.1")
    changed = [[other_key], [elsewhere], [follows_none], [one, steered(2, None, 1, "")], []]
    digests = {digest_of(served(fleet, published, place=PLACE)) for fleet in changed}
    assert len(digests | {digest}) == len(changed) + 1


def test_devices_are_told_of_a_snapshot_once_all_zones_hold_it() -> None:
    policy = Policy(pk=1, name="one")
    row = publication(policy)
    row.zones.all()[0].snapshot_number = 8
    assert policy_places([row], place=PLACE)[1].snapshot == 7
    row.zones.all()[1].snapshot_number = None
    assert policy_places([row], place=PLACE)[1].snapshot is None


def test_of_a_policy_that_is_not_published_yet_only_that_there_will_be_one_is_told() -> None:
    one = steered(1, FOLLOWED[0], 1, "192.0.2.1")
    assert settings_for(one, {}).values == {"public_ip": "192.0.2.1", "block_list": None}
    places = policy_places([publication(FOLLOWED[0])], place=PLACE)
    assert settings_for(one, places).values == {"public_ip": "192.0.2.1"}
    nobody = Steered(one.entry, replace(one.effective, policy=None, policy_origin="default"), ())
    assert settings_for(nobody, places).values == {"public_ip": "192.0.2.1"}


def test_policies_come_from_the_secondaries_where_there_are_any() -> None:
    policy = Policy(pk=1, name="one")
    own = policy_places([publication(policy)], place=PLACE)[1]
    assert (own.servers, own.port, own.tls_name) == (("portal.example",), 853, "tls.example")
    secondaries = replace(PLACE, secondaries=("ns1.example", "ns2.example:853"))
    theirs = policy_places([publication(policy)], place=secondaries)[1]
    assert theirs.servers == ("ns1.example", "ns2.example:853")
    assert (theirs.port, theirs.tls, theirs.tls_name) == (5353, True, "")


def test_a_digest_tells_secrets_apart_and_keys_too() -> None:
    entry = Entry(
        nickname="gw-1", device_id="tdid_1", kind="iptables",
        secrets='{"upload_proxy_password": "sesame"}',
    )  # fmt: skip
    one = replace(steered(1, None, 1, ""), entry=entry)
    settings, keys = settings_for(one, {}), one.keys
    assert settings.secrets == {"upload_proxy_password": "sesame"}
    digest = content_digest(settings, zone="z", keys=keys)
    others = (
        content_digest(replace(settings, secrets={}), zone="z", keys=keys),
        content_digest(settings, zone="other", keys=keys),
        content_digest(settings, zone="z", keys=[DeviceKey(2, keys[0].secret)]),
        content_digest(settings, zone="z", keys=[DeviceKey(1, b"z" * 32)]),
        content_digest(settings, zone="z", keys=[*keys, DeviceKey(2, b"z" * 32)]),
        content_digest(replace(settings, next_key=DeviceKey(2, b"y" * 32)), zone="z", keys=keys),
    )
    assert len({digest, *others}) == len(others) + 1
    assert digest == content_digest(settings, zone="z", keys=keys)


def test_the_names_of_keys_follow_their_generations() -> None:
    assert steered(1, None, 2, "").key_names == (tsig_name("tdid_1", 1), tsig_name("tdid_1", 2))
