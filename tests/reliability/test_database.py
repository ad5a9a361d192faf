"""Many writers on the stock SQLite, two workers on one policy, and all of it on PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.appliance import Appliance, appliance
from tests.fakes.postgres import PostgresMissing, postgres

MAKE = """
from tests.factories import make_policy
make_policy(now=timezone.now(), name="edge", block=[f"5.{n}.0.0/16" for n in range(200)])
"""
COMPILE = """
from policies.models import Policy, Source
from policies.services import compile_policy_now, retrieve_source
reports = []
for _ in range(20):
    reports += [retrieve_source(source_id=Source.objects.get().pk, now=timezone.now()) is not None]
    compile_policy_now(policy_id=Policy.objects.get().pk, now=timezone.now())
done = sum(reports)
"""
HOLD = """
from policies.models import Policy
from policies.services import refresh_policy
policy = Policy.objects.get()
refresh_policy(policy=policy, clock=timezone.now)
policy.sources.update(settings={"entries": [f"5.{n}.0.0/16" for n in range(200)] +
                                           [f"91.{n}.0.0/16" for n in range(0, 250)] * 2 +
                                           [f"92.{n}.0.0/16" for n in range(0, 250)]})
assert refresh_policy(policy=policy, clock=timezone.now).compiled.state == "held"
"""
APPROVE = """
from policies.models import Candidate, Policy
from policies.services import Busy, Refused, approve_candidate
policy, held = Policy.objects.get(), Candidate.objects.get()
done = 0
try:
    approve_candidate(policy=policy, digest=held.block_digest, actor="test", now=timezone.now())
    done = 1
except (Busy, Refused) as refused:
    assert str(refused), "no words"
"""
WRITE = """
from policies.models import Change
from policies.services import record_change
from django.db import transaction
for number in range(50):
    with transaction.atomic():
        before = Change.objects.count()
        record_change(actor="test", verb="write", subject=str(before), now=timezone.now())
done = 50
"""
# One set-up and then a fork for each: ten interpreters that start together would be the test.
FORK = """
import json, os, sys, traceback
children = []
for _ in range({processes}):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            names = {{"timezone": timezone}}
            exec({program!r}, names)
            os.write(writer, str(names["done"]).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    children.append((child, reader))
counts = []
for child, reader in children:
    counts.append(os.read(reader, 20).decode())
    assert os.waitpid(child, 0)[1] == 0, "a process failed"
print(json.dumps([int(count) for count in counts]))
"""
TAMPER = """
import json
from django.db import DatabaseError, connection, transaction
from policies.reports.changes import verify_changes
deeds = ["UPDATE policies_change SET verb = 'x'", "DELETE FROM policies_change WHERE id = 7"]
if connection.vendor == "postgresql":
    deeds.append("TRUNCATE policies_change")
done = []
for deed in deeds:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(deed)
        done.append(deed)
    except DatabaseError as error:
        assert "only added to" in str(error), error
found = verify_changes()
print(json.dumps([found.is_whole, found.rows, done]))
"""
LOOK = """
import json
from policies.models import Change, Policy, Snapshot
policy = Policy.objects.select_related("current").get()
print(json.dumps([policy.state, policy.claimed_by, policy.current.number, Snapshot.objects.count(),
                  Change.objects.count()]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Appliance]:
    if request.param == "sqlite":
        with appliance(tmp_path / "data") as made:
            yield made
        return
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # a socket's path must be short
        try:
            with (
                postgres(Path(folder)) as url,
                appliance(tmp_path / "data", TSCM_DATABASE_URL=url) as made,
            ):
                yield made
        except PostgresMissing as missing:
            pytest.skip(str(missing))


def together(site: Appliance, program: str, *, processes: int) -> int:
    """Run a program in several processes at once; return the sum of what they printed."""
    counts = site.python(FORK.format(processes=processes, program=program))
    return sum(counts)


@pytest.mark.timeout(180)
def test_four_workers_on_one_policy_publish_one_snapshot(site: Appliance) -> None:
    site.python(MAKE)
    # How often one finds the source free is chance; that somebody does is not.
    assert together(site, COMPILE, processes=4) >= 1
    state, claimed_by, current, snapshots, _ = site.python(LOOK)
    assert (state, claimed_by, current, snapshots) == ("current", "", 1, 1)


@pytest.mark.timeout(180)
def test_two_who_approve_at_once_publish_one_snapshot(site: Appliance) -> None:
    site.python(MAKE)
    site.python(HOLD)
    assert together(site, APPROVE, processes=4) == 1
    state, claimed_by, current, snapshots, changes = site.python(LOOK)
    assert (state, claimed_by, current, snapshots) == ("current", "", 2, 2)
    assert changes == 1


@pytest.mark.timeout(180)
def test_ten_writers_that_read_first_lose_no_write(site: Appliance) -> None:
    site.python(MAKE)
    site.python(COMPILE)
    together(site, WRITE, processes=10)
    assert site.python(LOOK)[-1] == 500
    # What ten wrote at once is one chain, and the database itself lets nobody alter it.
    assert site.python(TAMPER) == [True, 500, []]
