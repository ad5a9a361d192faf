"""The digest of a list, computed here as anybody may."""

from __future__ import annotations

import hashlib

from hypothesis import given

from netsets.cidr import AddressSet
from netsets.digest import digest
from tests.netsets.helpers import build, networks, pairs


@given(pairs())
def test_a_digest_is_that_of_the_prefixes_as_text(pair: tuple[set[int], set[int]]) -> None:
    prefixes = build(pair).prefixes()
    text = "".join(f"{network}\n" for network in networks(prefixes))
    assert digest(prefixes) == hashlib.sha256(text.encode()).hexdigest()


def test_the_digests_of_the_documentation() -> None:
    block = AddressSet.of("192.0.2.1", "2001:db8::/32", "192.0.3.0/24").prefixes()
    text = b"192.0.2.1/32\n192.0.3.0/24\n2001:db8::/32\n"
    known = "fbdae5ac320519ccb4dbe8909321001144ddc53a1fda094a34c420bf2954bd6a"
    assert digest(block) == hashlib.sha256(text).hexdigest() == known
    allow = AddressSet.of("198.51.100.7").prefixes()
    both = text + b"\n198.51.100.7/32\n"
    known = "826cf82df3dacda4602760ffeb44855148ecb2f8953699b63d277a30d38a6037"
    assert digest(block, allow) == hashlib.sha256(both).hexdigest() == known
