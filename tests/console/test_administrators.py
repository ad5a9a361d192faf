"""Who is signed in to the console is never blocked from where he is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from accounts.addresses import ADDRESSES_KEPT, PROTECTED_FOR, protect_administrator
from accounts.services import create_token
from policies.models import Policy, ProtectedAddress
from policies.services import Refused, forget_protected, unprotect_network
from policies.tasks import send_due
from tests.console.pages import address
from tests.factories import make_policy, publish

pytestmark = pytest.mark.django_db
HOME = "198.51.100.9"


@pytest.fixture
def user() -> User:
    return User.objects.create_superuser("carol", password="correct horse")


def protected() -> set[str]:
    return set(ProtectedAddress.objects.values_list("network", flat=True))


def test_who_signs_in_is_protected_at_once(client: Client, user: User) -> None:
    data = {"username": "carol", "password": "correct horse"}
    assert client.post("/admin/login/", data, REMOTE_ADDR=HOME).status_code == 302
    row = ProtectedAddress.objects.get()
    assert (row.network, row.origin) == (HOME, "administrator carol")
    assert row.until is not None
    assert abs(row.until - timezone.now() - PROTECTED_FOR) < timedelta(minutes=1)
    assert "carol" in row.reason


@pytest.mark.parametrize(("username", "password"), [("carol", "wrong"), ("dave", "correct horse")])
def test_who_does_not_get_in_is_not_protected(
    client: Client, user: User, username: str, password: str
) -> None:
    User.objects.create_user("dave", password="correct horse")  # no staff: not for the console
    data = {"username": username, "password": password}
    client.post("/admin/login/", data, REMOTE_ADDR=HOME)
    client.get("/admin/", REMOTE_ADDR=HOME)
    assert not protected()


@pytest.mark.parametrize(
    ("role", "is_protected"),
    [
        ("owner", True),
        ("operator", True),
        ("report manager", False),
        ("report viewer", False),
        ("auditor", False),
    ],
)
def test_who_only_looks_or_makes_reports_changes_nothing_that_is_blocked(
    client: Client, db: None, role: str, is_protected: bool
) -> None:
    dave = User.objects.create_user("dave", is_staff=True)
    dave.groups.add(Group.objects.get(name=role))
    client.force_login(dave)
    assert client.get("/admin/", REMOTE_ADDR=HOME).status_code == 200
    assert protected() == ({HOME} if is_protected else set())


def test_a_session_that_moves_is_protected_where_it_is_and_noted_once_an_hour(
    client: Client, user: User
) -> None:
    client.force_login(user)
    client.get("/admin/", REMOTE_ADDR=HOME)
    client.get("/admin/", REMOTE_ADDR="203.0.113.4")
    assert protected() == {HOME, "203.0.113.4"}
    ProtectedAddress.objects.all().delete()
    client.get("/admin/", REMOTE_ADDR="203.0.113.4")
    assert not protected()
    session = client.session
    session["address_protected"] = ["203.0.113.4", timezone.now().timestamp() - 3601]
    session.save()
    client.get("/admin/", REMOTE_ADDR="203.0.113.4")
    assert protected() == {"203.0.113.4"}


def test_a_header_protects_nothing(client: Client, user: User) -> None:
    client.force_login(user)
    client.get("/admin/", REMOTE_ADDR=HOME, HTTP_X_FORWARDED_FOR="203.0.113.66")
    assert protected() == {HOME}


def test_a_token_protects_nothing(client: Client, user: User) -> None:
    token = create_token(user=user, name="script", actor="test", now=timezone.now())
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token.text}"}
    answer = client.get("/api/v1/policies/", REMOTE_ADDR=HOME, **headers)  # type: ignore[arg-type]
    assert (answer.status_code, protected()) == (200, set())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1", set()),
        ("::1", set()),
        ("", set()),
        ("unix:", set()),
        ("fe80::1%eth0", set()),
        ("::ffff:198.51.100.9", {HOME}),
        ("2001:DB8::5", {"2001:db8::5"}),
    ],
)
def test_an_address_is_kept_as_lists_hold_it(
    user: User, now: datetime, text: str, found: set[str]
) -> None:
    protect_administrator(user=user, address=text, now=now)
    assert protected() == found


def test_the_last_addresses_of_a_person_are_kept(user: User, now: datetime) -> None:
    seen = [f"198.51.100.{n}" for n in range(8)]
    for hour, text in enumerate([*seen, seen[1]]):
        protect_administrator(user=user, address=text, now=now + timedelta(hours=hour))
    assert protected() == {seen[1], *seen[-ADDRESSES_KEPT + 1 :]}


def test_policies_are_compiled_anew_only_for_an_address_that_is_new(
    user: User, now: datetime
) -> None:
    policy = make_policy(now=now, block=["5.6.7.0/24"])
    protect_administrator(user=user, address="5.6.7.8", now=now)
    snapshot = publish(policy, now=now)
    assert dict(snapshot.cuts)["protected"] == 1
    Policy.objects.update(due_at=None)
    protect_administrator(user=user, address="5.6.7.8", now=now + timedelta(hours=1))
    assert not Policy.objects.exclude(due_at=None).exists()


def test_after_a_month_it_is_forgotten_by_the_tick(user: User, now: datetime) -> None:
    protect_administrator(user=user, address=HOME, now=now)
    make_policy(now=now)
    Policy.objects.update(due_at=None)
    forget_protected(now=now + PROTECTED_FOR - timedelta(minutes=1))
    assert protected() == {HOME}
    assert not Policy.objects.exclude(due_at=None).exists()
    long_ago = timezone.now() - PROTECTED_FOR
    protect_administrator(user=user, address=HOME, now=long_ago)
    Policy.objects.update(is_paused=True)  # so that the tick sends no job
    send_due()
    assert not protected()
    assert Policy.objects.exclude(due_at=None).exists()


def test_a_person_may_take_it_away_before_and_nothing_else_that_is_kept(
    alice: Client, user: User, now: datetime
) -> None:
    protect_administrator(user=user, address=HOME, now=now)
    row = ProtectedAddress.objects.get()
    url = address(ProtectedAddress, "delete", row.pk)
    assert alice.post(url, {"post": "yes"}).status_code == 302
    assert not protected()
    kept = ProtectedAddress.objects.create(network=HOME, reason="x", origin="device fmc-1")
    with pytest.raises(Refused, match="kept protected by device fmc-1"):
        unprotect_network(row=kept, actor="test", now=now)
