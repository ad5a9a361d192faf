"""Who is in a group of devices sees nothing of the others: every page and endpoint is walked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import models
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings
from rest_framework.test import APIClient

from devices.models import Device, DeviceGroup, GatewayRelease
from devices.reports.visible import device_ids
from devices.services import add_device, assign_group, create_group, record_pulls
from enforcement.models import Question
from enforcement.services import ask, inquiries
from fleet.models import PolicyZone, Publication, Rollout
from fleet.services.groups import set_group_settings
from logs.models import LineShape
from policies.models import Alarm, ListRecord, Policy, Retrieval, Snapshot
from policies.models.record import sortable
from policies.services import record_change
from policies.states import Outcome
from policies.visible import shared_models, visible
from tests.console.pages import pull_of
from tests.enforcement.rows import PLAN, applied, enforce
from tests.factories import make_device, make_policy, publish
from tests.fleet.edges.rows import make_entry, report
from tests.fleet.link.rows import make_link
from tests.logs.rows import make_logs
from tscm_site.api import router
from tscm_site.env import Bind

pytestmark = pytest.mark.django_db

# What is known of the devices of the other group, wherever it may stand.
MARKS = ("zz-theirs", "tdid_zz", "192.0.2.77", "203.0.113.99", "node-zz")
PROJECT = ("policies", "devices", "enforcement", "logs", "accounts", "fleet")
_PK = re.compile(r"\(\?P<\w+>[^)]*\)|<[^>]+>")


@pytest.fixture(autouse=True)
def known_feed_address(settings: Settings) -> None:
    settings.TSCM_FEED_BIND = Bind("127.0.0.1", 8001)


@pytest.fixture
def site(now: datetime) -> dict[str, Device]:
    """A device of the north, and of the others one that pulls and one that enforces."""
    policy = make_policy(now=now, name="shared", block=["8.8.4.0/24", "10.0.0.0/8"])
    publish(policy, now=now)
    ours = make_device(policy=policy, now=now, nickname="aa-ours")
    theirs = _theirs_pulling(now=now)
    gateway = add_device(
        kind="iptables", nickname="zz-theirs-gw", actor="test", now=now, policy=policy,
        settings={"device_id": "tdid_zzgateway", "node": "node-zz", "note": "zz-theirs"},
    )  # fmt: skip
    kernel = enforce(gateway, now=now)
    applied(kernel, now=now)
    asked = ask(gateway=kernel, question=Question.PLAN, actor="test", now=now)
    inquiries.answer(asked, found=PLAN.json(), error="", now=now)
    GatewayRelease.objects.create(node="node-zz", nickname="zz-theirs-old", asked_at=now)
    for device in (theirs, gateway):
        subject = f"device {device.nickname}"
        Alarm.objects.create(kind="ledger", subject=subject, message=subject, opened_at=now)
        record_change(actor="test", verb="pause", subject=subject, now=now)
    north = create_group(name="north", actor="test", now=now)
    south = create_group(name="zz-theirs group", actor="test", now=now)
    _their_fleet(theirs, north, south, now=now)
    assign_group(device=ours, group=north, actor="test", now=now)
    assign_group(device=theirs, group=south, actor="test", now=now)  # the gateway is in none
    return {"ours": ours, "theirs": theirs, "gateway": gateway}


def _their_source(device: Device, *, now: datetime) -> None:
    """The list of a device's own: what it holds, how it was retrieved, and what was done to it."""
    source = device.policy.sources.get()
    Retrieval.objects.create(
        source=source,
        started_at=now,
        finished_at=now,
        outcome=Outcome.UNAVAILABLE,
        error="zz-theirs is away",
    )
    ListRecord.objects.create(
        source=source, text="8.8.8.8", family=4, first=sortable(8), last=sortable(8),
        note="zz-theirs", added_at=now, added_by="zz-theirs",
    )  # fmt: skip
    record_change(
        actor="test", verb="change", subject=f"source {source.name}", now=now,
        before={"note": ""}, after={"note": "zz-theirs"},
    )  # fmt: skip


