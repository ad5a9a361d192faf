"""What is held of a list spares it being asked for again, and is never trusted for too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from pytest_django import Settings

from netsets.cidr import AddressSet
from netsets.entries_codec import decode_entries, decode_ledger
from netsets.ledger import LISTED
from netsets.span import Span
from policies.decoders import decode
from policies.models import Retrieval, Source
from policies.services import change_source, compile_policy_now, create_source, retrieve_source
from policies.services.keep import minutes
from policies.states import Outcome, PolicyState
from policies.store import get_blob, get_set
from tests.factories import make_policy
from tests.fakes.bind import Bind, BindMissing, write_zone
from tests.fakes.tsig import TsigKey
from tests.fakes.webserver import Reply, Request, WebServer, text

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
FIRST = [f"5.6.7.{n}" for n in range(1, 31)]
KEY = TsigKey()
FILES = ("list_digest", "entries_digest", "ledger_digest", "payload_digest")


@dataclass(slots=True)
class Served:
    """A list of some kind on a real neighbour, and how often it was sent whole."""

    kind: str
    settings: Mapping[str, object]
    neighbour: Any

    def source(self, now: datetime) -> Source:
        return create_source(
            name=f"the {self.kind} list", kind=self.kind, settings=self.settings,
            actor="test", now=now,
        )  # fmt: skip

    def add(self, address: str) -> None:
        self.neighbour.add(address)


class Web:
    """A list with an ETag."""

    def __init__(self) -> None:
        self.lines = list(FIRST)

    def add(self, address: str) -> None:
        self.lines.append(address)

    def __call__(self, request: Request) -> Reply:
        etag = f'"{len(self.lines)}"'
        if request.headers.get("if-none-match") == etag:
            return Reply(status=304, headers={"ETag": etag})
        return text(*self.lines, ETag=etag)


@dataclass(slots=True)
class Zone:
    """A zone in BIND."""

    bind: Bind

    def add(self, address: str) -> None:
        self.bind.change("list.example", KEY, add=[f"more A {address}"])


@dataclass(slots=True)
class Written:
    """A file."""

    path: Path

    def add(self, address: str) -> None:
        self.path.write_text(f"{self.path.read_text()}{address}\n")


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[Served]:
    if kind == "http":
        web = Web()
        with WebServer(web) as server:
            yield Served(kind, {"url": server.url(), "allow_internal": ["127.0.0.1"]}, web)
    elif kind == "zone":
        zone = write_zone(folder / "zone", [f"a{n} A {one}" for n, one in enumerate(FIRST)])
        try:
            bind = Bind({"list.example": zone}, keys=[KEY])
        except BindMissing as error:
            pytest.skip(str(error))
        with bind:
            at = {"name": "list.example", "servers": [bind.server], **KEY.settings}
            yield Served(kind, at, Zone(bind))
    else:
        path = folder / "list.txt"
        path.write_text("".join(f"{one}\n" for one in FIRST))
        yield Served(kind, {"path": str(path)}, Written(path))


@pytest.fixture(params=["http", "zone", "file"])
def served(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Iterator[Served]:
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    with serving(request.param, tmp_path) as served:
        yield served


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was decoded: the most costly part of a retrieval, and the proof that one took place."""
    found: list[str] = []

    def counted(retrieved: Any) -> Any:
        found.append(retrieved.format)
        return decode(retrieved)

    monkeypatch.setattr("policies.services.ask.decode", counted)
    return found


def retrieve(source: Source, *, now: datetime) -> Retrieval:
    retrieval = retrieve_source(source_id=source.pk, now=now)
    assert retrieval is not None
    source.refresh_from_db()
    return retrieval


def files() -> list[str]:
    """Return the names of all files of lists, and when each was written."""
    folder = Path(storages["sets"].path(""))
    return sorted(f"{p.name} {p.stat().st_mtime_ns}" for p in folder.rglob("*") if p.is_file())


def test_what_did_not_change_costs_no_decode_and_makes_no_file(
    served: Served, decodes: list[str], now: datetime
) -> None:
    source = served.source(now)
    retrieve(source, now=now)
    before, held = files(), [getattr(source, name) for name in FILES]
    assert len(decodes) == 1
    for hours in range(1, 24):
        again = retrieve(source, now=now + hours * HOUR)
        assert (again.outcome, again.prefixes) == (Outcome.UNCHANGED, source.list_prefixes)
        assert source.retrieved_at == now + hours * HOUR
    assert len(decodes) == 1
    assert (files(), [getattr(source, name) for name in FILES]) == (before, held)


def test_what_changed_is_taken_at_once_and_asked_about_from_then_on(
    served: Served, decodes: list[str], now: datetime
) -> None:
    source = served.source(now)
    retrieve(source, now=now)
    served.add("5.6.7.200")
    changed = retrieve(source, now=now + HOUR)
    assert (changed.outcome, changed.added, changed.removed) == (Outcome.CHANGED, 1, 0)
    assert get_set(source.list_digest) == AddressSet.of(*FIRST, "5.6.7.200")
    assert retrieve(source, now=now + 2 * HOUR).outcome == Outcome.UNCHANGED
    assert len(decodes) == 2


def test_once_a_day_the_list_is_retrieved_whole(
    served: Served, decodes: list[str], now: datetime
) -> None:
    source = served.source(now)
    for hours in (0, 12, 24, 36, 48):
        retrieve(source, now=now + hours * HOUR)
        assert source.whole_at == now + hours // 24 * 24 * HOUR
    assert len(decodes) == 3
    retrieve(source, now=now)  # the clock was set back
    assert len(decodes) == 4


