"""What each list adds to those beside it."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.cache import cache
from django.core.files.storage import storages
from hypothesis import given, strategies as st

from policies.models import Source
from policies.reports.shares import _alone, shares_of
from policies.states import Role
from tests.factories import make_policy, make_source, publish
from tests.netsets.helpers import build, pairs, spread

Pair = tuple[set[int], set[int]]


@given(st.lists(pairs(), max_size=5))
def test_what_a_list_alone_has_agrees_with_plain_sets(sets: list[Pair]) -> None:
    found = list(_alone([build(one) for one in sets]))
    assert len(found) == len(sets)
    for place, one in enumerate(sets):
        rest = [other for number, other in enumerate(sets) if number != place]
        others = [set().union(*(other[family] for other in rest)) for family in (0, 1)]
        assert spread(found[place]) == (one[0] - others[0], one[1] - others[1])


@pytest.mark.django_db
def test_an_allow_list_is_no_rival_of_a_block_list(now: datetime) -> None:
    cache.clear()
    policy = make_policy(now=now, block=["5.6.0.0/24"], allow=["5.6.0.7"])
    twin = make_source(entries=["5.6.0.0/25"], now=now)
    policy.policy_sources.create(source=twin, role=Role.BLOCK)
    publish(policy, now=now)
    only = shares_of(policy).only
    counted = {
        one.role: only[one.source_id].addresses4
        for one in policy.policy_sources.exclude(source=twin)
    }
    assert counted == {Role.BLOCK: 128, Role.ALLOW: 1}
    assert not only[twin.pk]


@pytest.mark.django_db
def test_a_lost_list_is_told_and_spoils_nothing(now: datetime) -> None:
    cache.clear()
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    lost = make_source(entries=["9.9.9.0/24"], now=now)
    policy.policy_sources.create(source=lost, role=Role.BLOCK)
    publish(policy, now=now)
    digest = Source.objects.get(pk=lost.pk).list_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    told = shares_of(policy)
    assert told.unreadable == {lost.pk}
    assert [one.addresses4 for one in told.only.values()] == [256]
