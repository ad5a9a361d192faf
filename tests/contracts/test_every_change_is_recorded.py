"""Whatever a person changes through the API leaves a row in the record, with who and from where."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import services as tokens
from accounts.models import ApiToken
from fleet.models import Entry
from logs.models import Receiver, Sender
from policies.models import Alarm, Change, ListRecord, Policy, Source
from policies.reports.changes import verify_changes
from policies.services import return_to_snapshot
from tests.console.pages import Site, make_site
from tests.factories import hold, make_policy, make_source, publish, republish
from tests.fleet.edges.portal import be_portal
from tests.fleet.edges.rows import make_entry, make_group
from tests.fleet.link.rows import make_link
from tests.logs.rows import make_receiver
from tscm_site.api import router
from tscm_site.env import Bind

pytestmark = pytest.mark.django_db
CHECKOUT = Path(__file__).resolve().parents[2]

# Questions and errands: they are answered or done sooner, and nothing is another afterwards.
ASKS_ONLY = {
    "POST devices/update", "POST devices/plan", "POST devices/check", "POST devices/rotate-logs",
    "POST links/poll", "POST policies/update", "POST sources/try", "POST alarm-targets/test",
    "POST saved-reports/send", "POST device-entries/bulk/preview",
}  # fmt: skip

Body = dict[str, Any]
Made = tuple[str, Body]


def _kept(site: Site) -> Source:
    return Source.objects.get(kind="user")


def _record(site: Site) -> str:
    return f"sources/{_kept(site).pk}/records/{ListRecord.objects.get().pk}/"


def _fresh(site: Site) -> Policy:
    return make_policy(now=timezone.now())


def _held(site: Site, deed: str) -> Made:
    policy = hold(now=timezone.now())
    digest = policy.candidate.block_digest
    return f"policies/{policy.pk}/candidate/{deed}/", {"block_digest": digest}


def _pinned(site: Site) -> str:
    policy = make_policy(now=timezone.now(), name="pinned")
    first = publish(policy, now=timezone.now())
    republish(policy, "9.8.7.6", now=timezone.now())
    return_to_snapshot(snapshot=first, actor="test", now=timezone.now())
    return f"policies/{policy.pk}/release/"


def _earlier(site: Site) -> str:
    policy = make_policy(now=timezone.now(), name="again")
    first = publish(policy, now=timezone.now())
    republish(policy, "9.8.7.6", now=timezone.now())
    return f"snapshots/{first.pk}/return/"


def _paused(api: APIClient, site: Site) -> str:
    api.post(f"/api/v1/devices/{site.gateway.pk}/pause/", {"minutes": 30}, format="json")
    return f"devices/{site.gateway.pk}/resume/"


def _protected(api: APIClient) -> str:
    sent = {"network": "192.0.2.200", "reason": "ours"}
    made = api.post("/api/v1/protected-addresses/", sent, format="json").json()
    return f"protected-addresses/{made['id']}/"


def _group(api: APIClient) -> str:
    made = api.post("/api/v1/device-groups/", {"name": "south"}, format="json").json()
    return f"device-groups/{made['id']}/"


def _link(site: Site) -> str:
    return f"links/{make_link(site.device, now=timezone.now()).pk}/"


def _overridden(api: APIClient, site: Site) -> str:
    at, sent = _link(site), {"setting": "log_size", "value": "300k"}
    api.post(f"/api/v1/{at}override/", sent, format="json")
    return f"{at}release/"


TARGET = {
    "name": "duty", "kind": "syslog",
    "settings": {"host": "192.0.2.9", "port": 514, "protocol": "udp"},
}  # fmt: skip


def _target(api: APIClient, **told: Any) -> str:
    made = api.post("/api/v1/alarm-targets/", {**TARGET, **told}, format="json")
    assert made.status_code == 201, made.content
    return f"alarm-targets/{made.json()['id']}/"


def _report(api: APIClient) -> str:
    sent = {"name": "of my own", "query": "last=7d"}
    made = api.post("/api/v1/saved-reports/", sent, format="json")
    assert made.status_code == 201, made.content
    return f"saved-reports/{made.json()['id']}/"


def _retired(now: datetime) -> str:
    row = make_receiver(now=now, node="gone", stopped_at=now)
    Receiver.objects.filter(pk=row.pk).update(reported_at=datetime(2020, 1, 1, tzinfo=now.tzinfo))
    return f"logs/receivers/{row.pk}/"


def _entry() -> Entry:
    return make_entry(now=timezone.now(), group=make_group("fleet", now=timezone.now()))


def _bulk(api: APIClient) -> Made:
    body: Body = {"entries": [_entry().pk], "settings": {"verdict": "reject"}}
    seen = api.post("/api/v1/device-entries/bulk/preview/", body, format="json").json()
    return "device-entries/bulk/apply/", {**body, "digest": seen["digest"]}


def _group_settings(api: APIClient) -> tuple[str, Body]:
    body = {"group": make_group("fleet", now=timezone.now()).pk, "settings": {"verdict": "reject"}}
    return "group-settings/", body


def _made(api: APIClient, path: str, body: Body) -> str:
    made = api.post(f"/api/v1/{path}", body, format="json")
    assert made.status_code == 201, made.content
    return f"{path}{made.json()['id']}/"


def _publication(api: APIClient, site: Site) -> Made:
    return "publications/", {"policy": site.policy.pk, "forms": ["apl"]}


def _rollout(api: APIClient, *moves: str) -> str:
    first, others = _entry().group, make_group("others", now=timezone.now())
    assert first is not None
    body = {"name": "reject", "settings": {"verdict": "reject"}, "canary": first.pk,
            "onward": [others.pk]}  # fmt: skip
    path = _made(api, "rollouts/", body)
    for move in moves:
        assert api.post(f"/api/v1/{path}{move}/").status_code == 200
    return path


DEVICE = {"nickname": "fmc-9", "kind": "firepower", "device_id": "tdid_00000009",
          "management_ip": "192.0.2.99"}  # fmt: skip
WEBHOOK = {"name": "hook", "kind": "webhook", "settings": {"url": "https://192.0.2.9/hook"}}

WRITES: dict[str, Callable[[APIClient, Site], Made]] = {
    "POST devices": lambda a, s: ("devices/", {**DEVICE, "policy": s.policy.pk}),
    "PATCH devices": lambda a, s: (f"devices/{s.device.pk}/", {"note": "new"}),
    "DELETE devices": lambda a, s: (f"devices/{s.device.pk}/", {}),
    "POST devices/apply": lambda a, s: (f"devices/{s.gateway.pk}/apply/", {}),
    "POST devices/pause": lambda a, s: (f"devices/{s.gateway.pk}/pause/", {"minutes": 30}),
    "POST devices/resume": lambda a, s: (_paused(a, s), {}),
    "POST devices/retry-uploads": lambda a, s: (f"devices/{s.device.pk}/retry-uploads/", {}),
    "POST device-groups": lambda a, s: ("device-groups/", {"name": "north"}),
    "PATCH device-groups": lambda a, s: (_group(a), {"people": ["alice"]}),
    "DELETE device-groups": lambda a, s: (_group(a), {}),
    "DELETE links": lambda a, s: (_link(s), {}),
    "POST links/override": lambda a, s: (
        f"{_link(s)}override/", {"setting": "log_size", "value": "300k"},
    ),
    "POST links/release": lambda a, s: (_overridden(a, s), {"setting": "log_size"}),
    "POST policies": lambda a, s: (
        "policies/",
        {"name": "new", "sources": [{"source": make_source(entries=["9.9.9.9"],
                                                           now=timezone.now()).pk,
                                     "role": "block"}]},
    ),
    "PATCH policies": lambda a, s: (f"policies/{_fresh(s).pk}/", {"max_share": 20}),
    "DELETE policies": lambda a, s: (f"policies/{_fresh(s).pk}/", {}),
    "POST policies/candidate/approve": lambda a, s: _held(s, "approve"),
    "POST policies/candidate/discard": lambda a, s: _held(s, "discard"),
    "POST policies/release": lambda a, s: (_pinned(s), {}),
    "POST sources": lambda a, s: (
        "sources/", {"name": "mine", "kind": "user", "settings": {"type": "block"}},
    ),
    "PATCH sources": lambda a, s: (f"sources/{_kept(s).pk}/", {"severity": 5}),
    "DELETE sources": lambda a, s: (
        f"sources/{make_source(entries=['9.9.9.9'], now=timezone.now()).pk}/", {},
    ),
    "POST sources/records": lambda a, s: (
        f"sources/{_kept(s).pk}/records/", {"entry": "203.0.113.9"},
    ),
    "PATCH sources/records": lambda a, s: (_record(s), {"note": "known"}),
    "DELETE sources/records": lambda a, s: (_record(s), {}),
    "POST sources/records/batch": lambda a, s: (
        f"sources/{_kept(s).pk}/records/batch/", {"records": [{"entry": "203.0.113.10"}]},
    ),
    "POST snapshots/return": lambda a, s: (_earlier(s), {}),
    "POST presets/add": lambda a, s: ("presets/spamhaus-drop/add/", {}),
    "POST alarms/acknowledge": lambda a, s: (f"alarms/{Alarm.objects.get().pk}/acknowledge/", {}),
    "POST alarm-targets": lambda a, s: ("alarm-targets/", TARGET),
    "PATCH alarm-targets": lambda a, s: (_target(a), {"name": "soc"}),
    "DELETE alarm-targets": lambda a, s: (_target(a), {}),
    "POST alarm-targets/renew-secret": lambda a, s: (f"{_target(a, **WEBHOOK)}renew-secret/", {}),
    "POST protected-addresses": lambda a, s: (
        "protected-addresses/", {"network": "192.0.2.201", "reason": "ours"},
    ),
    "PATCH protected-addresses": lambda a, s: (_protected(a), {"reason": "theirs"}),
    "DELETE protected-addresses": lambda a, s: (_protected(a), {}),
    "POST logs/senders/adopt": lambda a, s: (
        f"logs/senders/{Sender.objects.get().pk}/adopt/", {"device": s.device.pk},
    ),
    "POST logs/senders/ignore": lambda a, s: (
        f"logs/senders/{Sender.objects.get().pk}/ignore/", {},
    ),
    "POST logs/senders/heed": lambda a, s: (f"logs/senders/{_ignored(a)}/heed/", {}),
    "DELETE logs/receivers": lambda a, s: (_retired(timezone.now()), {}),
    "POST saved-reports": lambda a, s: ("saved-reports/", {"name": "all", "query": "last=7d"}),
    "PATCH saved-reports": lambda a, s: (_report(a), {"name": "other"}),
    "DELETE saved-reports": lambda a, s: (_report(a), {}),
    "POST device-entries": lambda a, s: (
        "device-entries/", {"nickname": "gw-9", "kind": "iptables"},
    ),
    "PATCH device-entries": lambda a, s: (f"device-entries/{_entry().pk}/", {"note": "new"}),
    "DELETE device-entries": lambda a, s: (f"device-entries/{_entry().pk}/", {}),
    "POST device-entries/rotate-key": lambda a, s: (
        f"device-entries/{_entry().pk}/rotate-key/", {},
    ),
    "POST device-entries/revoke-key": lambda a, s: (
        f"device-entries/{_entry().pk}/revoke-key/", {"generation": 1},
    ),
    "POST device-entries/bulk/apply": lambda a, s: _bulk(a),
    "POST group-settings": lambda a, s: _group_settings(a),
    "PATCH group-settings": lambda a, s: (
        _made(a, *_group_settings(a)), {"settings": {"log_size": "1M"}},
    ),
    "POST publications": _publication,
    "PATCH publications": lambda a, s: (_made(a, *_publication(a, s)), {"forms": ["txt"]}),
    "DELETE publications": lambda a, s: (_made(a, *_publication(a, s)), {}),
    "POST rollouts": lambda a, s: (
        "rollouts/",
        {"name": "r", "settings": {"verdict": "drop"},
         "canary": make_group("a", now=timezone.now()).pk,
         "onward": [make_group("b", now=timezone.now()).pk]},
    ),
    "DELETE rollouts": lambda a, s: (_rollout(a), {}),
    "POST rollouts/start": lambda a, s: (f"{_rollout(a)}start/", {}),
    "POST rollouts/stop": lambda a, s: (f"{_rollout(a, 'start')}stop/", {}),
    "POST rollouts/resume": lambda a, s: (f"{_rollout(a, 'start', 'stop')}resume/", {}),
    "POST rollouts/undo": lambda a, s: (f"{_rollout(a, 'start')}undo/", {}),
    "POST tokens": lambda a, s: ("tokens/", {"name": "second"}),
    "DELETE tokens": lambda a, s: (f"tokens/{ApiToken.objects.get().pk}/", {}),
}  # fmt: skip
# What needs more of a site than this one has is recorded by tests of its own.
ELSEWHERE = {"DELETE sessions", "POST links", "POST sources/records/import"}


def _ignored(api: APIClient) -> int:
    pk = Sender.objects.get().pk
    api.post(f"/api/v1/logs/senders/{pk}/ignore/", {}, format="json")
    return pk


def _endpoints() -> Iterator[str]:
    """Yield every endpoint that writes, as the table names it."""
    registered: list[tuple[str, Any, str]] = router.registry
    for route, viewset, _ in registered:
        prefix = "sources/records" if "(" in route else route
        own = {"POST": "create", "PATCH": "partial_update", "DELETE": "destroy"}
        yield from (f"{method} {prefix}" for method, name in own.items() if hasattr(viewset, name))
        for action in viewset.get_extra_actions():
            methods = [method.upper() for method in action.mapping if method != "get"]
            yield from (f"{method} {prefix}/{action.url_path}" for method in methods)


@pytest.fixture(autouse=True)
def known_feed_address(settings: Settings, tmp_path: Path) -> None:
    settings.TSCM_FEED_BIND = Bind("127.0.0.1", 8001)
    be_portal(settings, tmp_path)


@pytest.fixture
def api() -> APIClient:
    """A program with a token, at an address."""
    alice = User.objects.create_superuser("alice")
    made = tokens.create_token(user=alice, name="robot", actor="test", now=timezone.now())
    client = APIClient(REMOTE_ADDR="192.0.2.66")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.text}")
    return client


def test_every_endpoint_that_writes_is_in_the_table_or_told_why_not() -> None:
    assert set(_endpoints()) == {*WRITES, *ASKS_ONLY, *ELSEWHERE}


@pytest.mark.parametrize("what", sorted(WRITES))
def test_a_write_is_recorded_with_who_and_from_where(what: str, api: APIClient) -> None:
    path, body = WRITES[what](api, make_site(now=timezone.now()))
    before = set(Change.objects.values_list("pk", flat=True))
    answer = getattr(api, what.partition(" ")[0].lower())(f"/api/v1/{path}", body, format="json")
    assert answer.status_code < 300, answer.content
    written = list(Change.objects.exclude(pk__in=before))
    assert written, "nothing was recorded"
    for change in written:
        assert (change.actor, change.channel) == ("api:alice", "API, token robot")
        assert change.origin == "192.0.2.66"
    assert verify_changes().is_whole


def test_an_export_is_recorded(api: APIClient) -> None:
    assert b"".join(api.get("/api/v1/changes/export/?form=csv")).startswith(b"id,at,")
    change = Change.objects.get(verb="export")
    assert (change.subject, change.detail) == ("changes", {"form": [None, "csv"]})


def test_a_service_that_is_told_who_acts_passes_it_on() -> None:
    """Else it would write without a record, whatever its callers say."""
    dropped = []
    for file in CHECKOUT.glob("*/services/*.py"):
        for found in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(found, ast.FunctionDef) and "actor" in _arguments(found):
                uses = [one for one in ast.walk(found) if isinstance(one, ast.Name)]
                if not any(one.id == "actor" for one in uses):
                    dropped.append(f"{file.relative_to(CHECKOUT)}: {found.name}")
    assert not dropped


def _arguments(found: ast.FunctionDef) -> set[str]:
    return {one.arg for one in (*found.args.args, *found.args.kwonlyargs)}
