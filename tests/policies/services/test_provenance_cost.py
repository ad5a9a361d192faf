"""What is kept to tell why and since when costs no more than the lists themselves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages
from pytest_django import Settings

from policies.models import Snapshot, Source
from policies.services import (
    Member,
    compile_policy_now,
    create_policy,
    create_source,
    prune,
    retrieve_source,
)
from policies.states import Role

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
ENTRIES, VERSIONS = 2000, 10


def host(chance: random.Random) -> str:
    return ".".join(str(chance.randint(11, 199)) for _ in range(4))


def network(chance: random.Random) -> str:
    return f"{host(chance).rpartition('.')[0]}.0/24"


def host6(chance: random.Random) -> str:
    return f"2a00:{':'.join(f'{chance.randrange(1 << 16):x}' for _ in range(7))}"


def short(chance: random.Random) -> str:
    return ".".join(str(chance.randint(1, 9)) for _ in range(4))


def short6(chance: random.Random) -> str:
    return f"2a00::{chance.randrange(1 << 16):x}"


def sizes(digests: Iterable[str]) -> int:
    store = storages["sets"]
    return sum(store.size(f"{digest[:2]}/{digest}") for digest in {*digests} - {""})


def cost_of(source: Source) -> int:
    source.refresh_from_db()
    return sizes((source.entries_digest, source.ledger_digest))


def kept(folder: Path, *, listed: Iterable[str], now: datetime) -> Source:
    """Return a source whose list has been retrieved once."""
    path = folder / "list"
    path.write_text("".join(f"{one}\n" for one in listed))
    at = {"path": str(path)}
    source = create_source(name="list", kind="file", settings=at, actor="test", now=now)
    retrieve_source(source_id=source.pk, now=now)
    return source


@pytest.mark.parametrize("make", [host, network, host6], ids=["IPv4", "/24", "IPv6"])
def test_entries_and_ledger_of_one_version_take_no_more_room_than_its_text(
    tmp_path: Path, settings: Settings, now: datetime, make: Callable[[random.Random], str]
) -> None:
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    chance = random.Random(7)
    source = kept(tmp_path, listed=[make(chance) for _ in range(ENTRIES)], now=now)
    assert cost_of(source) <= (tmp_path / "list").stat().st_size


@pytest.mark.parametrize(
    ("make", "ranges", "each"),
    [
        (short, (), 13),
        (short6, (), 25),
        (short, ("10.0.0.1-10.0.0.3",), 16),
        (short6, ("2a00::1-2a00::3",), 40),
    ],
    ids=["IPv4", "IPv6", "IPv4 with a range", "IPv6 with a range"],
)
def test_an_entry_takes_the_same_room_however_short_its_text(
    tmp_path: Path, settings: Settings, now: datetime,
    make: Callable[[random.Random], str], ranges: tuple[str, ...], each: int,
) -> None:  # fmt: skip
    """`2a00::7`, which is 8 bytes of text with its line's end, takes 25."""
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    chance = random.Random(7)
    listed = {make(chance) for _ in range(ENTRIES)} | {*ranges}
    source = kept(tmp_path, listed=sorted(listed), now=now)
    assert each * len(listed) < cost_of(source) < (each + 0.2) * len(listed)


@pytest.mark.parametrize("make", [host, network, host6], ids=["IPv4", "/24", "IPv6"])
def test_entries_and_ledger_of_all_versions_kept_take_no_more_room_than_their_texts(
    tmp_path: Path, settings: Settings, now: datetime, make: Callable[[random.Random], str]
) -> None:
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    chance, path, texts = random.Random(7), tmp_path / "list", 0
    listed = [make(chance) for _ in range(ENTRIES)]
    source = kept(tmp_path, listed=listed, now=now)
    policy = create_policy(
        name="edge", members=[Member(source, Role.BLOCK)], options={"max_share": 50},
        actor="test", now=now,
    )  # fmt: skip
    for number in range(VERSIONS):
        listed = [*listed[ENTRIES // 100 :], *(make(chance) for _ in range(ENTRIES // 100))]
        path.write_text("".join(f"{one}\n" for one in listed))
        texts += path.stat().st_size
        retrieve_source(source_id=source.pk, now=now + number * HOUR)
        compile_policy_now(policy_id=policy.pk, now=now + number * HOUR)
    prune(now=now + timedelta(days=900), keep=VERSIONS, held=())
    snapshots = list(Snapshot.objects.all())
    assert len(snapshots) == VERSIONS
    entries = {entry["entries"] for snapshot in snapshots for entry in snapshot.sources}
    assert len(entries) == VERSIONS
    cost = sizes(entries) + sizes(Source.objects.values_list("ledger_digest", flat=True))
    assert cost <= texts
