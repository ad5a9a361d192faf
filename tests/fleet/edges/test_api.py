"""The fleet through the API: everything that the console can do, and nothing more shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from devices.services import change_people
from fleet.models import Entry, GroupSettings, Publication
from fleet.services.groups import set_group_settings
from fleet.services.publications import keep_publications
from policies.models import Change
from tests.api.conftest import error_of, signed_in
from tests.factories import make_policy
from tests.fleet.edges.rows import make_entry, make_group, report, written

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENTRIES = "/api/v1/device-entries/"
GATEWAY = {"nickname": "gw-berlin", "kind": "iptables", "settings": {"verdict": "reject"}}


def _post(api: APIClient, path: str, body: Any = None, *, code: int = 200) -> dict[str, Any]:
    answer = api.post(path, body or {}, format="json")
    assert answer.status_code == code, answer.content
    told: dict[str, Any] = answer.json()
    return told


def test_an_entry_is_added_with_what_links_it_shown_once(api: APIClient) -> None:
    answer = api.post(ENTRIES, GATEWAY, format="json")
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    told = answer.json()
    assert told["device_key"].startswith("tscmdk1_")
    assert told["command"] == (
        f"tsadmin add --type auto --device_id={told['device_id']} --auto_key={told['device_key']} "
        f"--portal=portal.example.net"
    )
    assert (told["portal"], told["domain"]) == ("portal.example.net", "tscm.internal")
    again = api.get(f"{ENTRIES}{told['id']}/")
    assert told["device_key"] not in again.content.decode()
    assert again.json()["health"]["state"] == "never-linked"


def test_a_machine_that_registers_twice_has_one_entry(api: APIClient) -> None:
    body = {**GATEWAY, "manufacturer": "Microsoft", "model": "Azure IP Firewall",
            "registration": "0123456789abcdef"}  # fmt: skip
    first = _post(api, ENTRIES, body, code=201)
    second = _post(api, ENTRIES, body, code=200)
    assert (first["id"], first["device_key"]) == (second["id"], second["device_key"])
    answer = api.post(ENTRIES, {**body, "registration": "fedcba9876543210"}, format="json")
    assert answer.status_code == 409
    assert error_of(answer)["code"] == "taken"


def test_a_console_that_is_no_portal_says_so(api: APIClient, settings: Settings) -> None:

    settings.TSCM_PORTAL = replace(settings.TSCM_PORTAL, primary=None)
    answer = api.post(ENTRIES, GATEWAY, format="json")
    assert answer.status_code == 404
    assert "TSCM_PORTAL_PRIMARY" in error_of(answer)["detail"]


def test_a_change_says_what_is_laid_down_and_null_lets_go_of_it(api: APIClient) -> None:
    entry, group = make_entry(now=NOW), make_group("north", now=NOW)
    policy = make_policy(now=NOW, name="edge")
    url = f"{ENTRIES}{entry.pk}/"
    sent = {"settings": {"log_size": "1M"}, "policy": policy.pk, "group": group.pk, "note": "x"}
    told = api.patch(url, sent, format="json").json()
    assert (told["settings"], told["policy_name"]) == ({"log_size": 1_000_000}, "edge")
    assert (told["group_name"], told["note"]) == ("north", "x")
    told = api.patch(url, {"settings": {"log_size": None}, "policy": None}, format="json").json()
    assert (told["settings"], told["policy"]) == ({}, None)


@pytest.mark.parametrize(
    ("sent", "attr"),
    [
        ({"settings": {"verdict": "maybe"}}, "verdict"),
        ({"settings": {"device_id": "x"}}, "device_id"),
        ({"settings": {"nonsense": 1}}, "nonsense"),
        ({"settings": []}, "settings"),
        ({"policy": 999}, "policy"),
        ({"nickname": "with space"}, "nickname"),
    ],
)
def test_what_is_refused_names_the_field(api: APIClient, sent: dict[str, Any], attr: str) -> None:
    answer = api.patch(f"{ENTRIES}{make_entry(now=NOW).pk}/", sent, format="json")
    assert answer.status_code == 400, answer.content
    assert error_of(answer)["attr"].partition(".")[0] == attr


def test_secrets_are_never_answered(api: APIClient) -> None:
    body = {**GATEWAY, "settings": {"upload_proxy_password": "s3cret"}}
    pk = _post(api, ENTRIES, body, code=201)["id"]
    effective = api.get(f"{ENTRIES}{pk}/effective/")
    assert b"s3cret" not in api.get(f"{ENTRIES}{pk}/").content + effective.content
    told = {one["name"]: one for one in effective.json()["settings"]}
    assert told["upload_proxy_password"]["value"] == "set"
    assert "s3cret" not in str(list(Change.objects.values_list("detail", flat=True)))


def test_what_is_in_force_names_who_says_so(api: APIClient) -> None:
    group, policy = make_group("north", now=NOW), make_policy(now=NOW, name="edge")
    set_group_settings(
        group=group, settings={"log_size": "1M"}, policy=policy, actor="test", now=NOW
    )
    entry = make_entry(now=NOW, group=group, settings={"verdict": "reject"})
    told = api.get(f"{ENTRIES}{entry.pk}/effective/").json()
    origins = {one["name"]: one["origin"] for one in told["settings"]}
    assert (origins["verdict"], origins["log_size"], origins["enforcer"]) == (
        "entry", "group north", "default",
    )  # fmt: skip
    assert (told["policy_name"], told["policy_origin"]) == ("edge", "group north")


def test_the_status_is_what_the_device_said(api: APIClient) -> None:
    entry = written(make_entry(now=NOW), now=NOW)
    assert api.get(f"{ENTRIES}{entry.pk}/status/").status_code == 404
    report(entry, now=NOW, overrides=["verdict"], clock_offset=-1.5)
    told = api.get(f"{ENTRIES}{entry.pk}/status/").json()
    assert (told["version"], told["overrides"], told["clock_offset"]) == ("7.0", ["verdict"], -1.5)


def test_keys_are_rotated_and_revoked(api: APIClient) -> None:
    entry = make_entry(now=NOW)
    answer = api.post(f"{ENTRIES}{entry.pk}/rotate-key/", {"hours": 24}, format="json")
    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["device_key"].startswith("tscmdk2_")
    told = _post(api, f"{ENTRIES}{entry.pk}/revoke-key/", {"generation": 1})
    assert told["keys"][0]["retires_at"] is not None
    again = api.post(f"{ENTRIES}{entry.pk}/revoke-key/", {"generation": 1}, format="json")
    assert again.status_code == 400


def test_an_entry_is_removed(api: APIClient) -> None:
    assert api.delete(f"{ENTRIES}{make_entry(now=NOW).pk}/").status_code == 204
    assert not Entry.objects.exists()


def test_entries_are_found_by_health_and_version(api: APIClient) -> None:
    well = written(make_entry(now=NOW), now=datetime.now(tz=UTC))
    report(well, now=datetime.now(tz=UTC))
    make_entry(now=NOW)
    for query, number in (
        ("health=healthy", 1), ("health=never-linked", 1), ("version=7.0", 1), ("health=silent", 0),
    ):  # fmt: skip
        assert api.get(f"{ENTRIES}?{query}").json()["count"] == number, query


def test_a_bulk_change_is_previewed_and_then_exactly_that_is_done(api: APIClient) -> None:
    group = make_group("north", now=NOW)
    ids = [make_entry(now=NOW, group=group).pk for _ in range(3)]
    body = {"of_group": group.pk, "settings": {"verdict": "reject"}}
    seen = _post(api, f"{ENTRIES}bulk/preview/", body)
    assert (seen["changed"], seen["refused"], seen["unchanged"]) == (3, 0, 0)
    assert seen["lines"][0]["differences"] == [
        {"name": "verdict", "before": "drop", "after": "reject", "note": ""}
    ]
    done = _post(api, f"{ENTRIES}bulk/apply/", {**body, "digest": seen["digest"]})
    assert done["changed"] == 3
    assert Entry.objects.filter(pk__in=ids, settings__verdict="reject").count() == 3
    again = api.post(f"{ENTRIES}bulk/apply/", {**body, "digest": seen["digest"]}, format="json")
    assert (again.status_code, error_of(again)["code"]) == (409, "outdated")


@pytest.mark.parametrize(
    "body",
    [
        {"settings": {"verdict": "reject"}},
        {"all": True, "entries": [1], "settings": {"verdict": "reject"}},
        {"all": True},
        {"entries": [987654321], "settings": {"verdict": "reject"}},
    ],
)
def test_a_bulk_change_that_is_not_clear_is_refused(api: APIClient, body: dict[str, Any]) -> None:
    assert api.post(f"{ENTRIES}bulk/preview/", body, format="json").status_code == 400


def test_what_groups_inherit_is_laid_down(api: APIClient) -> None:
    group, policy = make_group("north", now=NOW), make_policy(now=NOW)
    body = {"group": group.pk, "settings": {"verdict": "reject"}, "policy": policy.pk}
    made = _post(api, "/api/v1/group-settings/", body, code=201)
    url = f"/api/v1/group-settings/{made['id']}/"
    told = api.patch(url, {"settings": {"log_size": "1M"}}, format="json").json()
    assert told["settings"] == {"verdict": "reject", "log_size": 1_000_000}
    assert GroupSettings.objects.get().policy == policy
    personal = api.patch(url, {"settings": {"public_ip": "192.0.2.1"}}, format="json")
    assert error_of(personal)["attr"] == "public_ip"


def test_a_policy_is_published_in_forms_and_its_zones_are_told(api: APIClient) -> None:
    policy = make_policy(now=NOW, name="edge")
    body = {"policy": policy.pk, "forms": ["apl", "rpz"], "networks": ["198.51.100.0/24"]}
    made = _post(api, "/api/v1/publications/", body, code=201)
    keep_publications(domain="tscm.internal")
    zones = api.get(f"/api/v1/policy-zones/?policy={policy.pk}").json()["results"]
    assert {zone["form"] for zone in zones} == {"apl", "rpz"}
    url = f"/api/v1/publications/{made['id']}/"
    told = api.patch(url, {"forms": ["txt"]}, format="json").json()
    assert (told["forms"], told["networks"]) == (["txt"], ["198.51.100.0/24"])
    assert api.delete(url).status_code == 204
    assert not Publication.objects.exists()


def test_a_rollout_is_laid_down_started_and_taken_back(api: APIClient) -> None:
    first, others = make_group("first", now=NOW), make_group("others", now=NOW)
    entry = make_entry(now=NOW, group=first)
    body = {"name": "reject", "settings": {"verdict": "reject"}, "canary": first.pk,
            "onward": [others.pk], "minutes": 30}  # fmt: skip
    made = _post(api, "/api/v1/rollouts/", body, code=201)
    assert (made["state"], made["onward"]) == ("draft", [others.pk])
    url = f"/api/v1/rollouts/{made['id']}/"
    assert _post(api, f"{url}start/")["state"] == "canary"
    (standing,) = api.get(f"{url}standings/").json()
    assert (standing["nickname"], standing["state"]) == (entry.nickname, "waiting")
    assert api.delete(url).status_code == 409
    assert _post(api, f"{url}stop/")["state"] == "stopped"
    assert _post(api, f"{url}resume/")["state"] == "canary"
    assert _post(api, f"{url}undo/")["state"] == "undone"
    assert api.post(f"{url}start/").status_code == 400
    assert api.delete(url).status_code == 204


WRITES = (
    ("post", ENTRIES), ("post", f"{ENTRIES}bulk/preview/"), ("post", f"{ENTRIES}bulk/apply/"),
    ("patch", f"{ENTRIES}%d/"), ("delete", f"{ENTRIES}%d/"), ("post", f"{ENTRIES}%d/rotate-key/"),
    ("post", f"{ENTRIES}%d/revoke-key/"), ("post", "/api/v1/group-settings/"),
    ("post", "/api/v1/publications/"), ("post", "/api/v1/rollouts/"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_who_may_look_changes_nothing(bob: User, method: str, path: str) -> None:
    entry = make_entry(now=NOW)
    api = signed_in(bob)
    answer = getattr(api, method)(path % entry.pk if "%" in path else path, {}, format="json")
    assert answer.status_code == 403
    assert api.get(ENTRIES).json()["count"] == 1


def test_who_is_in_a_group_sees_and_changes_only_its_entries(alice: User) -> None:
    north, south = make_group("north", now=NOW), make_group("south", now=NOW)
    ours, theirs = make_entry(now=NOW, group=north), make_entry(now=NOW, group=south)
    set_group_settings(group=south, settings={"log_size": "1M"}, actor="test", now=NOW)
    change_people(group=north, add=[alice], actor="test", now=NOW)
    api = signed_in(alice)
    assert [one["id"] for one in api.get(ENTRIES).json()["results"]] == [ours.pk]
    assert api.patch(f"{ENTRIES}{theirs.pk}/", {"note": "x"}, format="json").status_code == 404
    assert api.get("/api/v1/group-settings/").json()["count"] == 0
    everything = {"all": True, "settings": {"verdict": "reject"}}
    assert _post(api, f"{ENTRIES}bulk/preview/", everything)["changed"] == 1
    out = {"all": True, "group": south.pk}
    assert api.post(f"{ENTRIES}bulk/preview/", out, format="json").status_code == 400
    added = _post(api, ENTRIES, GATEWAY, code=201)
    assert added["group"] == north.pk
