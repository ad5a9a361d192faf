from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.fakes.nameserver import Nameserver
from tests.policies.sources.contract import SourceContract
from tests.policies.sources.lists import Zone


class TestDnsList(SourceContract):
    kind = "dns"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        zone = Zone({"basic.example": [*map(_record, entries), "HINFO a b"]})
        with Nameserver(zone) as nameserver:
            yield {"name": "basic.example", "servers": [nameserver.server]}


class TestMemory(SourceContract):
    kind = "memory"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        yield {"entries": list(entries)}


class TestUserList(SourceContract):
    kind = "user"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        yield {"type": "block", "entries": list(entries)}


def _record(address: str) -> str:
    return f"{'AAAA' if ':' in address else 'A'} {address}"
