"""Tokens: several a user, hashed, expiring, shown once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken
from accounts.services import MAX_TOKENS, create_token
from policies.models import Change
from tests.api.conftest import error_of, signed_in, with_token

URL = "/api/v1/tokens/"


def test_makes_a_token_that_works_and_shows_it_once(api: APIClient) -> None:
    made = api.post(URL, {"name": "backup", "days": 7})
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    text = made.json()["token"]
    assert with_token(text).get(URL).status_code == 200
    assert text not in api.get(URL).content.decode()
    assert text not in api.get(f"{URL}{made.json()['id']}/").content.decode()
    token = ApiToken.objects.get(name="backup")
    assert token.expires_at - token.created_at == timedelta(days=7)


def test_keeps_the_text_of_a_token_nowhere(
    api: APIClient, capsys: pytest.CaptureFixture[str]
) -> None:
    text = api.post(URL, {"name": "backup"}).json()["token"]
    with_token(text).get(URL)
    call_command("dumpdata")
    everything = capsys.readouterr().out
    assert '"name": "backup"' in everything
    assert text not in everything
    assert text.removeprefix("tscm_") not in everything


def test_lives_for_ninety_days_unless_told_and_never_for_more_than_a_year(
    api: APIClient, alice: User
) -> None:
    api.credentials()
    api.force_login(alice)
    api.post(URL, {"name": "usual"})
    usual = ApiToken.objects.get(name="usual")
    assert usual.expires_at - usual.created_at == timedelta(days=90)
    assert api.post(URL, {"name": "year", "days": 366}).status_code == 201
    for days in (0, 367, 10**30, "7", True, 1.5):
        answer = api.post(URL, {"name": "more", "days": days})
        assert (answer.status_code, error_of(answer)["attr"]) == (400, "days")


def test_a_token_does_not_outlive_itself_through_those_it_makes(alice: User) -> None:
    made = create_token(user=alice, name="short", days=1, actor="test", now=timezone.now())
    assert with_token(made.text).post(URL, {"name": "child", "days": 366}).status_code == 201
    child = ApiToken.objects.get(name="child")
    assert child.expires_at == made.token.expires_at


def test_an_expired_token_is_refused_and_goes_when_the_next_is_made(alice: User) -> None:
    client = signed_in(alice, now=timezone.now() - timedelta(days=91))
    answer = client.get(URL)
    assert (answer.status_code, error_of(answer)["code"]) == (401, "authentication_failed")
    create_token(user=alice, name="next", actor="test", now=timezone.now())
    assert list(ApiToken.objects.values_list("name", flat=True)) == ["next"]


def test_the_token_of_a_user_who_was_switched_off_is_refused(api: APIClient, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert api.get(URL).status_code == 401


def test_a_deleted_token_is_refused_at_once(api: APIClient) -> None:
    made = api.post(URL, {"name": "backup"}).json()
    assert api.delete(f"{URL}{made['id']}/").status_code == 204
    assert with_token(made["token"]).get(URL).status_code == 401
    change = Change.objects.get(verb="delete")
    assert (change.actor, change.subject) == ("api:alice", "token backup")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer tscm_wrong",
        "Bearer tscm_a b",
        "Bearer " + "x" * 5000,
        "Bearer \xff\xfe\x80",
        "bearer \N{LATIN SMALL LETTER E WITH ACUTE}",
        "Token tscm_wrong",
        "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==",
        "\xff",
    ],
)
def test_refuses_whatever_is_no_token(alice: User, header: str) -> None:
    answer = APIClient().get(URL, HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert error_of(answer)["code"] in {"authentication_failed", "not_authenticated"}


def test_nobody_sees_or_deletes_another_ones_tokens(
    api: APIClient, alice: User, charlie: User
) -> None:
    hers = ApiToken.objects.get(user=alice)
    client = signed_in(charlie)
    assert [row["id"] for row in client.get(URL).json()["results"]] != [hers.pk]
    assert client.get(URL).json()["count"] == 1
    assert client.get(f"{URL}{hers.pk}/").status_code == 404
    assert client.delete(f"{URL}{hers.pk}/").status_code == 404
    assert ApiToken.objects.filter(pk=hers.pk).exists()


def test_a_name_is_taken_once_a_user(api: APIClient, charlie: User) -> None:
    assert api.post(URL, {"name": "backup"}).status_code == 201
    assert signed_in(charlie).post(URL, {"name": "backup"}).status_code == 201
    answer = api.post(URL, {"name": "backup"})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "name")


def test_a_user_has_a_bounded_number_of_tokens(api: APIClient, alice: User) -> None:
    now = timezone.now()
    for number in range(MAX_TOKENS - 1):
        create_token(user=alice, name=str(number), actor="test", now=now)
    answer = api.post(URL, {"name": "one more"})
    assert answer.status_code == 400
    assert "delete one first" in error_of(answer)["detail"]


def test_notes_its_use_at_most_once_in_five_minutes(api: APIClient) -> None:
    api.get(URL)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    api.get(URL)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=6))
    api.get(URL)
    assert ApiToken.objects.filter(last_used_at__gt=first).exists()


def test_making_tokens_is_slowed_down(api: APIClient) -> None:
    answers = [api.post(URL, {"name": f"t{number}"}).status_code for number in range(12)]
    assert answers[:10] == [201] * 10
    assert answers[10:] == [429] * 2
    slowed = api.post(URL, {"name": "t"})
    assert error_of(slowed)["code"] == "throttled"
    assert int(slowed["Retry-After"]) <= 60
    assert api.get(URL).status_code == 200
