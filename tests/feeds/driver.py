"""Makes rows in a data folder of its own, one JSON line a wish: the appliance beside a feed server.

A process of its own, because the feed server reads a database file that tests must be able to
break, and pytest's own database is in memory.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def add(*, block: list[str] | int, allow: list[str], **settings: Any) -> dict[str, Any]:
    """Add a device with a policy of its own, published unless `block` is empty."""
    from django.utils import timezone

    from tests.factories import make_device, make_policy

    now = timezone.now()
    policy = make_policy(now=now, block=(), allow=())
    device = make_device(policy=policy, now=now, **settings)
    if block:
        publish(device_id=device.device_id, block=block, allow=allow)
    return {"device_id": device.device_id}


def publish(*, device_id: str, block: list[str] | int, allow: list[str]) -> dict[str, Any]:
    """Publish these lists, or a block list of so many ranges; return the snapshot's number."""
    from django.utils import timezone

    from devices.models import Device
    from policies.models import PolicySource
    from tests import factories

    policy = Device.objects.get(device_id=device_id).policy
    policy.policy_sources.all().delete()
    for role, entries in (("block", block), ("allow", allow)):
        listed = entries if isinstance(entries, list) else many(entries)
        if listed:
            source = factories.make_source(entries=listed, now=timezone.now())
            PolicySource.objects.create(policy=policy, source=source, role=role)
    snapshot = factories.publish(policy, now=timezone.now(), accept_change=True)
    feeds = {feed.list: {"digest": feed.digest, "md5": feed.md5} for feed in snapshot.feeds.all()}
    return {"number": snapshot.number, "feeds": feeds}


def many(count: int) -> list[str]:
    """Return so many ranges of IPv6 addresses, each of them 126 lines of a feed."""
    return [f"2a00:{n:x}::1-2a00:{n:x}::ffff:ffff:ffff:fffe" for n in range(count)]


def remove(*, device_id: str) -> dict[str, Any]:
    """Remove a device."""
    from django.utils import timezone

    from devices.models import Device
    from devices.services import remove_device

    device = Device.objects.get(device_id=device_id)
    remove_device(device=device, actor="test", now=timezone.now())
    return {}


def pulls(*, device_id: str) -> list[dict[str, Any]]:
    """Return the recorded pulls of a device, oldest first."""
    from devices.models import Pull

    rows = Pull.objects.filter(device__device_id=device_id).order_by("id")
    return [
        {
            "at": row.at.isoformat(), "client": row.client, "agent": row.agent, "file": row.file,
            "method": row.method, "status": row.status, "snapshot": row.snapshot_number,
            "sent": row.sent, "is_complete": row.is_complete,
        }
        for row in rows
    ]  # fmt: skip


VERBS: dict[str, Callable[..., object]] = {
    "add": add,
    "publish": publish,
    "remove": remove,
    "pulls": pulls,
}


def main() -> None:
    """Answer wishes until the input ends."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tscm_site.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    _say({})
    for line in sys.stdin:
        wish = json.loads(line)
        _say(VERBS[wish.pop("verb")](**wish))


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
