"""Where lines are forwarded to, and in what form they arrive there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast

from logs.shippers.base import ShipperMisconfigured

Protocol = Literal["udp", "tcp", "tls"]
Preserve = Literal["none", "structured-data", "header"]
Framing = Literal["lf", "octets"]

# What RFC 5426 wants every receiver to take at least, and what fits into one datagram at most.
LEAST_DATAGRAM, MOST_DATAGRAM = 480, 65_507
# rsyslog and most others take 8 KiB unless told otherwise, and cut or split what is longer.
DATAGRAM = 8_192
_TEXT = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<host>(?:[\w-]{1,63}\.){0,9}[\w-]{1,63}))"
    r":(?P<port>[1-9]\d{0,4})/(?P<protocol>udp|tcp|tls)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One SIEM, and the form it gets the lines in.

    `preserve` says how a line tells its sender: not at all, so that the bytes are what they were;
    in RFC 5424 structured data; or in a header before it. Framing is LF on TCP, as most receivers
    expect, and octet counting on TLS, as RFC 5425 demands. A receiver that guesses the framing,
    such as rsyslog, takes a line that begins with a digit for an octet count: where devices send
    lines without a header, give it "octets".
    """

    host: str
    port: int
    protocol: Protocol
    preserve: Preserve = "none"
    framing: Framing | None = None  # None: the protocol's own
    ca_file: Path | None = None  # None: the authorities that the system trusts
    certificate_file: Path | None = None  # ours, with its chain; None: none is shown
    key_file: Path | None = None
    server_name: str = ""  # in the target's certificate; "": the host
    most_datagram: int = DATAGRAM  # bytes of a line on UDP; what is longer is cut and counted

    def __post_init__(self) -> None:
        """Refuse what cannot work. Raises ShipperMisconfigured."""
        if not LEAST_DATAGRAM <= self.most_datagram <= MOST_DATAGRAM:
            raise ShipperMisconfigured(
                f"{self}: a datagram holds {LEAST_DATAGRAM} to {MOST_DATAGRAM} bytes of a line, "
                f"not {self.most_datagram}"
            )
        if (self.certificate_file is None) != (self.key_file is None):
            raise ShipperMisconfigured(f"{self}: a certificate and its key go together")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `host:port/udp`, `/tcp` or `/tls` says; an IPv6 address is in brackets.

        Raises ShipperMisconfigured.
        """
        found = _TEXT.fullmatch(text)
        if found is None or int(found["port"]) > 65_535:
            raise ShipperMisconfigured(
                f"{text!r} is no target: give host:port/udp, host:port/tcp or host:port/tls, an "
                "IPv6 address in brackets"
            )
        host = (found["v6"] or found["host"]).lower()
        return cls(host, int(found["port"]), cast(Protocol, found["protocol"]))

    @property
    def is_counted(self) -> bool:
        """Whether each line is sent behind its length."""
        return (self.framing or ("octets" if self.protocol == "tls" else "lf")) == "octets"

    @property
    def name(self) -> str:
        """The name that the target's certificate must be for."""
        return self.server_name or self.host

    def __str__(self) -> str:
        """Return it as `parse` reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.protocol}"
