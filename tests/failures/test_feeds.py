"""What a firewall reads, and what a backup brings back: rows 22, 24 and 27."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from policies.models import Feed
from policies.states import Role
from policies.store import feed_path
from tests.failures.site import Site, body
from tests.fakes.appliance import appliance


def test_failure_22_a_feed_that_is_being_read_never_changes(site: Site) -> None:
    policy = site.policy(site.source("/list", *(f"5.6.{n}.1" for n in range(200))))
    site.tick()
    before = body(policy)
    path = feed_path(policy.current.feeds.get(list=Role.BLOCK).digest, ".txt")  # type: ignore[union-attr]
    with path.open("rb", buffering=0) as reader:
        read = reader.read(100)
        for number in range(2, 7):
            site.shelf.put("/list", *(f"5.6.{n}.{number}" for n in range(200)))
            site.tick(hours=number)
            read += reader.read(100)
        read += reader.read()
    assert read == before != body(policy)
    assert path.read_bytes() == before
    assert policy.last_number == 6


def test_failure_27_every_feed_is_whole_before_anybody_is_told_of_it(site: Site) -> None:
    policy = site.policy(site.source("/list", "5.6.7.8"), allow=[site.source("/allow", "9.9.8.8")])
    for number in range(4):
        site.shelf.put("/list", *(f"5.6.{n}.{number}" for n in range(200)))
        site.tick(hours=number)
    assert Feed.objects.filter(snapshot__policy=policy).count() == 8
    for feed in Feed.objects.all():
        whole = feed_path(feed.digest, ".txt").read_bytes()
        assert hashlib.sha256(whole).hexdigest() == feed.digest
        assert (len(whole), whole.count(b"\n")) == (feed.size, feed.lines)
        assert whole.endswith(b"\n")
        assert gzip.decompress(feed_path(feed.digest, ".txt.gz").read_bytes()) == whole
        md5 = hashlib.md5(whole, usedforsecurity=False).hexdigest()
        assert feed_path(feed.digest, ".txt.md5").read_text() == f"{md5}\n" == f"{feed.md5}\n"


PUBLISH = """
from policies.models import Policy
from policies.services import refresh_policy
from tests.factories import make_policy
policy = make_policy(now=timezone.now(), name="edge", block=["5.6.7.0/24", "8.1.2.3"],
                     allow=["5.6.7.8"])
refresh_policy(policy=policy, clock=timezone.now)
"""
CHANGE = """
from policies.models import Policy
from policies.services import refresh_policy
policy = Policy.objects.get()
for number in range(20):
    policy.sources.filter(policy_sources__role="block").update(
        settings={"entries": ["5.6.7.0/24", f"8.1.2.{number}"]})
    refresh_policy(policy=policy, clock=timezone.now)
"""
LOOK = """
import hashlib, json
from netsets.span import Span
from policies.models import Policy
from policies.reports.why import WhyReader
from policies.services import compile_policy_now
from policies.store import feed_path, get_set
policy = Policy.objects.select_related("current").get()
found = {}
for feed in policy.current.feeds.all():
    body = feed_path(feed.digest, ".txt").read_bytes()
    found[feed.list] = hashlib.sha256(body).hexdigest()
    assert found[feed.list] == feed.digest, feed
for digest in (policy.current.block_digest, policy.current.allow_digest,
               policy.current.before_digest, *(one["digest"] for one in policy.current.sources)):
    get_set(digest)
answer = WhyReader(Span.of("5.6.7.9")).snapshot(policy.current)
assert answer.blocked == "wholly", answer
number = policy.last_number
policy.inputs_digest = ""
policy.save()
report = compile_policy_now(policy_id=policy.pk, now=timezone.now())
policy.refresh_from_db()
print(json.dumps([found, report.state, policy.last_number - number]))
"""


@pytest.mark.timeout(180)
def test_failure_24_a_backup_of_a_running_site_brings_back_the_lists_and_not_empty_ones(
    tmp_path: Path,
) -> None:
    """The database first, then the files: whatever it names has been written before it."""
    copy = tmp_path / "restored"
    with appliance(tmp_path / "data") as site, appliance(copy) as restored:
        site.python(PUBLISH)
        busy = site.begin(CHANGE)
        with (
            closing(sqlite3.connect(site.data_dir / "tscm.sqlite3")) as live,
            closing(sqlite3.connect(tmp_path / "backup")) as backup,
        ):
            live.backup(backup)
        for folder in ("sets", "feeds"):
            shutil.copytree(site.data_dir / folder, copy / folder, dirs_exist_ok=True)
        assert busy.wait(timeout=60) == 0
        for leftover in copy.glob("tscm.sqlite3*"):
            leftover.unlink()
        shutil.copy(tmp_path / "backup", copy / "tscm.sqlite3")
        shutil.rmtree(site.data_dir / "sets")  # nothing may still be read from there
        shutil.rmtree(site.data_dir / "feeds")
        found, state, more = restored.python(LOOK)
    assert found.keys() == {"block", "allow"}
    assert (state, more) == ("current", 0)
