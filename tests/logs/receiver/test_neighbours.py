"""Real senders, logger, loggen and rsyslog: what they send is what is kept."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from logs.receiver.header import parse
from logs.receiver.listening import Certificates, Listen
from logs.spool.base import Counters
from tests.fakes.foreground import NotInstalled, program
from tests.fakes.loggen import loggen
from tests.fakes.rsyslog import Onward, RsyslogSender
from tests.logs.receiver.desk import sender
from tests.logs.receiver.site import EVERYWHERE, Site, receiving

LINES = [f"<13>Nov 21 12:00:00 fw-a test: line {number} {'x' * 80}" for number in range(2000)]


@dataclass(frozen=True, slots=True)
class Secured:
    """A receiver that listens by TLS too, and the file that its senders trust."""

    site: Site
    authority: Path


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    identity = authority.issue_cert("127.0.0.1", "logs.example")
    identity.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "identity.pem"))
    with receiving(
        tmp_path / "log", sender(), certificates=Certificates(tmp_path / "identity.pem"),
        listen=(*EVERYWHERE, Listen("tls", "127.0.0.1", 0)),
    ) as site:  # fmt: skip
        yield Secured(site, tmp_path / "ca.pem")


# --- logger ---------------------------------------------------------------------------------------


def log(site: Site, *options: str, lines: Sequence[str], transport: str) -> None:
    """Have logger send lines, and wait until all are in the ledger."""
    try:
        logger = program("logger", "bsdutils")
    except NotInstalled as missing:
        pytest.skip(str(missing))
    subprocess.run(
        [logger, "--server", "127.0.0.1", "--port", str(site.port(transport)), *options],
        input="\n".join(lines) + "\n", text=True, check=True, timeout=30,
    )  # fmt: skip
    assert site.wait_until_received(len(lines)) == Counters(len(lines), len(lines))


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424"])
@pytest.mark.parametrize(
    ("transport", "options"),
    [("udp", ["--udp"]), ("tcp", ["--tcp"]), ("tcp", ["--tcp", "--octet-count"])],
    ids=["udp", "tcp", "octet-count"],
)
def test_logger_is_understood_in_every_form_it_has(
    tmp_path: Path, form: str, transport: str, options: list[str]
) -> None:
    bodies = [f"message {number} with <13>things: in it" for number in range(200)]
    with receiving(tmp_path, sender()) as site:
        log(site, form, "--tag", "app", *options, lines=bodies, transport=transport)
        lines = site.lines()
    heads = [parse(line.encode()) for line in lines]
    assert [line[-len(body) :] for line, body in zip(lines, bodies, strict=True)] == bodies
    assert {head.priority for head in heads} == {13}
    assert {head.is_rfc5424 for head in heads} == {form == "--rfc5424"}
    assert len({head.host for head in heads}) == 1
    assert all(head.host and head.stamp for head in heads)
    if "--octet-count" in options:
        assert site.look().counters["octet_counted"] == 200


@pytest.mark.parametrize("options", [["--tcp"], ["--tcp", "--octet-count"]], ids=["lf", "counted"])
def test_logger_sends_64_kib_and_they_come_whole(tmp_path: Path, options: list[str]) -> None:
    body = "x" * 65_536
    with receiving(tmp_path, sender()) as site:
        log(site, "--size", "70000", *options, lines=[body], transport="tcp")
        assert site.lines()[0].endswith(f" {body}")
        assert site.report.counters["cut"] == 0


# --- loggen ---------------------------------------------------------------------------------------

SEQUENCE = re.compile(r"seq: (\d+), thread: (\d+),")


def generate(site: Site, *options: str, transport: str, connections: int, each: int) -> None:
    """Have loggen send, and see that each of its lines is there once, in order."""
    try:
        loggen(
            *options, "--number", str(each), "--rate", "1000000", "--size", "300",
            "--active-connections", str(connections), port=site.port(transport),
        )  # fmt: skip
    except NotInstalled as missing:
        pytest.skip(str(missing))
    lines = connections * each
    assert site.wait_until_received(lines) == Counters(lines, lines)
    found: dict[str, list[int]] = defaultdict(list)
    for line in site.lines():
        match = SEQUENCE.search(line)
        assert match, line
        found[match[2]].append(int(match[1]))
    assert len(found) == connections
    assert all(numbers == list(range(each)) for numbers in found.values())


@pytest.mark.parametrize(
    "options",
    [["--inet", "--stream"], ["--inet", "--stream", "--syslog-proto"]],
    ids=["lf", "octet-counted"],
)
def test_every_line_of_many_connections_of_loggen_is_there(
    tmp_path: Path, options: list[str]
) -> None:
    with receiving(tmp_path, sender()) as site:
        generate(site, *options, transport="tcp", connections=10, each=5000)
        assert site.look().counters["octet_counted"] == (50_000 if len(options) > 2 else 0)


def test_every_datagram_of_loggen_is_there(tmp_path: Path) -> None:
    with receiving(tmp_path, sender()) as site:
        generate(site, "--inet", "--dgram", transport="udp", connections=1, each=5000)
        assert site.report.counters["kernel_drops"] == 0


def test_every_line_of_loggen_by_tls_is_there(secured: Secured) -> None:
    site = secured.site
    generate(site, "--use-ssl", transport="tls", connections=4, each=2000)
    assert site.report.counters["failed_handshakes"] == 0


# --- rsyslog --------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["udp", "tcp", "tls"])
def test_what_rsyslog_passes_on_is_kept_byte_for_byte(secured: Secured, protocol: str) -> None:
    site = secured.site
    onward = Onward(
        site.port(protocol), protocol,  # type: ignore[arg-type]
        authority=secured.authority if protocol == "tls" else None,
        name="logs.example" if protocol == "tls" else "",
    )  # fmt: skip
    odd = ["<13>Nov 21 12:00:00 fw-a test: \t tabs\r and \x01 and ünïcode", "<13>no head"]
    lines = [*odd, *(LINES if protocol != "udp" else LINES[:500])]
    try:
        with RsyslogSender(onward) as rsyslog:
            rsyslog.send(*(line.encode() for line in lines))
            site.wait_until_received(len(lines))
    except NotInstalled as missing:
        pytest.skip(str(missing))
    assert site.content() == b"".join(line.encode() + b"\n" for line in lines)
    if protocol == "tls":
        assert site.look().counters["octet_counted"] == len(lines)