@pytest.mark.parametrize("lost", FILES)
def test_a_lost_file_leads_to_a_whole_retrieval_that_brings_it_back(
    served: Served, decodes: list[str], now: datetime, lost: str
) -> None:
    source = served.source(now)
    retrieve(source, now=now)
    digest = getattr(source, lost)
    if not digest:
        assert (lost, served.kind == "zone") == ("payload_digest", False)
        return
    path = Path(storages["sets"].path(f"{digest[:2]}/{digest}"))
    whole = path.read_bytes()
    path.unlink()
    retrieve(source, now=now + HOUR)
    assert len(decodes) == 2
    if lost != "ledger_digest":
        assert path.read_bytes() == whole
    assert get_blob(getattr(source, lost))


@pytest.mark.parametrize("damage", [b"", b"no list at all"])
def test_a_damaged_list_is_named_and_comes_whole_at_once(
    served: Served, now: datetime, damage: bytes
) -> None:
    source = served.source(now)
    policy = make_policy(now=now, block=())
    policy.policy_sources.create(source=source, role="block")
    retrieve(source, now=now)
    path = Path(storages["sets"].path(f"{source.list_digest[:2]}/{source.list_digest}"))
    path.write_bytes(damage)
    report = compile_policy_now(policy_id=policy.pk, now=now + HOUR)
    assert report is not None
    assert report.state == PolicyState.FAILED
    assert f"the list held of {source.name} cannot be read" in report.detail
    assert str(path) not in report.detail
    source.refresh_from_db()
    assert source in Source.objects.due(now=now + HOUR)
    retrieve(source, now=now + HOUR)
    report = compile_policy_now(policy_id=policy.pk, now=now + HOUR)
    assert report is not None
    assert (report.state, get_set(source.list_digest).count) == (PolicyState.CURRENT, 30)


def test_other_settings_forget_what_was_held(
    served: Served, decodes: list[str], now: datetime
) -> None:
    source = served.source(now)
    retrieve(source, now=now)
    change = {"settings": {**source.settings, "max_bytes": 1 << 20}}
    source = change_source(source=source, changes=change, actor="test", now=now)
    assert not any((source.version, source.payload_digest, source.ledger_digest, source.whole_at))
    assert source.list_digest
    retrieve(source, now=now + HOUR)
    assert len(decodes) == 2


def test_another_password_asks_for_the_list_whole_and_forgets_nothing_of_its_past(
    now: datetime, tmp_path: Path, decodes: list[str]
) -> None:
    with serving("zone", tmp_path) as served:
        source = served.source(now)
        retrieve(source, now=now)
        ledger = source.ledger_digest
        change = {"settings": {**source.settings, "key_secret": "b3RoZXI="}}
        source = change_source(source=source, changes=change, actor="test", now=now)
        assert not any((source.version, source.payload_digest, source.whole_at))
        assert retrieve(source, now=now + HOUR).outcome != Outcome.UNCHANGED
        change = {"settings": {**source.settings, "key_secret": KEY.secret}}
        source = change_source(source=source, changes=change, actor="test", now=now)
        retrieve(source, now=now + 2 * HOUR)
    assert (source.ledger_digest, source.list_prefixes > 0) == (ledger, True)
    assert len(decodes) == 2


@pytest.mark.parametrize("lost", ["ledger_digest", "entries_digest"])
@pytest.mark.parametrize("damage", [None, b"", b"netsled1" + bytes(24)])
def test_without_the_ledger_or_the_entries_it_belongs_to_all_counts_as_new(
    tmp_path: Path, settings: Settings, now: datetime, lost: str, damage: bytes | None
) -> None:
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    with serving("file", tmp_path) as served:
        source = served.source(now)
        retrieve(source, now=now)
        digest = getattr(source, lost)
        path = Path(storages["sets"].path(f"{digest[:2]}/{digest}"))
        path.unlink() if damage is None else path.write_bytes(damage)
        served.add("5.6.7.200")
        assert retrieve(source, now=now + HOUR).outcome == Outcome.CHANGED
    assert seen(source, FIRST[0]) == (minutes(now + HOUR), LISTED)


def seen(source: Source, address: str) -> tuple[int, int] | None:
    files = get_blob(source.ledger_digest), get_blob(source.entries_digest)
    found = decode_ledger(*files).seen(Span.of(address))
    return None if found is None else (found.since, found.until)


def line_of(source: Source, address: str) -> int:
    index = decode_entries(get_blob(source.entries_digest))
    (found,) = index.covering(Span.of(address))
    return found.line


def test_an_entry_that_moves_to_another_line_was_first_seen_when_it_was(now: datetime) -> None:
    web = Web()
    with WebServer(web) as server:
        served = Served("http", {"url": server.url(), "allow_internal": ["127.0.0.1"]}, web)
        source = served.source(now)
        retrieve(source, now=now)
        assert line_of(source, "5.6.7.1") == 1
        web.lines = ["# moved", "", *reversed(FIRST), "9.9.8.7"]
        retrieve(source, now=now + HOUR)
        assert line_of(source, "5.6.7.1") == 32
        assert seen(source, "5.6.7.1") == (minutes(now), LISTED)
        assert seen(source, "9.9.8.7") == (minutes(now + HOUR), LISTED)
        web.lines = FIRST[1:]
        retrieve(source, now=now + 2 * HOUR)
        gone = seen(source, "5.6.7.1")
        assert gone is not None
        assert gone[0] == minutes(now)
        assert minutes(now + HOUR) <= gone[1] <= minutes(now + 2 * HOUR)
