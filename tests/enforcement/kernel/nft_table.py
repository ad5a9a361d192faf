"""What the tests of the nftables enforcer share: lists, and words for its table."""

from __future__ import annotations

import numpy as np
from numpy.random import default_rng

from enforcement.kernel.base import Content, Rules
from enforcement.kernel.nft_read import Ruleset, read_ruleset
from enforcement.kernel.nftables import NftablesEnforcer
from netsets.cidr import AddressSet, from_prefixes4
from tests.fakes.gateway import sh

RULES = Rules()
OLD = Content(AddressSet.of("192.0.2.1", "198.51.100.0/24", "2001:db8::/32"), AddressSet.empty())
NEW = Content(AddressSet.of("192.0.2.7", "2001:db8::1"), AddressSet.of("203.0.113.0/25"))


def nft(*words: str, given: str = "") -> str:
    """Do what another program or person might do."""
    return sh("nft", *words, given=given)


def ruleset() -> Ruleset:
    """Return the table that is there."""
    return read_ruleset(nft("-j", "-t", "list", "ruleset", "inet").encode())


def singles(seed: int, count: int) -> AddressSet:
    """Return about so many single addresses."""
    first = default_rng(seed).integers(1 << 24, 223 << 24, count, dtype=np.uint32)
    return from_prefixes4(first, np.full(count, 32))


def live(name: str) -> str:
    """Return the name of a set with the generation that is live."""
    return f"{name}{ruleset().generation}"


def bring(enforcer: NftablesEnforcer, wanted: Content, rules: Rules = RULES) -> None:
    """Bring a list into force, whatever is there."""
    enforcer.apply(enforcer.plan(None, wanted, rules))


def proves(enforcer: NftablesEnforcer, wanted: Content, rules: Rules = RULES) -> None:
    """Hold everything that is read back to what is meant."""
    held = enforcer.read(rules)
    assert held.faults == ()
    assert held.content is not None
    assert held.content.digests() == wanted.digests()
    assert held.content.block.count == wanted.block.count
    assert held.sets == enforcer.states()
