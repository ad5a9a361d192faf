"""People and their roles at the console: only owners, always one of them, all of it recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from accounts import people
from accounts.people import PeopleRefused
from logs.models import SavedReport
from policies.models import Change

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def _member(name: str, role: str, **columns: Any) -> User:
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True, **columns)
    user.groups.add(Group.objects.get(name=role))
    return user


def _browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def olga() -> User:
    return _member("olga", "owner")


def _form(user: User, **changes: Any) -> dict[str, Any]:
    """What the page of a person sends."""
    sent = {
        "username": user.username, "first_name": "", "last_name": "", "email": user.email,
        "is_active": "on", "is_staff": "on",
        "groups": [group.pk for group in user.groups.all()],
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **changes,
    }  # fmt: skip
    return {name: value for name, value in sent.items() if value is not None}


def _url(user: User, page: str = "change") -> str:
    return f"/admin/auth/user/{user.pk}/{page}/"


def test_an_owner_gives_a_role_and_the_record_says_from_where(olga: User) -> None:
    bob = _member("bob", "operator")
    auditor = Group.objects.get(name="auditor")
    answer = _browser(olga).post(
        _url(bob), _form(bob, groups=[auditor.pk]), REMOTE_ADDR="192.0.2.7"
    )
    assert answer.status_code == 302, answer.content
    change = Change.objects.get(subject="user bob")
    assert change.detail == {"groups": [["operator"], ["auditor"]]}
    assert (change.actor, change.channel, change.origin) == ("console:olga", "console", "192.0.2.7")


def test_a_new_role_ends_the_sessions_of_who_gets_it_and_not_of_who_gives_it(olga: User) -> None:
    bob, auditor = _member("bob", "operator"), Group.objects.get(name="auditor")
    browsers = {user: _browser(user) for user in (olga, bob)}
    for user in (bob, olga):
        groups = [*user.groups.values_list("pk", flat=True), auditor.pk]
        sent = browsers[olga].post(_url(user), _form(user, groups=groups))
        assert sent.status_code == 302, sent.content
    assert browsers[bob].get("/admin/").status_code == 302
    assert browsers[olga].get("/admin/").status_code == 200
    browsers[bob] = _browser(bob)
    browsers[olga].post(_url(bob), _form(bob, email="bob@example.net"))
    assert browsers[bob].get("/admin/").status_code == 200


def test_who_owns_saved_reports_is_not_removed_before_them(olga: User, now: datetime) -> None:
    bob = _member("bob", "report manager")
    row = SavedReport.objects.create(name="weekly for the NOC", owner=bob, is_shared=True)
    page = _browser(olga).post(_url(bob, "delete"), {"post": "yes"}).content.decode()
    assert "protected related objects" in page
    assert "weekly for the NOC" in page
    with pytest.raises(PeopleRefused, match=r"bob still owns .*: weekly for the NOC\. Remove that"):
        people.remove_person(user=bob, actor="test", now=now)
    assert User.objects.filter(pk=bob.pk).exists()
    assert not Change.objects.filter(verb="remove").exists()
    row.delete()
    people.remove_person(user=bob, actor="test", now=now)
    assert not User.objects.filter(pk=bob.pk).exists()


def test_an_owner_adds_a_person_and_no_password_is_recorded(olga: User) -> None:
    sent = {"username": "carol", "password1": PASSWORD, "password2": PASSWORD,
            "usable_password": "true"}  # fmt: skip
    assert _browser(olga).post("/admin/auth/user/add/", sent).status_code == 302
    carol = User.objects.get(username="carol")
    assert carol.is_staff
    told = str(list(Change.objects.values()))
    assert "user carol" in told
    assert PASSWORD not in told
    assert carol.password not in told


def test_an_owner_cannot_make_himself_or_another_a_superuser(olga: User) -> None:
    bob = _member("bob", "operator")
    for user in (olga, bob):
        assert "id_is_superuser" not in _browser(olga).get(_url(user)).content.decode()
        _browser(olga).post(_url(user), _form(user, is_superuser="on"))
        user.refresh_from_db()
        assert not user.is_superuser


def test_a_superuser_s_page_and_password_are_for_superusers(olga: User) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    held = root.password
    browser = _browser(olga)
    assert browser.post(_url(root), _form(root, is_active=None)).status_code == 403
    assert browser.post(_url(root, "delete"), {"post": "yes"}).status_code == 403
    sent = {"password1": "another horse", "password2": "another horse", "usable_password": "true"}
    assert browser.post(f"/admin/auth/user/{root.pk}/password/", sent).status_code == 403
    root.refresh_from_db()
    assert (root.password, root.is_active) == (held, True)


@pytest.mark.parametrize("changes", [{"is_active": None}, {"is_staff": None}, {"groups": []}])
def test_the_last_owner_stays_one(olga: User, changes: dict[str, Any]) -> None:
    answer = _browser(olga).post(_url(olga), _form(olga, **changes), follow=True)
    assert "somebody must stay" in answer.content.decode()
    olga.refresh_from_db()
    assert olga.is_active
    assert people.is_owner(olga)
    assert not Change.objects.filter(subject="user olga").exists()


def test_a_role_opens_the_console_to_who_was_shut_out(olga: User, now: datetime) -> None:
    bob = User.objects.create_user("bob")
    people.set_role(user=bob, role="owner", actor="test", now=now)
    assert _browser(bob).get("/admin/").status_code == 200
    assert people.is_owner(User.objects.get(pk=bob.pk))


def test_the_last_owner_is_not_removed_alone_or_among_others(olga: User) -> None:
    bob, browser = _member("bob", "operator"), _browser(olga)
    alone = browser.post(_url(olga, "delete"), {"post": "yes"}, follow=True)
    assert "somebody must stay" in alone.content.decode()
    among = {"action": "delete_selected", "_selected_action": [bob.pk, olga.pk], "post": "yes"}
    answer = browser.post("/admin/auth/user/", among, follow=True)
    assert "somebody must stay" in answer.content.decode()
    assert User.objects.filter(username__in=["bob", "olga"]).count() == 2


def test_a_second_owner_may_go(olga: User, now: datetime) -> None:
    second = _member("oscar", "owner")
    assert _browser(olga).post(_url(second, "delete"), {"post": "yes"}).status_code == 302
    assert Change.objects.get(verb="remove").subject == "user oscar"


def test_who_may_edit_people_by_a_group_of_the_site_is_no_owner_and_may_not(olga: User) -> None:
    helpdesk = Group.objects.create(name="helpdesk")
    helpdesk.permissions.set(Group.objects.get(name="owner").permissions.all())
    harry = User.objects.create_user("harry", is_staff=True)
    harry.groups.add(helpdesk)
    owner = Group.objects.get(name="owner")
    assert _browser(harry).post(_url(harry), _form(harry, groups=[owner.pk])).status_code == 403
    assert not people.is_owner(harry)


def test_a_role_is_no_group_to_edit_or_delete(olga: User) -> None:
    role = Group.objects.get(name="auditor")
    browser = _browser(olga)
    url = f"/admin/auth/group/{role.pk}"
    assert browser.post(f"{url}/change/", {"name": "x", "permissions": []}).status_code == 403
    assert browser.post(f"{url}/delete/", {"post": "yes"}).status_code == 403


def test_a_group_of_the_site_is_recorded_with_its_rights(olga: User) -> None:
    right = Group.objects.get(name="auditor").permissions.get(codename="view_policy")
    browser = _browser(olga)
    assert (
        browser.post(
            "/admin/auth/group/add/", {"name": "guests", "permissions": [right.pk]}
        ).status_code
        == 302
    )
    group = Group.objects.get(name="guests")
    assert browser.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 302
    made, gone = Change.objects.filter(subject="group guests").order_by("id")
    assert made.detail["rights"] == [None, ["policies.view_policy"]]
    assert gone.detail["rights"] == [["policies.view_policy"], None]


def test_a_password_that_an_owner_sets_is_recorded_and_not_told(olga: User) -> None:
    bob = _member("bob", "operator")
    sent = {"password1": "another horse", "password2": "another horse", "usable_password": "true",
            "set-password": "1"}  # fmt: skip
    url = f"/admin/auth/user/{bob.pk}/password/"
    assert _browser(olga).post(url, sent).status_code == 302
    change = Change.objects.get(verb="set password")
    assert (change.subject, change.detail) == ("user bob", {})


def test_a_password_of_one_s_own_is_recorded(olga: User) -> None:
    sent = {"old_password": PASSWORD, "new_password1": "another horse 7",
            "new_password2": "another horse 7"}  # fmt: skip
    assert _browser(olga).post("/admin/password_change/", sent).status_code == 302
    assert Change.objects.get(verb="set password").actor == "console:olga"


def test_the_services_refuse_what_is_no_role_no_name_and_no_password(now: datetime) -> None:
    for wrong in (
        {"role": "king"}, {"username": "a b"}, {"password": "123"}, {"username": ""},
    ):  # fmt: skip
        told = {"username": "bob", "role": "operator", "password": PASSWORD, **wrong}
        with pytest.raises(PeopleRefused):
            people.add_person(**told, actor="test", now=now)
    assert not User.objects.exists()
