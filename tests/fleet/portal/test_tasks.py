"""What the beat sends for a portal, and what a thousand devices cost it."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.conf import settings as site

from fleet.models import Entry, EntryKey
from fleet.protocol.keys import key_text, new_key
from fleet.services.portal_state import mark_configuration_due
from fleet.services.publish import Published, publish
from fleet.tasks import publish as publish_task, read, resolve
from policies.models import Alarm
from tests.factories import make_policy, publish as publish_snapshot, republish
from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import add, got

pytestmark = pytest.mark.django_db
MANY = 1000
# Of a publish, however many entries are due: each five hundred rows take a few.
QUERIES = 60


def test_the_tasks_do_what_is_due_and_nothing_twice(server: PortalBind, moment: datetime) -> None:
    made = add("gw-1", now=moment)
    assert publish_task() == {"settings": 1, "policies": 0, "faults": 0}
    assert publish_task() is None
    assert got(server, made).settings.nickname == "gw-1"
    assert (read(), resolve()) == (0, 0)
    assert not Alarm.objects.exists()


def test_a_console_that_is_no_portal_has_nothing_to_do() -> None:
    assert site.TSCM_PORTAL.primary is None
    assert (publish_task(), read(), resolve()) == (None, 0, 0)


def test_a_new_snapshot_for_a_thousand_devices_costs_a_handful_of_queries(
    server: PortalBind, moment: datetime, django_assert_max_num_queries: object
) -> None:
    policy = make_policy(now=moment, name="edge", block=["5.6.7.0/28"])
    publish_snapshot(policy, now=moment)
    Entry.objects.bulk_create(
        Entry(
            nickname=f"gw-{number}", device_id=f"tdid_{number:08x}", kind="iptables",
            policy=policy, created_at=moment, due_at=moment,
        )
        for number in range(MANY)
    )  # fmt: skip
    EntryKey.objects.bulk_create(
        EntryKey(entry=entry, generation=1, text=key_text(new_key()), created_at=moment)
        for entry in Entry.objects.all()
    )
    mark_configuration_due()
    with django_assert_max_num_queries(QUERIES):  # type: ignore[operator]
        first = publish(now=moment)
    assert first == Published(settings=MANY, policies=2, is_configured=True)
    republish(policy, "5.6.7.0/28", "7.7.7.7", now=moment)
    with django_assert_max_num_queries(QUERIES):  # type: ignore[operator]
        assert publish(now=moment) == Published(settings=MANY, policies=2)
    assert not Entry.objects.exclude(due_at=None).exists()
    with django_assert_max_num_queries(1):  # type: ignore[operator]
        assert publish(now=moment) is None