def _their_fleet(device: Device, north: DeviceGroup, south: DeviceGroup, *, now: datetime) -> None:
    """Device entries of both groups, and what steers those of the other one."""
    make_link(device, now=now)
    make_entry(now=now, nickname="aa-entry", group=north)
    theirs = make_entry(now=now, nickname="zz-theirs-entry", group=south, note="zz-theirs")
    report(theirs, now=now, errors=["zz-theirs is away"])
    set_group_settings(group=north, settings={"log_size": "1M"}, actor="test", now=now)
    set_group_settings(
        group=south, settings={"block_list": "zz-theirs.example.net"}, actor="test", now=now
    )
    rollout = Rollout.objects.create(
        name="zz-theirs", canary=north, settings={"verdict": "drop"}, created_at=now,
        created_by="test",
    )  # fmt: skip
    rollout.onward.set([south])  # partly theirs is theirs
    publication = Publication.objects.create(policy=device.policy, label="zz-theirs-label")
    PolicyZone.objects.create(
        publication=publication, form="apl", role="block", name="zz-theirs-label-netb.example"
    )


def _theirs_pulling(*, now: datetime) -> Device:
    device = add_device(
        kind="firepower", nickname="zz-theirs", actor="test", now=now,
        settings={
            "device_id": "tdid_zzpulls", "block_list": "list.example.net",
            "management_ip": "192.0.2.77", "note": "zz-theirs",
            "syslog_forward": "203.0.113.99:514/udp",
        },
    )  # fmt: skip
    shared = Policy.objects.get(name="shared").current
    assert shared is not None
    copied = {
        field.attname: getattr(shared, field.attname)
        for field in Snapshot._meta.concrete_fields
        if field.attname not in {"id", "policy_id"}
    }
    Snapshot.objects.create(**{**copied, "policy": device.policy})
    record_pulls(records=[pull_of(device, at=now)])
    _their_source(device, now=now)
    device.refresh_from_db()
    make_logs(device, now=now)
    LineShape.objects.create(
        device=device, digest="ab" * 32, shape="zz-theirs", sample="zz-theirs", lines=7,
        first_at=now, last_at=now, version=1,
    )  # fmt: skip
    return device


