"""A real nameserver in the foreground, on loopback: what BIND and Knot have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.update

from tests.fakes.foreground import Foreground
from tests.fakes.tsig import TsigKey

_HEAD = """\
$TTL 300
@ SOA ns hostmaster 1 900 900 86400 60
@ NS ns
ns A 192.0.2.53
"""


def write_zone(path: Path, records: Iterable[str]) -> Path:
    """Write a zone of `records`, lines as in a zone file, under an SOA and NS of our own."""
    with path.open("w", encoding="ascii") as file:
        file.write(_HEAD)
        file.writelines(f"{record}\n" for record in records)
    return path


class Authority(Foreground):
    """A server of `origins`, up from the start of the `with` block to its end."""

    def __init__(self, origins: Sequence[str], *, ready_within: float) -> None:
        super().__init__(ready_within=ready_within)
        self._origins = origins
        self.server = f"127.0.0.1:{self.port}"
        self.address = f"127.0.0.1#{self.port}"

    def is_ready(self) -> bool:
        """Return whether every zone is answered for."""
        return all(map(self._answers, self._origins))

    def change(
        self, origin: str, key: TsigKey, *, add: Iterable[str] = (), delete: Iterable[str] = ()
    ) -> None:
        """Change a zone by a dynamic update; records are written `name [TTL] TYPE data`."""
        update = dns.update.UpdateMessage(f"{origin}.", keyring=key.key)
        for record in delete:
            name, rdtype, data = record.split(" ", 2)
            update.delete(name, rdtype, data)
        for record in add:
            name, rdtype, data = record.split(" ", 2)
            update.add(name, 300, rdtype, data)
        answer = dns.query.tcp(update, "127.0.0.1", timeout=10, port=self.port)
        if answer.rcode() != dns.rcode.NOERROR:
            code = dns.rcode.to_text(answer.rcode())
            raise RuntimeError(f"{origin} was not changed ({code}):\n{self.log()}")

    def _answers(self, origin: str) -> bool:
        query = dns.message.make_query(f"{origin}.", "SOA")
        try:
            answer = dns.query.tcp(query, "127.0.0.1", timeout=2, port=self.port)
        except (OSError, EOFError, dns.exception.DNSException):
            return False
        return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
