from __future__ import annotations

import ipaddress

import psutil
import pytest

from devices.hosts import feed_base_url
from tscm_site.env import Bind


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8001/"),
        ("192.0.2.7", "http://192.0.2.7:8001/"),
        ("2001:db8::7", "http://[2001:db8::7]:8001/"),
        ("feeds.example", "http://feeds.example:8001/"),
    ],
)
def test_an_address_that_was_chosen_is_the_one_in_the_url(host: str, url: str) -> None:
    assert feed_base_url(Bind(host, 8001)) == url


@pytest.mark.allow_hosts(["127.0.0.1", "192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104  asked about, never bound
def test_a_wildcard_becomes_an_address_of_this_machine(host: str) -> None:
    url = feed_base_url(Bind(host, 8001))
    found = url.removeprefix("http://").removesuffix(":8001/").strip("[]")
    own = {
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
    }
    assert found in own
    assert not ipaddress.ip_address(found).is_unspecified
