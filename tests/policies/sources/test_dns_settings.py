from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from policies.sources.base import SourceMisconfigured
from policies.sources.dns_list import DnsListSource
from policies.sources.dns_servers import Server, is_dns_name
from policies.sources.memory import MemorySource

GOOD: dict[str, object] = {"name": "basic.threatstop.local", "servers": ["192.0.2.53"]}


def test_has_defaults_for_all_but_name_and_servers() -> None:
    source = DnsListSource.from_settings(GOOD)
    assert source.servers == (Server("192.0.2.53", 53),)
    assert (source.encoding, source.max_names, source.max_bytes) == ("auto", 1024, 64 << 20)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 5353),
        ("192.0.2.53:53", "192.0.2.53", 53),
        ("ts-dns.threatstop.com", "ts-dns.threatstop.com", 5353),
        ("ts-dns.threatstop.com:65535", "ts-dns.threatstop.com", 65535),
        ("2001:db8::53", "2001:db8::53", 5353),
        ("[2001:db8::53]", "2001:db8::53", 5353),
        ("[2001:db8::53]:1", "2001:db8::53", 1),
    ],
)
def test_reads_a_server_in_any_of_its_spellings(text: str, host: str, port: int) -> None:
    source = DnsListSource.from_settings({**GOOD, "servers": [text], "port": 5353})
    assert source.servers == (Server(host, port),)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("name", bad) for bad in ("", " ", None, 7, "a..b", "-a.example", "a b", "../x", "a/b")),
        *(
            ("name", bad)
            for bad in ("x" * 64, ".".join(["x" * 49] * 6), "a\n.example", "ä.example")
        ),
        *(("servers", bad) for bad in ([], None, "192.0.2.53", [7], [""], ["192.0.2.53"] * 9)),
        *(("servers", [bad]) for bad in ("300.1.1.1", "192.0.2", "1", "host:", "host:0", ":53")),
        *(("servers", [bad]) for bad in ("host:65536", "[::1", "[x]:53", "fe80::1%eth0", "a b")),
        *(("servers", [bad]) for bad in ("host:53:53", "[192.0.2.1.x]", "[a.example]x", "-x")),
        *(("port", bad) for bad in (0, 65536, "53", True, None, 53.0)),
        *(("encoding", bad) for bad in ("axfr", "", None, 1, "A")),
        *(("max_names", bad) for bad in (0, 16385, "5")),
        *(("max_bytes", bad) for bad in (511, 2**31, None)),
    ],
)
def test_refuses_a_setting_that_cannot_work_and_names_it(key: str, value: object) -> None:
    with pytest.raises(SourceMisconfigured, match=rf"^{key}\b") as raised:
        DnsListSource.from_settings({**GOOD, key: value})
    assert len(str(raised.value)) < 400


def test_a_dot_at_the_end_of_the_name_is_left_out() -> None:
    assert DnsListSource.from_settings({**GOOD, "name": "basic.example."}).name == "basic.example"


@given(st.text(max_size=300))
def test_whatever_is_taken_for_a_name_can_be_asked_for(text: str) -> None:
    if is_dns_name(text):
        assert text.isascii()
        assert len(text) <= 253
        assert all(0 < len(label) < 64 for label in text.split("."))


@given(st.text(max_size=60))
def test_a_server_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        server = Server.parse(text, port=53)
    except SourceMisconfigured:
        return
    assert 1 <= server.port <= 65535
    assert server.host


@pytest.mark.parametrize("entries", [None, "192.0.2.1", [1], [""], ["x" * 101], ["1"] * 10_001])
def test_a_fixed_list_refuses_entries_that_are_none(entries: object) -> None:
    with pytest.raises(SourceMisconfigured, match=r"^entries must"):
        MemorySource.from_settings({"entries": entries})


@pytest.mark.parametrize(
    "entry", ["192.0.2.1/33", "v1.2.3.4", "010.1.1.1", "1\n192.0.2.2", "# note"]
)
def test_a_fixed_list_refuses_an_entry_that_is_no_address(entry: str) -> None:
    with pytest.raises(SourceMisconfigured, match=r"^entries: "):
        MemorySource.from_settings({"entries": ["192.0.2.1", entry]})
