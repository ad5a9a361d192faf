"""The texts that nft is given."""

from __future__ import annotations

import re

from hypothesis import given, strategies as st

from enforcement.kernel.base import Content, Rules
from enforcement.kernel.layout import SETS
from enforcement.kernel.nft_read import ChainFound, Ruleset, SetFound
from enforcement.kernel.nft_rules import meant
from enforcement.kernel.nft_text import REMOVAL, repair, replacement
from netsets.cidr import AddressSet, union
from netsets.parse import parse_text
from tests.netsets.helpers import build, pairs

ZEROS = {"TSinbound": (0, 0), "TSoutbound": (0, 0)}
SET = re.compile(r"add set inet tscm (\w+) \{ (.*?)(?: elements = \{\n(.*?)\};)? \}\n", re.DOTALL)


def written(content: Content) -> dict[str, tuple[str, str]]:
    """Return properties and elements of each set as a text gives them."""
    text = replacement(content, meant(Rules()), ZEROS).decode()
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
    assert b"auto-merge" not in replacement(Content.empty(), meant(Rules()), ZEROS)


def test_all_addresses_are_two_halves() -> None:
    content = Content(AddressSet.empty(), AddressSet.of("0.0.0.0/0", "::/0"))
    sets = written(content)
    assert sets["TSallownet"][1] == "0.0.0.0/1,\n128.0.0.0/1,\n"
    assert sets["TSallownet6"][1] == "::/1,\n8000::/1,\n"


def test_the_old_table_goes_in_the_text_that_makes_the_new_one() -> None:
    text = replacement(Content.empty(), meant(Rules()), {**ZEROS, "TSinbound": (7, 420)})
    assert text.startswith(REMOVAL + b"add table inet tscm\n")
    assert b"add counter inet tscm TSinbound { packets 7 bytes 420; }\n" in text
    assert text.count(b"add chain") == 6


@given(st.sets(st.sampled_from(SETS)))
def test_a_repair_makes_the_sets_that_are_missing_and_no_other(missing: set[object]) -> None:
    found = Ruleset(
        is_there=True,
        sets={
            str(name): SetFound(f"ipv{name.version}_addr", name.is_net, 5)
            for name in SETS
            if name not in missing
        },
        chains={"TSinput": ChainFound(None), "other": ChainFound(None)},
        tallies={"TSinbound": (3, 3)},
    )
    text = repair(found, meant(Rules())).decode()
    made = {name for name, _, _ in SET.findall(text)}
    assert made == {str(name) for name in missing}
    assert "delete set" not in text
    assert "add counter inet tscm TSoutbound" in text
    assert "add counter inet tscm TSinbound" not in text
    assert text.index("flush chain inet tscm other") < text.index("delete chain inet tscm TSinput")
    assert text.index("delete chain inet tscm other") < text.index("add chain inet tscm TSfrom")
