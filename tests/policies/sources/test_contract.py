from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fakes.nameserver import Nameserver
from tests.fakes.transfers import ZONE, ServedZone
from tests.fakes.webserver import WebServer, text
from tests.policies.sources.contract import SourceContract
from tests.policies.sources.lists import Zone


class TestDnsList(SourceContract):
    kind = "dns"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        zone = Zone({"basic.example": [*map(_record, entries), "HINFO a b"]})
        with Nameserver(zone) as nameserver:
            yield {"name": "basic.example", "servers": [nameserver.server]}


class TestZone(SourceContract):
    kind = "zone"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        records = [f"a{n}.{ZONE}. {_record(entry)}" for n, entry in enumerate(entries)]
        with Nameserver(ServedZone(records=records)) as nameserver:
            yield {"name": ZONE, "servers": [nameserver.server]}


class TestMemory(SourceContract):
    kind = "memory"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        yield {"entries": list(entries)}


class TestFile(SourceContract):
    kind = "file"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "list.txt"
            path.write_text("\n".join(entries), encoding="ascii")
            yield {"path": str(path), "roots": [folder]}


class TestHttp(SourceContract):
    kind = "http"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        with WebServer(lambda _: text(*entries)) as server:
            yield {"url": server.url(), "allow_internal": ["127.0.0.1"]}


class TestUserList(SourceContract):
    kind = "user"

    @contextmanager
    def offered(self, *entries: str) -> Iterator[Mapping[str, object]]:
        yield {"type": "block", "entries": list(entries)}


def _record(address: str) -> str:
    return f"{'AAAA' if ':' in address else 'A'} {address}"
