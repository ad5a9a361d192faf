"""The form of a policy: tests and priorities as lines, and every setting there is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client
from hypothesis import given, strategies as st

from netsets.critical import CRITICAL
from policies.admin import policy_lines
from policies.admin.policy_lines import priorities_text, read_priorities, read_tests
from policies.models import Policy, Source
from policies.services import Member, MustHold, change_policy, manage_policies
from policies.services.manage_policies import POLICY_COLUMNS
from policies.states import Expectation, Role
from tests.console.pages import address
from tests.console.test_policy_pages import GUARD, errors
from tests.factories import make_policy, make_source, publish

NETWORKS = st.sampled_from(["5.6.0.7", "5.6.0.0/24", "5.6.0.1-5.6.0.9", "2001:db8::/32"])
NOTES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)
TESTS = st.builds(MustHold, st.sampled_from(Expectation), NETWORKS, NOTES)


@given(st.lists(TESTS, max_size=9))
def test_tests_read_back_as_they_were_written(tests: list[MustHold]) -> None:
    assert read_tests(policy_lines.tests_text(tests)) == tests


@pytest.mark.parametrize(
    "line", ["5.6.0.7", "must be blocked", "5.6.0.7 perhaps", "5.6.0.7 must be blocked soon"]
)
def test_a_line_that_is_no_test_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"line 2: write '192\.0\.2\.7 must be blocked'"):
        read_tests(f"5.6.0.7 must be blocked\n{line}\n")


@given(st.lists(st.integers(1, 1000), max_size=9))
def test_priorities_read_back_as_they_were_written(numbers: list[int]) -> None:
    sources = [Source(pk=n, name=f"list {n} of 9") for n in range(len(numbers))]
    members = [Member(s, Role.BLOCK, n) for s, n in zip(sources, numbers, strict=True)]
    read = read_priorities(priorities_text(members), sources)
    assert [read.get(source.pk, 100) for source in sources] == numbers


@pytest.mark.parametrize("line", ["known scanners", "ten known", "10", "10 unknown", "-1 known"])
def test_a_line_that_is_no_priority_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        read_priorities(f"\n{line}", [Source(pk=1, name="known")])


def posted(**changes: object) -> dict[str, Any]:
    return {**GUARD, "name": "edge", **changes}


@pytest.mark.django_db
def test_every_setting_of_a_policy_is_in_its_form(alice: Client, now: datetime) -> None:
    page = alice.get(address(Policy, "change", make_policy(now=now).pk))
    shown = set(page.context["adminform"].form.fields)
    assert set(POLICY_COLUMNS) <= shown
    assert {"must_hold", "priorities"} <= shown


@pytest.mark.django_db
def test_guard_tests_and_priorities_are_changed_by_the_form(alice: Client, now: datetime) -> None:
    source = make_source(entries=["5.6.0.0/24"], now=now, name="known scanners")
    group = next(iter(CRITICAL))
    data = posted(
        block_sources=source.pk, reject_limit="40", keep_special="on", critical_except=group,
        stale_entries="drop", merge_to4="24", keep_days="30", priorities="10 known scanners",
        must_hold="5.6.0.7 must be blocked\n5.7.0.0/24 must never be blocked # the pager",
    )  # fmt: skip
    answer = alice.post(address(Policy, "add"), data)
    assert answer.status_code == 302, errors(answer)
    policy = Policy.objects.get()
    assert (policy.reject_limit, policy.keep_special, policy.stale_entries) == (40, True, "drop")
    assert (policy.critical_except, policy.merge_to4, policy.keep_days) == ([group], 24, 30)
    assert policy.policy_sources.get().priority == 10
    assert manage_policies.tests_of(policy) == [
        MustHold(Expectation.BLOCKED, "5.6.0.7"),
        MustHold(Expectation.NOT_BLOCKED, "5.7.0.0/24", "the pager"),
    ]
    page = address(Policy, "change", policy.pk)
    form = alice.get(page).context["adminform"].form
    assert form.initial["priorities"] == "10 known scanners"
    kept = {**data, "must_hold": form.initial["must_hold"]}
    assert alice.post(page, kept).status_code == 302
    assert policy.tests.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "typed", "reason"),
    [
        ("must_hold", "pager.example must be blocked", "pager.example"),
        ("must_hold", "5.6.0.7", "line 1: write"),
        ("must_hold", f"5.6.0.7 must be blocked # {'x' * 201}", "up to 200 characters"),
        ("priorities", "10 nobody", "line 1: nobody is no source"),
        ("critical_except", "the moon", "not one of the available choices"),
        ("reject_limit", "100", "less than or equal to 99"),
        ("merge_to4", "7", "greater than or equal to 8"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    alice: Client, field: str, typed: str, reason: str
) -> None:
    found = errors(alice.post(address(Policy, "add"), posted(**{field: typed})))
    assert reason in " ".join(found[field])
    assert not Policy.objects.exists()


@pytest.mark.django_db
def test_the_page_tells_how_each_test_ends(alice: Client, victor: Client, now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    must = [
        MustHold(Expectation.BLOCKED, "5.6.0.7"),
        MustHold(Expectation.NOT_BLOCKED, "5.6.0.8", "the pager"),
    ]
    page = address(Policy, "change", policy.pk)
    assert ">fails<" not in alice.get(page).content.decode()
    publish(policy, now=now)
    change_policy(policy=policy, changes={}, tests=must, actor="test", now=now)
    for client in (alice, victor):
        shown = client.get(page).content.decode()
        assert shown.count(">holds<") == shown.count(">fails<") == 1
        assert "the pager" in shown


@pytest.mark.django_db
def test_the_page_opens_where_the_list_in_force_is_lost(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    snapshot = publish(policy, now=now)
    must = [MustHold(Expectation.BLOCKED, "5.6.0.7")]
    change_policy(policy=policy, changes={}, tests=must, actor="test", now=now)
    digest = snapshot.block_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    shown = alice.get(address(Policy, "change", policy.pk)).content.decode()
    assert "The list in force cannot be read" in shown
