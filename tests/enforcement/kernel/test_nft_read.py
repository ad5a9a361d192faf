"""What nft tells, read: whole tables, every version's way of it, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Counters, Rules, SetState
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.layout import SETS
from enforcement.kernel.nft_read import (
    Ruleset,
    faults,
    read_chains,
    read_elements,
    read_ruleset,
)
from enforcement.kernel.nft_rules import PRIORITY, meant
from netsets.cidr import AddressSet
from netsets.render import text
from tests.netsets.helpers import build, pairs

OURS = {"family": "inet", "table": "tscm"}
CHAINS = meant(Rules(log_limit="10/second"))


def told() -> list[dict[str, Any]]:
    """Return the objects that `nft -j -t list ruleset inet` tells of a table that is as meant."""
    return [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "firewalld", "handle": 1, "flags": ["owner"]}},
        {"set": {"family": "inet", "table": "firewalld", "name": "x", "type": ["ipv4_addr", "x"]}},
        {"table": {"family": "inet", "name": "tscm", "handle": 2}},
        {"counter": {**OURS, "name": "TSinbound", "packets": 5, "bytes": 99}},
        {"counter": {**OURS, "name": "TSoutbound", "packets": 1, "bytes": 60}},
        *_sets(),
        *_chains(),
    ]


def _sets() -> Iterator[dict[str, Any]]:
    for name in SETS:
        flags = {"flags": ["interval"]} if name.is_net else {"size": 3}
        one = {"name": str(name), "type": f"ipv{name.version}_addr", "comment": "3 entries"}
        yield {"set": {**OURS, **one, **flags}}


def _chains() -> Iterator[dict[str, Any]]:
    for name, chain in CHAINS.items():
        hook = {"type": "filter", "hook": chain.hook, "prio": PRIORITY, "policy": "accept"}
        yield {"chain": {**OURS, "name": name, **(hook if chain.hook else {})}}
        for rule in chain.rules:
            parts = [deepcopy(part.told) for part in rule]
            yield {"rule": {**OURS, "chain": name, "handle": 9, "expr": parts}}


def read(objects: list[dict[str, Any]]) -> Ruleset:
    return read_ruleset(json.dumps({"nftables": objects}).encode())


def rule_with(objects: list[dict[str, Any]], word: str) -> dict[str, Any]:
    return next(one for one in objects if "rule" in one and word in json.dumps(one))


def test_a_table_as_it_is_meant_has_no_faults() -> None:
    found = read(told())
    assert faults(found, CHAINS) == ()
    assert found.counters() == Counters(inbound=5, outbound=1)
    assert found.loaded() == {str(name): 3 for name in SETS}


def test_the_level_of_the_log_may_be_told_or_not() -> None:
    objects = told()
    rule_with(objects, '"log"')["rule"]["expr"][-1]["log"]["level"] = "warn"
    assert faults(read(objects), CHAINS) == ()
    rule_with(objects, '"log"')["rule"]["expr"][-1]["log"]["level"] = "debug"
    assert "has a rule that is not ours" in faults(read(objects), CHAINS)[0]


def test_no_table_is_one_fault() -> None:
    found = read(told()[:3])
    assert faults(found, CHAINS) == ("table inet tscm is missing",)
    assert found.counters() == Counters()


def test_every_object_that_is_missing_is_named() -> None:
    for place, one in enumerate(told()):
        (kind, object_), *_ = one.items()
        if object_.get("table") != "tscm" or kind == "chain":
            continue
        objects = told()
        del objects[place]
        (fault,) = faults(read(objects), CHAINS)
        assert object_.get("name", object_.get("chain")) in fault


def test_rules_out_of_order_are_a_fault() -> None:
    objects = told()
    first = objects.index(rule_with(objects, "TSout"))
    objects[first], objects[first + 1] = objects[first + 1], objects[first]
    assert faults(read(objects), CHAINS) == ("the rules of TSout are repeated or out of order",)


def test_another_priority_is_a_fault() -> None:
    objects = told()
    chain = next(one["chain"] for one in objects if one.get("chain", {}).get("hook") == "input")
    chain["prio"] = 100
    (fault,) = faults(read(objects), CHAINS)
    assert fault.startswith("chain TSinput has another hook, priority or policy: ")


def test_a_set_without_our_comment_does_not_say_how_much_it_was_loaded_with() -> None:
    objects = told()
    one = next(one["set"] for one in objects if one.get("set", {}).get("name") == "TSblocknet")
    del one["comment"]
    assert read(objects).loaded()["TSblocknet"] is None


@pytest.mark.parametrize(
    "output",
    [b"", b"{", b"[]", b'{"nftables": 5}', b'{"nftables": [{"table": {"family": "inet"}}]}'],
)
def test_an_answer_that_is_none_is_not_taken_for_an_empty_table(output: bytes) -> None:
    with pytest.raises(EnforceUnavailable, match="nft answers what cannot be read"):
        read_ruleset(output)


def test_chains_of_all_tables_are_told_by_name() -> None:
    chain = {"chain": {"family": "ip", "table": "filter", "name": "TSinput", "handle": 1}}
    output = json.dumps({"nftables": [{"metainfo": {}}, chain]}).encode()
    assert read_chains(output) == (("ip", "filter", "TSinput"),)
    with pytest.raises(EnforceUnavailable, match="nft -j list chains"):
        read_chains(b"{}")


def listing(lists: dict[str, bytes], *, in_a_line: int) -> bytes:
    """Return sets as `nft list table` lays them out, so many elements in a line."""
    table = b"table inet tscm {\n\tcounter TSinbound {\n\t\tpackets 0 bytes 0\n\t}\n\n"
    for name in SETS:
        table += f"\tset {name} {{\n\t\ttype ipv{name.version}_addr\n".encode()
        elements = lists.get(str(name), b"").split()
        if elements:
            lines = (
                b", ".join(elements[start : start + in_a_line])
                for start in range(0, len(elements), in_a_line)
            )
            table += b"\t\telements = { " + b",\n\t\t\t     ".join(lines) + b" }\n"
        table += b"\t}\n\n"
    return table + b"\tchain TSto {\n\t\tip saddr @TSblockaddr drop\n\t}\n}\n"


@given(block=pairs(), allow=pairs(), in_a_line=st.sampled_from([1, 2, 1000]))
def test_elements_are_read_however_they_are_laid_out(
    block: tuple[set[int], set[int]], allow: tuple[set[int], set[int]], in_a_line: int
) -> None:
    blocked, allowed = build(block), build(allow)
    lists = {
        "TSblocknet": text.render(blocked.prefixes()),
        "TSallowaddr6": text.render(allowed.prefixes()),
    }
    found = read_elements(listing(lists, in_a_line=in_a_line))
    assert found.content is not None
    assert (found.content.block, found.content.allow) == (blocked, allowed)
    assert found.sets["TSblocknet"] == SetState(len(blocked.prefixes()), 0)
    assert (len(found.sets), found.faults) == (len(SETS), ())


def test_a_range_is_read_as_one_entry() -> None:
    found = read_elements(listing({"TSblocknet": b"192.0.2.3-192.0.2.9"}, in_a_line=2))
    assert found.content is not None
    assert found.content.block == AddressSet.of("192.0.2.3-192.0.2.9")
    assert found.sets["TSblocknet"].entries == 1


def test_a_set_that_is_missing_leaves_no_content() -> None:
    output = listing({}, in_a_line=2).replace(b"TSallownet6", b"TSother")
    found = read_elements(output)
    assert found.content is None
    assert len(found.sets) == len(SETS) - 1
    assert found.faults == ()


@pytest.mark.parametrize("element", [b"192.0.2.1_timeout_1h", b"@nh,0,32", b"192.0.2.0/33"])
def test_an_element_that_is_no_address_is_a_fault_and_no_content(element: bytes) -> None:
    found = read_elements(listing({"TSblocknet": element}, in_a_line=2))
    assert found.content is None
    assert found.faults[0].startswith("set TSblocknet holds what is not ours: ")
