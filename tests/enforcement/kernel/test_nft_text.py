"""The texts that nft is given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Content, Rules
from enforcement.kernel.layout import SETS
from enforcement.kernel.nft_read import ChainFound, Ruleset, SetFound, hook_of
from enforcement.kernel.nft_rules import GENERATIONS, meant, other
from enforcement.kernel.nft_text import clearance, filling, repair, switch
from netsets.cidr import AddressSet, union
from netsets.parse import parse_text
from tests.netsets.helpers import build, pairs

SET = re.compile(r"add set inet tscm (\w+) \{ (.*?)(?: elements = \{\n(.*?)\};)? \}\n", re.DOTALL)
DELETED = re.compile(r"delete set inet tscm (\w+)\n")


def written(content: Content) -> dict[str, tuple[str, str]]:
    """Return properties and elements of each set as a text gives them."""
    text = filling(Ruleset(), content, generation="").decode()
    return {name: (head, elements) for name, head, elements in SET.findall(text)}


def held(sets: dict[str, tuple[str, str]], role: str) -> AddressSet:
    found = []
    for name, (_, elements) in sets.items():
        parsed = parse_text(elements.replace(",", "").encode())
        assert not parsed.rejected
        if name.startswith(f"TS{role}"):
            found.append(parsed.addresses)
    return union(found)


@given(block=pairs(), allow=pairs())
def test_a_text_holds_just_what_is_wanted(
    block: tuple[set[int], set[int]], allow: tuple[set[int], set[int]]
) -> None:
    content = Content(build(block), build(allow))
    sets = written(content)
    assert list(sets) == [str(name) for name in SETS]
    assert held(sets, "block") == content.block
    assert held(sets, "allow") == content.allow


@given(block=pairs())
def test_every_set_says_how_many_entries_it_is_given(block: tuple[set[int], set[int]]) -> None:
    for name, (head, elements) in written(Content(build(block), AddressSet.empty())).items():
        count = elements.count(",")
        assert f'comment "{count} entries"' in head
        assert ("interval" in head) == ("net" in name)
        assert (f"size {count};" in head) == ("addr" in name and count > 0)


def test_no_set_merges_by_itself() -> None:
    assert b"auto-merge" not in filling(Ruleset(), Content.empty(), generation="")


def test_all_addresses_are_two_halves() -> None:
    content = Content(AddressSet.empty(), AddressSet.of("0.0.0.0/0", "::/0"))
    sets = written(content)
    assert sets["TSallownet"][1] == "0.0.0.0/1,\n128.0.0.0/1,\n"
    assert sets["TSallownet6"][1] == "::/1,\n8000::/1,\n"


def there(*generations: str, live: str = "") -> Ruleset:
    """Return a table as nft tells it: chains that ask a generation, and the sets of some."""
    return Ruleset(
        is_there=True,
        sets={
            f"{name}{generation}": SetFound(f"ipv{name.version}_addr", name.is_net, 5)
            for generation in generations
            for name in SETS
        },
        chains={
            name: ChainFound(hook_of(chain), [[dict(part.told) for part in r] for r in chain.rules])
            for name, chain in meant(Rules(), generation=live).items()
        },
        packets={"TSinbound": 3, "TSoutbound": 3},
    )


@pytest.mark.parametrize("live", GENERATIONS)
def test_what_is_filled_is_the_generation_that_no_rule_asks(live: str) -> None:
    spare = other(live)
    found = there(*GENERATIONS, live=live)
    assert found.generation == live
    text = filling(found, Content.empty(), generation=spare).decode()
    assert DELETED.findall(text) == [f"{name}{spare}" for name in SETS]  # left by a kill
    assert [name for name, _, _ in SET.findall(text)] == [f"{name}{spare}" for name in SETS]
    assert "chain" not in text
    assert b"delete" not in filling(there(live, live=live), Content.empty(), generation=spare)


@pytest.mark.parametrize("live", GENERATIONS)
def test_a_switch_asks_the_new_sets_and_deletes_the_old_in_one_text(live: str) -> None:
    spare = other(live)
    text = switch(there(*GENERATIONS, live=live), meant(Rules(), generation=spare)).decode()
    assert set(re.findall(r"@(\w+)", text)) == {f"{name}{spare}" for name in SETS}
    assert DELETED.findall(text) == [f"{name}{live}" for name in SETS]
    assert text.count("flush chain") == 6
    # No chain that is as it should be leaves its hook, and no counter begins anew.
    assert "delete chain" not in text
    assert "counter inet" not in text


@pytest.mark.parametrize("live", GENERATIONS)
def test_what_is_cleared_away_is_not_live(live: str) -> None:
    text = clearance(there(*GENERATIONS, live=live)).decode()
    assert DELETED.findall(text) == [f"{name}{other(live)}" for name in SETS]
    assert clearance(there(live, live=live)) == b""
    assert clearance(Ruleset()) == b""


def test_where_no_rule_asks_the_generation_that_is_there_is_live() -> None:
    for generation in GENERATIONS:
        found = there(generation)
        found.chains.clear()
        assert found.generation == generation


def test_a_first_list_has_the_plain_names() -> None:
    assert other(Ruleset().generation) == ""


@given(st.sets(st.sampled_from(SETS), max_size=len(SETS) - 1))
def test_a_repair_makes_the_sets_that_are_missing_and_no_other(missing: set[object]) -> None:
    found = Ruleset(
        is_there=True,
        sets={
            str(name): SetFound(f"ipv{name.version}_addr", name.is_net, 5)
            for name in SETS
            if name not in missing
        },
        chains={"TSinput": ChainFound(None), "other": ChainFound(None)},
        packets={"TSinbound": 3},
    )
    text = repair(found, meant(Rules())).decode()
    made = {name for name, _, _ in SET.findall(text)}
    assert made == {str(name) for name in missing}
    assert "delete set" not in text
    assert "add counter inet tscm TSoutbound" in text
    assert "add counter inet tscm TSinbound" not in text
    assert text.index("flush chain inet tscm other") < text.index("delete chain inet tscm TSinput")
    assert text.index("delete chain inet tscm other") < text.index("add chain inet tscm TSfrom")
