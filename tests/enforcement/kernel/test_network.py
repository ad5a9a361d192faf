"""The lab itself: without it no other test of packets would mean anything."""

from __future__ import annotations

import pytest

from tests.fakes.network import MORE4, MORE6, SERVER4, SERVER6, Lab

pytestmark = pytest.mark.kernel


def test_everybody_reaches_everybody_before_anything_is_enforced(network: Lab) -> None:
    for address in (SERVER4, SERVER6, MORE4[0], MORE6[0]):
        assert network.pings("client", address)
        assert network.pings("gateway", address)
    with network.listening("server", SERVER4, 8080):
        assert network.connects("client", SERVER4, 8080)
        assert network.connects("gateway", SERVER4, 8080)
