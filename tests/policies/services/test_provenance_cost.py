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


def sizes(digests: Iterable[str]) -> int:
    store = storages["sets"]
    return sum(store.size(f"{digest[:2]}/{digest}") for digest in {*digests} - {""})


@pytest.mark.parametrize(
    ("make", "most"), [(host, 1.0), (network, 1.0), (host6, 1.05)], ids=["IPv4", "/24", "IPv6"]
)
def test_entries_and_ledger_of_all_versions_kept_take_no_more_room_than_their_texts(
    tmp_path: Path, settings: Settings, now: datetime,
    make: Callable[[random.Random], str], most: float,
) -> None:  # fmt: skip
    """Of one version alone entries and ledger take twice its text; there is one ledger for all."""
    settings.TSCM_LIST_FOLDERS = (tmp_path,)
    chance, path, texts = random.Random(7), tmp_path / "list", 0
    listed = [make(chance) for _ in range(ENTRIES)]
    at = {"path": str(path)}
    source = create_source(name="list", kind="file", settings=at, actor="test", now=now)
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
    assert cost <= most * texts
