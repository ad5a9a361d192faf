"""What a policy would publish is told, and nothing of it is published."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from policies.models import Candidate, Policy, Retrieval, Snapshot, Source
from policies.services.preview import preview_policy
from policies.services.rows import Refused
from policies.states import Role
from tests.factories import hold, make_policy, make_source, publish, republish

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def rows() -> list[object]:
    models = (Policy, Source, Snapshot, Candidate, Retrieval)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_preview_is_what_a_compile_publishes(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24", "10.0.0.0/8"], allow=["5.6.0.7"])
    snapshot = publish(policy, now=now)
    before = rows()
    preview = preview_policy(policy, now=now)
    assert rows() == before
    assert "5.6.0.8" in preview.compiled.block
    assert "5.6.0.7" not in preview.compiled.block
    assert "10.0.0.1" not in preview.compiled.block
    assert list(preview.sources) == snapshot.sources
    assert preview.findings == ()


def test_one_more_source_counts_for_a_block_source(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"], allow=["7.7.7.7"])
    other = make_policy(now=now, block=["7.7.7.0/24"])
    for one in (policy, other):
        publish(one, now=now)
    source = other.sources.get()
    preview = preview_policy(policy, now=now, with_source=source)
    assert "7.7.7.8" in preview.compiled.block
    assert "7.7.7.7" not in preview.compiled.block
    assert [one["name"] for one in preview.sources if one["role"] == Role.BLOCK][-1] == source.name
    policy.refresh_from_db()
    assert "7.7.7.8" not in preview_policy(policy, now=now).compiled.block


def test_the_guards_word_is_told_and_holds_nothing_back(now: datetime) -> None:
    policy = hold(now=now)
    preview = preview_policy(policy, now=now + timedelta(hours=2))
    assert "the guard allows 2 times the size at once" in preview.findings[0]
    assert "6.0.0.1" in preview.compiled.block


def test_a_pinned_policy_would_publish_its_pinned_lists(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    first = publish(policy, now=now)
    republish(policy, "8.8.0.0/24", now=now + timedelta(hours=1))
    Policy.objects.filter(pk=policy.pk).update(pinned=first, pinned_at=now, pinned_by="test")
    policy.refresh_from_db()
    assert "5.6.0.1" in preview_policy(policy, now=now).compiled.block


@pytest.mark.parametrize("with_more", [True, False])
def test_without_its_allow_list_nothing_is_previewed(now: datetime, with_more: bool) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    policy.policy_sources.create(source=make_source(entries=["5.6.0.7"], now=now), role=Role.ALLOW)
    other = make_policy(now=now, block=["7.7.7.0/24"])
    publish(other, now=now)
    source = other.sources.get() if with_more else None
    with pytest.raises(Refused, match="waiting for the first allow list"):
        preview_policy(policy, now=now, with_source=source)


def test_a_list_that_is_lost_is_told(now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    policy.sources.update(list_digest="0" * 64)
    with pytest.raises(Refused, match="cannot be compiled: the list held of"):
        preview_policy(policy, now=now)