def _person(name: str, *groups: str) -> User:
    """Somebody who may do everything, with the devices of some groups."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    for group in groups:
        DeviceGroup.objects.get(name=group).people.add(user)
    return user


def _browser(user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


def _api(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def _text(answer: Any) -> str:
    if getattr(answer, "streaming", False):
        return b"".join(answer).decode(errors="replace")
    return str(answer.content.decode(errors="replace"))


def _marks(text: str) -> set[str]:
    return {mark for mark in MARKS if mark in text}


def _hidden(user: User) -> Iterator[tuple[type[models.Model], int]]:
    """Yield the rows of every model that this person does not see."""
    for model in sorted(shared_models(), key=lambda one: one.__name__):
        rows = model._default_manager.all()
        seen = set(visible(rows, user).values_list("pk", flat=True))
        for pk in rows.values_list("pk", flat=True):
            if pk not in seen:
                yield model, pk


def _plain_paths(patterns: list[Any], before: str = "/") -> Iterator[str]:
    """Yield the paths that take no argument and answer a GET."""
    for pattern in patterns:
        route = before + str(pattern.pattern).replace("^", "").replace("$", "").replace("\\Z", "")
        if _PK.search(route) or "(" in route:
            continue
        if isinstance(pattern, URLResolver):
            yield from _plain_paths(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


# These answer no GET with rows, or would end the walk.
ENDPOINTS: list[tuple[str, Any, str]] = router.registry
LEFT_OUT = ("/admin/logout/", "/api/v1/schema/", "/api/v1/docs/", "/admin/jsi18n/")


def walked() -> list[str]:
    found = set(_plain_paths(get_resolver().url_patterns))
    asked = {f"/admin/why/?address={mark}" for mark in ("8.8.4.4", "10.1.2.3")}
    asked |= {"/api/v1/why/?address=8.8.4.4", "/api/v1/changes/export/?form=csv"}
    asked |= {"/admin/policies/change/export/csv/", "/admin/policies/change/export/jsonl/"}
    return sorted(path for path in found | asked if path not in LEFT_OUT)


def test_no_page_and_no_list_shows_anything_of_another_group(site: dict[str, Device]) -> None:
    limited, free = _person("lena", "north"), _person("otto")
    told: dict[str, set[str]] = {}
    shown: set[str] = set()
    seen = 0
    for path in walked():
        make = _api if path.startswith("/api/") else _browser
        answer = make(limited).get(path)
        assert answer.status_code < 500, path
        if marks := _marks(_text(answer)):
            told[path] = marks
        if shown < set(MARKS):
            shown |= _marks(_text(make(free).get(path)))
        seen += answer.status_code == 200
    assert not told, json.dumps({path: sorted(marks) for path, marks in told.items()}, indent=1)
    assert shown == set(MARKS), "the walk is to find all of it where a person sees all"
    assert seen > 60


def _seen_rows(user: User) -> Iterator[str]:
    """Yield the page, the history and the endpoint of the first rows that this person sees."""
    for model in {*shared_models(), *admin.site._registry}:
        rows = visible(model._default_manager.order_by("pk"), user)
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        for pk in rows.values_list("pk", flat=True)[:2]:
            if model in admin.site._registry:
                yield from (f"{base}/{pk}/change/", f"{base}/{pk}/history/")
                yield f"{base}/{pk}/delete/"
            for prefix, viewset, _ in ENDPOINTS:
                if viewset.queryset is not None and viewset.queryset.model is model:
                    yield f"/api/v1/{prefix}/{pk}/"


def test_the_page_of_a_row_that_is_seen_tells_nothing_of_another_group(
    site: dict[str, Device],
) -> None:
    limited = _person("lena", "north")
    browser, api, seen = _browser(limited), _api(limited), 0
    told: dict[str, list[str]] = {}
    for path in sorted(_seen_rows(limited)):
        answer = (api if path.startswith("/api/") else browser).get(path)
        assert answer.status_code < 500, path
        seen += answer.status_code == 200
        if marks := _marks(_text(answer)):
            told[path] = sorted(marks)
    assert not told, json.dumps(told, indent=1)
    assert seen > 40


def test_pages_of_rows_of_another_group_are_not_there(site: dict[str, Device]) -> None:
    user = _person("lena", "north")
    browser, there = _browser(user), {}
    hidden = list(_hidden(user))
    for model, pk in hidden:
        page = admin.site._registry.get(model)
        if page is None:
            continue
        for pattern in page.get_urls():
            path = f"/admin/{page.opts.app_label}/{page.opts.model_name}/{pattern.pattern}"
            if len(_PK.findall(path)) != 1 or not path.endswith("/") or "slug" in path:
                continue
            answer = browser.get(_PK.sub(str(pk), path))
            if answer.status_code == 200 or _marks(_text(answer)):
                there[path] = answer.status_code
            posted = browser.post(_PK.sub(str(pk), path))
            if posted.status_code not in {302, 403, 404, 405}:
                there[f"POST {path}"] = posted.status_code
    shown = {viewset.queryset.model for _, viewset, _ in ENDPOINTS if viewset.queryset is not None}
    with_pages = shared_models() & (shown | set(admin.site._registry))
    assert with_pages <= {model for model, _ in hidden}, "each is to have a hidden row"
    assert not there


def test_endpoints_of_rows_of_another_group_answer_404(site: dict[str, Device]) -> None:
    user = _person("lena", "north")
    api, there = _api(user), {}
    for model, pk in _hidden(user):
        for prefix, viewset, _ in ENDPOINTS:
            if viewset.queryset is None or viewset.queryset.model is not model or "(" in prefix:
                continue
            for action in ("", *(f"{one.url_path}/" for one in viewset.get_extra_actions()
                                 if one.detail)):  # fmt: skip
                path = f"/api/v1/{prefix}/{pk}/{action}"
                for method in ("get", "patch", "post", "delete"):
                    answer = getattr(api, method)(path, {}, format="json")
                    if answer.status_code not in {404, 405}:
                        there[f"{method} {path}"] = answer.status_code
    assert not there


def test_a_filter_takes_a_row_of_another_group_for_one_that_is_not_there(
    site: dict[str, Device],
) -> None:
    user = _person("lena", "north")
    api, told, asked = _api(user), {}, 0
    hidden = list(_hidden(user))
    for prefix, viewset, _ in ENDPOINTS:
        kinds = getattr(viewset, "filterset_class", None)
        if kinds is None or "(" in prefix:
            continue
        for name, one in kinds.base_filters.items():
            model = getattr(one.extra.get("queryset"), "model", None)
            for pk in [pk for of, pk in hidden if of is model]:
                there, nowhere = (
                    api.get(f"/api/v1/{prefix}/", {name: number}) for number in (pk, 987_654_321)
                )
                asked += 1
                if (there.status_code, there.content) != (400, nowhere.content):
                    told[f"{prefix}?{name}={pk}"] = there.status_code
    assert not told
    assert asked > 10


def test_the_console_s_own_pages_of_another_group_are_not_there(site: dict[str, Device]) -> None:
    user = _person("lena", "north")
    browser = _browser(user)
    snapshot = Snapshot.objects.get(policy=site["theirs"].policy)
    paths = [
        f"/admin/snapshots/{snapshot.pk}/difference/",
        f"/admin/snapshots/{snapshot.pk}/allow/",
        f"/admin/policies/{site['theirs'].policy_id}/candidate/difference/",
        f"/api/v1/snapshots/{snapshot.pk}/difference/",
        f"/api/v1/snapshots/{snapshot.pk}/difference/text/",
        f"/api/v1/snapshots/{snapshot.pk}/allow-effects/",
        f"/api/v1/policies/{site['theirs'].policy_id}/candidate/difference/",
    ]
    assert {path: browser.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)


def test_every_model_that_hangs_on_a_device_is_shared_out() -> None:
    """A new model says in its `apps.py` who sees its rows."""
    left_out = {
        model
        for label in PROJECT
        for model in apps.get_app_config(label).get_models()
        if model not in shared_models() and _leads_to_device(model)
    }
    assert not left_out


def _leads_to_device(model: type[models.Model]) -> bool:
    fields = (*model._meta.concrete_fields, *model._meta.many_to_many)
    return any(
        field.related_model in {Device, *shared_models()} and field.related_model is not Policy
        for field in fields
        if field.is_relation and isinstance(field.related_model, type)
    )


def test_who_is_in_no_group_sees_all_and_who_is_in_an_empty_one_nothing(
    site: dict[str, Device], now: datetime
) -> None:
    create_group(name="empty", actor="test", now=now)
    assert device_ids(_person("otto")) is None
    assert device_ids(_person("emma", "empty")) == frozenset()
    assert device_ids(_person("lena", "north")) == frozenset({site["ours"].pk})
    assert device_ids(User.objects.create_superuser("root")) is None


def test_what_a_limited_person_adds_lands_in_a_group_of_his(
    site: dict[str, Device], now: datetime
) -> None:
    api = _api(_person("lena", "north"))
    policy = Policy.objects.get(name="shared").pk
    body = {"nickname": "new", "kind": "firepower", "policy": policy, "device_id": "tdid_0000new1"}
    body["management_ip"] = "192.0.2.5"
    answer = api.post("/api/v1/devices/", body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["group_name"] == "north"
    south = DeviceGroup.objects.get(name__startswith="zz").pk
    moved = api.patch(f"/api/v1/devices/{answer.json()['id']}/", {"group": south}, format="json")
    assert moved.status_code == 400
