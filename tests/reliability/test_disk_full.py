"""A disk that is really full publishes nothing, and room on it is all that is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.appliance import CHECKOUT, appliance

PROGRAM = """
import os
from pathlib import Path
from django.conf import settings
from policies.models import Policy
from policies.services import refresh_policy
from policies.store import feed_path
from tests.factories import make_policy

def refresh():
    report = refresh_policy(policy=policy, clock=timezone.now, accept_change=True)
    policy.refresh_from_db()
    return report.compiled.state

def say(*entries):
    source = policy.sources.get()
    source.settings = {"entries": list(entries)}
    source.save()

policy = make_policy(now=timezone.now(), name="edge", block=["5.6.7.8"])
assert refresh() == "current"
first, feeds = policy.current, Path(settings.DATA_DIR) / "feeds"
whole = sorted(path.name for path in feeds.iterdir())
ballast = feeds / "ballast"
handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(handle, b"x" * 4096)
except OSError as error:
    assert error.errno == 28, error
finally:
    os.close(handle)
say(*[f"5.{a}.{b}.0/24" for a in range(0, 100, 2) for b in range(0, 200, 2)])
assert refresh() == "failed", policy.state
assert "No space left on device" in policy.state_detail, policy.state_detail
assert policy.current == first
ballast.unlink()
assert sorted(path.name for path in feeds.iterdir()) == whole, "something half-written is left"
assert refresh() == "current"
assert policy.current.number == 2
assert feed_path(policy.current.feeds.get(list="block").digest, ".txt").stat().st_size > 0
print('"done"')
"""


LISTS = """
import os
from pathlib import Path
from django.conf import settings
from policies.models import Candidate, Packing, Policy, Source
from policies.services import CannotPack, pack_snapshot, refresh_policy
from policies.store import get_blob, get_set
from tests.factories import make_policy

sets = Path(settings.DATA_DIR) / "sets"
FILES = ("list_digest", "entries_digest", "ledger_digest")

def refresh(**options):
    report = refresh_policy(policy=policy, clock=timezone.now, **options)
    policy.refresh_from_db()
    source.refresh_from_db()
    return report.compiled.state

def say(*entries):
    policy.sources.update(settings={"entries": list(entries)}, shrink_limit=100)

def fill(*, room):
    "Leave room for so many bytes."
    with (sets / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == 28, error
        ballast.truncate(max(0, ballast.tell() - room))

def check(*, files):
    for path in sets.rglob("*.part"):
        raise AssertionError(f"half-written: {path}")
    assert [getattr(source, name) for name in FILES] == files
    get_set(source.list_digest)
    for name in files[1:]:
        get_blob(name)

small = [f"5.{n}.7.1" for n in range(0, 40, 2)]
large = [f"5.{a}.{b}.0/24" for a in range(0, 60, 2) for b in range(0, 200, 2)]
policy = make_policy(now=timezone.now(), name="edge", block=small)
source = policy.sources.get()
assert refresh() == "current"
first, files = policy.current, [getattr(source, name) for name in FILES]

# The list, its entries and its ledger: each in turn finds no room.
Policy.objects.update(growth_limit=100_000)
say(*large)
for room in (0, 28_000, 40_000):
    fill(room=room)
    refresh()
    (sets / "ballast").unlink()
    assert source.state == "unavailable", (room, source.state, source.list_entries)
    assert "No space left on device" in source.error, source.error
    assert policy.current == first
    check(files=files)
say(*small)
assert refresh() == "current"

# A candidate: the list is there, and what is to be looked at finds no room.
Policy.objects.update(growth_limit=100)
say(*small, *large, *(f"91.{n}.0.0/16" for n in range(0, 200, 2)))
from policies.services import compile_policy_now, retrieve_source
retrieve_source(source_id=source.pk, now=timezone.now())
from policies.models import ProtectedAddress
ProtectedAddress.objects.create(network="91.2.0.7", reason="so that what is held is no list's own")
fill(room=0)
report = compile_policy_now(policy_id=policy.pk, now=timezone.now())
(sets / "ballast").unlink()
assert (report.state, Candidate.objects.count()) == ("failed", 0), report
assert "No space left on device" in report.detail, report.detail
policy.refresh_from_db()
assert policy.current == first
assert not list(sets.rglob("*.part"))
report = compile_policy_now(policy_id=policy.pk, now=timezone.now())
assert (report.state, Candidate.objects.count()) == ("held", 1), report
assert refresh(accept_change=True) == "current"

# A packed list.
fill(room=0)
try:
    pack_snapshot(snapshot=policy.current, most=500, now=timezone.now())
    raise AssertionError("it was packed")
except CannotPack as error:
    assert "No space left on device" in str(error), error
(sets / "ballast").unlink()
assert not Packing.objects.exists()
assert not list(sets.rglob("*.part"))
assert pack_snapshot(snapshot=policy.current, most=500, now=timezone.now()).entries == 500
print('"done"')
"""


def may_mount() -> bool:
    """Tell whether a mount of one's own can be made; in a plain chroot, say, it cannot."""
    tried = ["unshare", "--mount", "true"]
    return subprocess.run(tried, capture_output=True, timeout=10, check=False).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk of its own")
@pytest.mark.skipif(not may_mount(), reason="this machine allows no mount namespace")
@pytest.mark.parametrize(
    ("folder", "program"), [("feeds", PROGRAM), ("sets", LISTS)], ids=["feeds", "sets"]
)
def test_a_full_disk_keeps_what_is_in_force_whole(
    tmp_path: Path, folder: str, program: str
) -> None:
    with appliance(tmp_path / "data") as site:
        (site.data_dir / folder).mkdir()
        prologue = "import django; django.setup()\nfrom django.utils import timezone\n"
        mount = 'mount -t tmpfs -o size=512k tmpfs "$0" && exec "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mount, str(site.data_dir / folder),
             sys.executable, "-c", prologue + program],
            cwd=CHECKOUT, env=site.environment, capture_output=True, text=True, timeout=50,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
