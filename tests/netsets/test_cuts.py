"""What is taken out of a block list, and because of what."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet, from_addresses4
from netsets.compile import Compiled, compile_policy
from netsets.critical import CRITICAL, RESOLVERS, ROOT_SERVERS, critical_services
from netsets.cuts import MAX_ITEMS, Cut, CutItem, Labelled, cut, together
from netsets.guard import Guard
from netsets.special import SPECIAL_PURPOSE
from tests.netsets.helpers import build, networks, pairs, spread

Pair = tuple[set[int], set[int]]


def without(
    *block: str,
    protected: tuple[Labelled, ...] = (),
    critical: tuple[Labelled, ...] = (),
) -> Compiled:
    return compile_policy(
        block=[AddressSet.of(*block)],
        allow=[],
        guard=Guard(),
        protected=protected,
        critical=critical,
        previous=None,
    )


def named(compiled: Compiled) -> dict[str, Cut]:
    return {each.reason: each for each in compiled.cuts}


@given(pairs(), pairs())
def test_a_cut_agrees_with_plain_sets(block: Pair, gone: Pair) -> None:
    left, told = cut(build(block), build(gone), reason="allowed")
    assert spread(left) == (block[0] - gone[0], block[1] - gone[1])
    assert told.addresses == len(block[0] & gone[0]) + len(block[1] & gone[1])
    removed = trimmed = 0
    for network in networks(build(block).prefixes()):
        held = {int(address) for address in network}
        rest = held - gone[0 if network.version == 4 else 1]
        removed += not rest
        trimmed += bool(rest) and rest != held
    assert (told.removed, told.trimmed) == (removed, trimmed)


@given(pairs(), st.lists(pairs(), max_size=5))
def test_every_item_that_cut_something_is_told_and_no_other(block: Pair, gone: list[Pair]) -> None:
    items = [Labelled(f"item {at}", build(pair)) for at, pair in enumerate(gone)]
    _, told = cut(build(block), together(items), reason="protected", items=items)
    expected = [
        CutItem(f"item {at}", len(block[0] & v4) + len(block[1] & v6))
        for at, (v4, v6) in enumerate(gone)
        if block[0] & v4 or block[1] & v6
    ]
    assert list(told.items) == expected
    assert told.items_total == len(expected)


def test_a_cut_names_the_first_items_and_counts_all() -> None:
    items = [
        Labelled(f"host {n}", from_addresses4(np.array([(20 << 24) + n], np.uint32)))
        for n in range(MAX_ITEMS + 50)
    ]
    left, told = cut(AddressSet.of("20.0.0.0/16"), together(items), reason="protected", items=items)
    assert len(told.items) == MAX_ITEMS
    assert told.items_total == told.addresses == MAX_ITEMS + 50
    assert left.count == 2**16 - MAX_ITEMS - 50


def test_failure_4_resolvers_and_root_servers_are_never_blocked_and_each_cut_is_named() -> None:
    compiled = without(
        *("8.8.8.0/24", "1.1.1.1", "198.41.0.0/24", "2001:4860:4860::/48", "5.6.7.8"),
        protected=(
            Labelled("default gateway", AddressSet.of("5.6.7.8")),
            Labelled("log target", AddressSet.of("9.8.7.6")),
        ),
        critical=critical_services(),
    )
    told = named(compiled)
    assert told["protected"].items == (CutItem("default gateway", 1),)
    assert told["critical"].items == (
        CutItem("root name servers: a.root-servers.net", 1),
        CutItem("public resolvers: Google Public DNS", 3),
        CutItem("public resolvers: Cloudflare", 1),
    )
    assert (told["critical"].removed, told["critical"].trimmed) == (1, 3)
    assert not compiled.block & together(critical_services())


def test_what_is_protected_is_not_counted_again_as_critical() -> None:
    own = (Labelled("resolver in use", AddressSet.of("8.8.8.8")),)
    told = named(without("8.8.8.8", protected=own, critical=critical_services()))
    assert (told["protected"].addresses, told["critical"].addresses) == (1, 0)


def test_a_site_may_leave_groups_of_critical_services_out() -> None:
    compiled = without("8.8.8.8", "198.41.0.4", critical=critical_services([ROOT_SERVERS]))
    assert compiled.block == AddressSet.of("8.8.8.8")
    assert critical_services([]) == ()
    with pytest.raises(ValueError, match="'mail' is no group of critical services: root name"):
        critical_services(["mail", RESOLVERS])


def test_every_critical_service_is_a_public_host_and_named_once() -> None:
    services = critical_services()
    every = together(services)
    assert not every & SPECIAL_PURPOSE
    assert every.count == sum(service.addresses.count for service in services)
    assert len({service.label for service in services}) == len(services)
    assert len(CRITICAL[ROOT_SERVERS]) == 13
    for server in CRITICAL[ROOT_SERVERS]:
        assert (server.addresses.count4, server.addresses.count6) == (1, 1), server.label


@pytest.mark.parametrize("wide", ["0.0.0.0/0", "::/0"])
def test_no_prefix_is_wide_enough_to_hide_a_critical_service(wide: str) -> None:
    compiled = without(wide, critical=critical_services())
    assert not compiled.block & together(critical_services())
    assert compiled.findings
    version = ipaddress.ip_network(wide).version
    every = together(critical_services())
    assert named(compiled)["critical"].addresses == (every.count4 if version == 4 else every.count6)
