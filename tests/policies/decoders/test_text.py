from __future__ import annotations

import pytest

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.decoders.base import Decoded, DecodeError
from policies.sources.base import Retrieved
from tests.netsets.helpers import rows


def decoded(text: str, kind: str = "text") -> Decoded:
    return decode(Retrieved(format=kind, payload=(text.encode(),), server=""))


def test_reads_one_entry_a_line_and_counts_what_it_skips() -> None:
    found = decoded("192.0.2.1\n192.0.2.9/24\n198.51.100.1-198.51.100.2\nv1.2.3.4\n2001:db8::1\n")
    expected = ["192.0.2.0/24", "198.51.100.1-198.51.100.2", "2001:db8::1"]
    assert found.addresses == AddressSet.of(*expected)
    assert (found.entries, found.host_bits_cleared) == (4, 1)
    assert sum(count for _, count in found.skipped) == 1


def test_keeps_each_entry_with_its_line() -> None:
    found = decoded("# head\n192.0.2.1\nv1.2.3.4\n192.0.2.0/24\n192.0.2.1\n")
    base = 0xC0000200
    assert found.listed is not None
    assert rows(found.listed) == [(4, base, base + 255, 4), (4, base + 1, base + 1, 2)]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "<html>\n<body>\n192.0.2.1\n</html>"])
def test_what_is_no_list_is_refused_whole(text: str) -> None:
    with pytest.raises(DecodeError, match=r"^the text "):
        decoded(text)


def test_half_of_the_entries_may_be_junk_and_not_one_more() -> None:
    assert decoded("192.0.2.1\njunk\n").entries == 1
    with pytest.raises(DecodeError, match="2 of 3 entries cannot be used"):
        decoded("192.0.2.1\njunk\nmore\n")


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DecodeError, match="no decoder reads 'html'; these are known: dns, text"):
        decoded("192.0.2.1", kind="html")
