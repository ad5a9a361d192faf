"""Which device a refused sender most likely is."""

from __future__ import annotations

import sys
from types import FrameType

from devices.models import Device
from logs.models import Sender
from logs.reports.suggestions import Adopters


def device(nickname: str, *networks: str, names: tuple[str, ...] = ()) -> Device:
    return Device(nickname=nickname, log_names=list(names), syslog_sources=list(networks))


def test_a_name_in_its_lines_comes_before_an_address_nearby_and_that_before_the_rest() -> None:
    adopters = Adopters(
        [
            device("far", "192.0.2.0/24", "2001:db8:1::/48"),
            device("near", "198.51.100.128/25"),
            device("near-6", "2001:db8::/32"),
            device("named", names=("edge-1", "edge-0")),
        ]
    )
    line = "<113>Mar  1 01:02:36 edge-1 %FTD-1-430002: SrcIP: 192.0.2.7"
    found = adopters.of(Sender(address="198.51.100.9", sample=line))
    assert [(one.device.nickname, one.reason) for one in found] == [
        ("named", "its lines say edge-1"), ("near", "in its network"), ("far", ""), ("near-6", ""),
    ]  # fmt: skip
    found = adopters.of(Sender(address="2001:db8:2::9", sample="no name in it"))
    assert [one.reason for one in found] == ["in its network", "", "", ""]
    assert found[0].device.nickname == "near-6"


def test_a_thousand_senders_do_not_have_every_network_worked_out_anew() -> None:
    devices = [device(f"fw-{n}", f"10.0.{n}.0/25", f"2001:db8:{n}::/64") for n in range(100)]
    senders = [Sender(address=f"198.51.100.{n}", sample="no name") for n in range(100)]
    adopters, calls = Adopters(devices), 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for sender in senders:
            adopters.of(sender)
    finally:
        sys.setprofile(before)
    assert calls < 3 * len(devices) * len(senders)
