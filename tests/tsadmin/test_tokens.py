"""Tokens at the command line: the first one needs no browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.models import ApiToken
from policies.models import Change
from tests.tsadmin.conftest import Tsadmin
from tsadmin.tokens import DEFAULT_DAYS

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_superuser("alice")


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob")


def _status(text: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client.get("/api/v1/devices/").status_code


@pytest.mark.usefixtures("alice")
def test_the_text_stands_alone_on_standard_output_and_opens_the_api(tsadmin: Tsadmin) -> None:
    answer = tsadmin("token", "create", "backup script", "--user", "alice")
    assert answer.code == 0, answer.stderr
    assert answer.stdout.endswith("\n")
    assert _status(answer.stdout.rstrip("\n")) == 200
    assert "Shown this once" in answer.stderr
    assert answer.stdout.strip() not in answer.stderr


@pytest.mark.usefixtures("alice")
def test_the_text_is_shown_once_and_written_down_nowhere(tsadmin: Tsadmin) -> None:
    made = tsadmin("token", "create", "backup", "--user", "alice", "--json").json
    assert _status(made["token"]) == 200
    listed = tsadmin("token", "list").stdout + tsadmin("token", "list", "--json").stdout
    assert "backup" in listed
    assert made["token"] not in listed
    assert made["token"] not in str(list(Change.objects.values()))
    assert Change.objects.get(verb="create").actor.startswith("tsadmin:")


@pytest.mark.usefixtures("alice")
def test_a_token_is_good_for_as_long_as_was_asked(tsadmin: Tsadmin) -> None:
    tsadmin("token", "create", "short", "--user", "alice", "--days", "2")
    tsadmin("token", "create", "usual", "--user", "alice")
    lives = {token.name: token.expires_at - token.created_at for token in ApiToken.objects.all()}
    usual = timedelta(days=services.DEFAULT_DAYS)
    assert lives == {"short": timedelta(days=2), "usual": usual}


@pytest.mark.usefixtures("alice")
def test_a_token_for_one_thing_says_so_and_opens_nothing_else(tsadmin: Tsadmin) -> None:
    answer = tsadmin("token", "create", "image", "--user", "alice", "--right", "add-entries")
    assert "It is for adding device entries, and nothing else, until " in answer.stderr
    assert _status(answer.stdout.strip()) == 403
    (row,) = tsadmin("token", "list", "--json").json["tokens"]
    assert row["right"] == "add-entries"
    assert "add-entries" in tsadmin("token", "list").stdout


def test_help_and_services_agree_on_the_days() -> None:
    assert DEFAULT_DAYS == services.DEFAULT_DAYS


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("backup", "--user", "nobody"), 1, "no user is named nobody; there are: alice"),
        (("backup", "--user", "alice", "--days", "0"), 1, "lives from 1 to 366 days"),
        (("backup", "--user", "alice", "--days", "367"), 1, "lives from 1 to 366 days"),
        (("backup", "--user", "alice", "--days", "x"), 2, "'--days'"),
        (("backup", "--user", "alice", "--right", "x"), 2, "known is all, add-entries"),
        (("", "--user", "alice"), 1, "1 to 64 characters"),
        (("x" * 65, "--user", "alice"), 1, "1 to 64 characters"),
        (("taken", "--user", "alice"), 1, "alice has a token named 'taken'"),
        (("backup",), 2, "--user"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(
    tsadmin: Tsadmin, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    tsadmin("token", "create", "taken", "--user", "alice")
    answer = tsadmin("token", "create", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert ApiToken.objects.count() == 1


def test_without_any_user_it_says_where_the_first_comes_from(tsadmin: Tsadmin) -> None:
    assert "'make run' makes the first" in tsadmin("token", "create", "x", "--user", "a").error


def test_a_user_who_is_switched_off_gets_no_token(tsadmin: Tsadmin, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert "not active" in tsadmin("token", "create", "x", "--user", "bob").error


def test_the_list_is_that_of_everybody_or_of_one_user(
    tsadmin: Tsadmin, alice: User, bob: User
) -> None:
    assert "No tokens yet" in tsadmin("token", "list").stderr
    for user, name in ((alice, "hers"), (bob, "his")):
        services.create_token(user=user, name=name, actor="test", now=timezone.now())
    found = tsadmin("token", "list", "--json").json["tokens"]
    assert [(row["user"], row["name"]) for row in found] == [("alice", "hers"), ("bob", "his")]
    _, row = tsadmin("token", "list", "--user", "bob").stdout.splitlines()
    assert row.split()[1:3] == ["his", "bob"]
    assert row.endswith("never")


@pytest.mark.parametrize("by", ["id", "id and user", "name and user"])
def test_a_deleted_token_opens_nothing(tsadmin: Tsadmin, alice: User, by: str) -> None:
    made = services.create_token(user=alice, name="backup", actor="test", now=timezone.now())
    wanted = "backup" if by.startswith("name") else str(made.token.pk)
    whose = ("--user", "alice") if "user" in by else ()
    answer = tsadmin("token", "delete", wanted, *whose)
    assert (answer.code, answer.stdout) == (0, "Deleted backup of alice.\n")
    assert _status(made.text) == 401
    assert Change.objects.get(verb="delete").actor.startswith("tsadmin:")


def test_a_name_alone_does_not_say_whose_token_to_delete(tsadmin: Tsadmin, alice: User) -> None:
    services.create_token(user=alice, name="backup", actor="test", now=timezone.now())
    answer = tsadmin("token", "delete", "backup")
    assert (answer.code, "--user" in answer.error) == (2, True)
    assert ApiToken.objects.exists()


def test_another_ones_token_is_not_deleted_by_mistake(
    tsadmin: Tsadmin, alice: User, bob: User
) -> None:
    hers = services.create_token(user=alice, name="backup", actor="test", now=timezone.now()).token
    for wanted in ("backup", str(hers.pk), "9" * 40):
        answer = tsadmin("token", "delete", wanted, "--user", bob.username)
        assert (answer.code, "there is no token" in answer.error) == (1, True)
    assert ApiToken.objects.exists()


def test_a_number_with_a_user_means_the_name_first(tsadmin: Tsadmin, alice: User) -> None:
    first = services.create_token(user=alice, name="one", actor="test", now=timezone.now()).token
    services.create_token(user=alice, name=str(first.pk), actor="test", now=timezone.now())
    assert tsadmin("token", "delete", str(first.pk), "--user", "alice").code == 0
    assert list(ApiToken.objects.values_list("name", flat=True)) == ["one"]


def test_token_alone_prints_what_there_is(tsadmin: Tsadmin) -> None:
    answer = tsadmin("token")
    assert answer.code == 0
    assert all(word in answer.stdout for word in ("create", "list", "delete"))
