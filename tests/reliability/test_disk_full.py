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


def may_mount() -> bool:
    """Tell whether a mount of one's own can be made; in a plain chroot, say, it cannot."""
    tried = ["unshare", "--mount", "true"]
    return subprocess.run(tried, capture_output=True, timeout=10, check=False).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk of its own")
@pytest.mark.skipif(not may_mount(), reason="this machine allows no mount namespace")
def test_a_full_disk_keeps_the_snapshot_in_force_whole(tmp_path: Path) -> None:
    with appliance(tmp_path / "data") as site:
        (site.data_dir / "feeds").mkdir()
        prologue = "import django; django.setup()\nfrom django.utils import timezone\n"
        mount = 'mount -t tmpfs -o size=512k tmpfs "$0" && exec "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mount, str(site.data_dir / "feeds"),
             sys.executable, "-c", prologue + PROGRAM],
            cwd=CHECKOUT, env=site.environment, capture_output=True, text=True, timeout=50,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
