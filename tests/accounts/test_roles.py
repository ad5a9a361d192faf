"""The roles: what each may do, made and kept by migrations, and told on a page and in the docs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from accounts.roles import ROLES, keep_roles

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[2] / "docs" / "people.md"


def _rights(role: str) -> set[str]:
    held = Group.objects.get(name=role).permissions
    return {
        f"{app}.{code}" for app, code in held.values_list("content_type__app_label", "codename")
    }


MAY = {
    "owner": {
        "auth.change_user", "auth.change_group", "devices.change_devicegroup",
        "policies.view_change", "devices.delete_device", "logs.view_hits",
    },
    "operator": {
        "devices.add_device", "policies.change_policy", "policies.add_source",
        "policies.add_listrecord", "logs.change_sender", "logs.view_hits",
        "devices.view_devicegroup",
    },
    "report manager": {
        "logs.add_savedreport", "logs.view_hits", "devices.view_device", "policies.view_policy",
    },
    "report viewer": {"logs.view_hits", "logs.view_savedreport", "devices.view_device"},
    "auditor": {
        "auth.view_user", "policies.view_change", "devices.view_device", "logs.view_batch",
        "accounts.view_apitoken",
    },
}  # fmt: skip
MAY_NOT = {
    "owner": set(),
    "operator": {
        "auth.view_user", "auth.change_user", "policies.view_change", "devices.change_devicegroup",
    },
    "report manager": {"devices.change_device", "policies.change_policy", "policies.view_change"},
    "report viewer": {
        "logs.add_savedreport", "devices.change_device", "policies.view_change", "auth.view_user",
    },
    "auditor": {"accounts.view_secondfactor", "accounts.view_session"},
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_rights_of_the_table(role: str) -> None:
    rights = _rights(role)
    assert rights >= MAY[role]
    assert not rights & MAY_NOT[role]


@pytest.mark.parametrize("role", ["report viewer", "auditor"])
def test_who_only_looks_has_no_right_but_to_look(role: str) -> None:
    assert {right for right in _rights(role) if ".view_" not in right} == set()


def test_nobody_but_an_owner_touches_people() -> None:
    touching = {
        role
        for role in ROLES
        for right in _rights(role)
        if right.startswith("auth.") and ".view_" not in right
    }
    assert touching == {"owner"}


def test_what_a_site_gave_a_role_besides_stays_and_what_is_lacking_comes_back() -> None:
    group = Group.objects.get(name="report viewer")
    extra = Permission.objects.get(codename="view_retrieval")
    group.permissions.set([extra])
    keep_roles()
    assert "policies.view_retrieval" in _rights("report viewer")
    assert _rights("report viewer") >= MAY["report viewer"]


def test_keeping_them_again_changes_nothing() -> None:
    before = {role: _rights(role) for role in ROLES}
    keep_roles()
    assert {role: _rights(role) for role in ROLES} == before


def test_the_docs_tell_of_each_role_what_the_table_does() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for role in ROLES.values():
        assert f"| **{role.name}** | {role.sentence} |" in page


def test_the_page_of_a_role_tells_what_each_may_do() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("alice"))
    page = client.get(f"/admin/auth/group/{Group.objects.get(name='auditor').pk}/change/")
    assert all(role.name in page.content.decode() for role in ROLES.values())
    assert ROLES["auditor"].sentence in page.content.decode()


PAGES = {
    "/admin/devices/device/": {"owner", "operator", "report manager", "report viewer", "auditor"},
    "/admin/devices/device/add/": {"owner", "operator"},
    "/admin/policies/policy/add/": {"owner", "operator"},
    "/admin/policies/change/": {"owner", "auditor"},
    "/admin/auth/user/": {"owner", "auditor"},
    "/admin/auth/user/add/": {"owner"},
    "/admin/devices/devicegroup/add/": {"owner"},
    "/api/v1/changes/": {"owner", "auditor"},
    "/api/v1/device-groups/": {"owner", "operator", "report manager", "auditor"},
}


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_for_the_roles_that_may_see_it(path: str) -> None:
    opened = set()
    for role in ROLES:
        user = User.objects.create_user(role.replace(" ", "-"), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        if client.get(path).status_code == 200:
            opened.add(role)
    assert opened == PAGES[path]


def test_a_group_of_the_site_with_the_name_of_a_role_gets_another_name() -> None:
    """Its people would have the rights of the role after an upgrade, and nobody had asked."""
    Group.objects.create(name="auditor (before roles)")
    step = import_module("accounts.migrations.0003_groups_of_before")
    step.rename(apps, None)
    names = set(Group.objects.values_list("name", flat=True))
    assert {"operator (before roles)", "auditor (before roles)+"} <= names
    assert not names & {*ROLES}
    assert set(step.ROLES) == {*ROLES}
    keep_roles()
    assert {*ROLES} <= set(Group.objects.values_list("name", flat=True))
