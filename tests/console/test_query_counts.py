"""How many queries each list takes is written down here, and does not grow with its rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.large_site import Size, furnish
from tests.console.pages import address

pytestmark = pytest.mark.django_db
SMALL = Size(
    devices=12, gateways=4, policies=10, sources=25, records=20, snapshots=20, hit_hours=20,
    pulls=20, retrievals=20, batches=24, applications=20, changes=20, alarms=20, senders=10,
    people=5, entries=12,
)  # fmt: skip
LARGE = replace(
    SMALL, devices=120, gateways=60, policies=60, sources=70, records=200, snapshots=180,
    pulls=300, retrievals=300, batches=480, applications=200, changes=300, alarms=300, senders=120,
    people=60, entries=300,
)  # fmt: skip

# Two of each are the session and the user, one the alarms in the header.
PINNED = {
    "start": 16,
    "start, what is fetched again": 15,
    "report": 12,
    "connections": 6,
    "presets": 4,
    "Group": 5,
    "User": 8,
    "Alarm": 5,
    "AlarmTarget": 5,
    "Change": 8,
    "Source": 6,
    "Retrieval": 9,
    "Policy": 5,
    "ProtectedAddress": 5,
    "ListRecord": 7,
    "Snapshot": 7,
    "DeviceGroup": 5,
    "Device": 10,
    "Pull": 8,
    "Application": 9,
    "Spool": 6,
    "Batch": 9,
    "LineShape": 5,
    "Forward": 5,
    "Receiver": 5,
    "Sender": 6,
    "SavedReport": 5,
    "FailedSignIn": 5,
    "SecondFactor": 5,
    "Session": 5,
    "ApiToken": 5,
    "Entry": 8,
    "GroupSettings": 5,
    "Publication": 6,
    "Rollout": 5,
    "fleet": 10,
    "Device, by health": 11,
}


def pages() -> dict[str, str]:
    """Return the address of the start page, of each list, and of each page that lists."""
    lists = {
        model.__name__: address(model, "changelist")
        for model in apps.get_models()
        if admin.site.is_registered(model)
    }
    return {
        "start": reverse("admin:index"),
        "start, what is fetched again": reverse("console:overview-now"),
        "report": reverse("console:report"),
        "connections": reverse("console:report-connections"),
        "presets": reverse("console:presets"),
        "fleet": reverse("console:fleet"),
        **lists,
        "Device, by health": f"{lists['Device']}?health=never-pulled",
    }


def queries_of(client: Client) -> dict[str, int]:
    counts = {}
    for name, url in pages().items():
        client.get(url)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200, name
        counts[name] = len(queries)
    return counts


def test_lists_take_as_many_queries_as_written_down(alice: Client) -> None:
    furnish(LARGE)
    assert queries_of(alice) == PINNED


def test_a_tenth_of_the_rows_takes_no_query_less(alice: Client) -> None:
    furnish(SMALL)
    assert queries_of(alice) == PINNED


def test_who_may_only_look_costs_no_query_more_for_each_row(victor: Client) -> None:
    furnish(LARGE)
    looking = queries_of(victor)
    # Rights of a person are two queries, his groups of devices one; a superuser has none of these.
    assert all(looking[name] <= PINNED[name] + 3 for name in PINNED), looking
