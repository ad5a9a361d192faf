"""protect list, add, configure, remove."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from policies.models import Change, Policy, ProtectedAddress
from policies.services import protect, protect_network, protect_seen
from tests.factories import make_policy
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def _seen(network: str, *, by: str = "sign-in alice", now: datetime) -> None:
    protect_seen(origin=by, network=network, reason="signed in", until=now + HOUR, most=5, now=now)


def _rows() -> set[tuple[str, str]]:
    return set(ProtectedAddress.objects.values_list("network", "origin"))


def test_an_address_is_protected_and_every_policy_is_due(tsadmin: Tsadmin, now: datetime) -> None:
    make_policy(now=now)
    Policy.objects.update(due_at=None)
    answer = tsadmin("protect", "add", "192.0.2.7/32", "--reason", "our mail server")
    assert answer.stdout == "Protected 192.0.2.7: no policy blocks it.\n", answer.stderr
    row = ProtectedAddress.objects.get()
    assert (row.network, row.reason, row.origin) == ("192.0.2.7", "our mail server", "")
    assert not Policy.objects.filter(due_at=None).exists()
    change = Change.objects.get()
    assert (change.verb, change.actor.split(":")[0]) == ("protect", "tsadmin")


def test_the_list_tells_what_keeps_each(tsadmin: Tsadmin, now: datetime) -> None:
    protect(origin="device fmc-1", networks={"192.0.2.1": "management address"}, now=now)
    _seen("198.51.100.9", now=now)
    tsadmin("protect", "add", "2001:db8::/32", "--reason", "ours")
    titles, *rows = tsadmin("protect", "list").stdout.splitlines()
    assert titles.split() == ["Network", "Reason", "Kept", "by", "Until"]
    assert [row.split("  ")[0] for row in rows] == ["192.0.2.1", "198.51.100.9", "2001:db8::/32"]
    assert [("for good" in row, "a person" in row) for row in rows] == [
        (True, False),
        (False, False),
        (True, True),
    ]
    told = tsadmin("protect", "list", "--json").json["protected"]
    assert [one["origin"] for one in told] == ["device fmc-1", "sign-in alice", ""]
    assert [one["until"] is None for one in told] == [True, False, True]


def test_an_empty_list_says_what_is_protected_all_the_same(tsadmin: Tsadmin) -> None:
    answer = tsadmin("protect", "list")
    assert (answer.code, answer.stdout) == (0, "")
    assert "protected without a row" in answer.stderr
    assert tsadmin("protect", "list", "--json").json == {"protected": []}


@pytest.mark.parametrize("spelt", ["198.51.100.0/24", " 198.51.100.0/24 "])
def test_what_a_person_protected_is_removed(tsadmin: Tsadmin, now: datetime, spelt: str) -> None:
    make_policy(now=now)
    protect_network(network="198.51.100.0/24", reason="ours", actor="alice", now=now)
    Policy.objects.update(due_at=None)
    answer = tsadmin("protect", "remove", spelt)
    assert (answer.stdout, answer.stderr) == ("Removed 198.51.100.0/24.\n", "")
    assert _rows() == set()
    assert not Policy.objects.filter(due_at=None).exists()


def test_a_persons_row_goes_first_and_what_still_protects_is_told(
    tsadmin: Tsadmin, now: datetime
) -> None:
    protect(origin="device fmc-1", networks={"192.0.2.1": "management address"}, now=now)
    _seen("192.0.2.1", now=now)
    protect_network(network="192.0.2.1", reason="ours", actor="alice", now=now)
    first = tsadmin("protect", "remove", "192.0.2.1")
    assert "protected all the same, by device fmc-1, sign-in alice." in first.stderr
    assert _rows() == {("192.0.2.1", "device fmc-1"), ("192.0.2.1", "sign-in alice")}
    second = tsadmin("protect", "remove", "192.0.2.1", "--json")
    assert second.json == {"removed": "192.0.2.1", "still_kept_by": ["device fmc-1"]}
    third = tsadmin("protect", "remove", "192.0.2.1")
    assert third.error == "192.0.2.1 is kept protected by device fmc-1; change it there"
    assert _rows() == {("192.0.2.1", "device fmc-1")}


def test_a_persons_row_gets_another_reason_and_no_other(tsadmin: Tsadmin, now: datetime) -> None:
    protect(origin="device fmc-1", networks={"192.0.2.1": "management address"}, now=now)
    kept = tsadmin("protect", "configure", "192.0.2.1", "--reason", "ours")
    assert kept.error == "192.0.2.1 is kept protected by device fmc-1; change it there"
    protect_network(network="192.0.2.1", reason="ours", actor="alice", now=now)
    answer = tsadmin("protect", "configure", "192.0.2.1", "--reason", "the router")
    assert answer.stdout == "Changed the reason of 192.0.2.1.\n", answer.stderr
    reasons = dict(ProtectedAddress.objects.values_list("origin", "reason"))
    assert reasons == {"": "the router", "device fmc-1": "management address"}


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("add", "192.0.2.1"), 2, "Missing option '--reason'"),
        (("add", "192.0.2.1", "--reason", ""), 1, "reason: This field cannot be blank."),
        (("add", "192.0.2.1", "--reason", "x" * 201), 1, "reason: Ensure this value"),
        (("add", "router", "--reason", "ours"), 1, "write an address or a network"),
        (("add", "192.0.2.1/24", "--reason", "ours"), 1, "has host bits set"),
        (("add", "fe80::1%eth0", "--reason", "ours"), 1, "without its zone"),
        (("add", "203.0.113.0/24", "--reason", "ours"), 1, "203.0.113.0/24 is protected already"),
        (("configure", "203.0.113.0/24"), 2, "Missing option '--reason'"),
        (("configure", "203.0.113.0/24", "--reason", ""), 1, "reason: This field cannot be blank."),
        (("configure", "192.0.2.9", "--reason", "ours"), 1, "192.0.2.9 is not protected by a row"),
        (("remove", "192.0.2.9"), 1, "192.0.2.9 is not protected by a row of its own"),
        (("remove", "203.0.113.7"), 1, "203.0.113.7 is not protected by a row of its own"),
        (("remove", "router"), 1, "write an address or a network"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    tsadmin: Tsadmin, now: datetime, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    protect_network(network="203.0.113.0/24", reason="ours", actor="alice", now=now)
    before = _rows(), Change.objects.count()
    answer = tsadmin("protect", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert (_rows(), Change.objects.count()) == before


def test_every_key_of_every_json_answer_is_documented(tsadmin: Tsadmin) -> None:
    _seen("192.0.2.1", now=timezone.now())
    answers = (
        tsadmin("protect", "add", "192.0.2.1", "--reason", "ours", "--json").json,
        tsadmin("protect", "configure", "192.0.2.1", "--reason", "us", "--json").json,
        tsadmin("protect", "list", "--json").json,
        tsadmin("protect", "remove", "192.0.2.1", "--json").json,
    )
    page = PAGE.read_text(encoding="utf-8")
    chapter = page.partition("\n## protect list\n")[2]
    assert not {key for answer in answers for key in answer if f"`{key}`" not in chapter}
