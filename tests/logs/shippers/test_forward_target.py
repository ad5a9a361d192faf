"""Targets as people write them, and what they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from logs.shippers.base import ShipperMisconfigured
from logs.shippers.forward_target import Target


@pytest.mark.parametrize(
    ("text", "host", "port", "protocol"),
    [
        ("192.0.2.9:514/tcp", "192.0.2.9", 514, "tcp"),
        ("[2001:db8::1]:6514/tls", "2001:db8::1", 6514, "tls"),
        ("siem.example.net:6514/tls", "siem.example.net", 6514, "tls"),
        ("SIEM_1:65535/udp", "siem_1", 65_535, "udp"),
    ],
)
def test_a_target_is_read_and_written(text: str, host: str, port: int, protocol: str) -> None:
    target = Target.parse(text)
    assert (target.host, target.port, target.protocol) == (host, port, protocol)
    assert str(target) == text.lower()


@pytest.mark.parametrize(
    "text",
    ["", "siem", "siem:514", "siem:514/TCP", "siem:0/tcp", "siem:65536/tcp", "siem:514/http",
     "2001:db8::1:514/tcp", "[siem]:514/tcp", ".siem:514/tcp", "si em:514/tcp", "a..b:1/udp",
     "siem:514/tcp\n", f"{'a' * 64}.example:1/tcp"],
)  # fmt: skip
def test_what_is_no_target_is_refused_by_name(text: str) -> None:
    with pytest.raises(ShipperMisconfigured, match="is no target: give host:port/udp"):
        Target.parse(text)


def test_lines_are_counted_on_tls_and_ended_by_lf_on_tcp_unless_told_otherwise() -> None:
    assert Target("a", 1, "tls").is_counted
    assert not Target("a", 1, "tcp").is_counted
    assert Target("a", 1, "tcp", framing="octets").is_counted
    assert not Target("a", 1, "tls", framing="lf").is_counted


@pytest.mark.parametrize("most", [479, 65_508])
def test_a_datagram_has_bounds(most: int) -> None:
    with pytest.raises(ShipperMisconfigured, match=r"a:1/udp: a datagram holds 480 to 65507 bytes"):
        Target("a", 1, "udp", most_datagram=most)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ShipperMisconfigured, match="a certificate and its key go together"):
        Target("a", 1, "tls", certificate_file=Path("own.pem"))
