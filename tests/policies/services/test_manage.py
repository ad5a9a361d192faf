"""What a person may not set, however much they may set."""

from __future__ import annotations

from datetime import datetime

import pytest

from policies.services import Refused, change_policy, create_policy
from tests.factories import make_policy

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["8.8.8.8", "192.168.0.1", "2001:4860::1"])
def test_an_empty_list_carries_an_address_of_nobody_only(now: datetime, address: str) -> None:
    options = {"empty_list_address": address}
    with pytest.raises(Refused, match="documentation address"):
        create_policy(name="new", members=[], options=options, actor="test", now=now)
    policy = make_policy(now=now)
    with pytest.raises(Refused, match="documentation address"):
        change_policy(policy=policy, changes=options, actor="test", now=now)
    policy.refresh_from_db()
    assert policy.empty_list_address == "192.0.2.1"


@pytest.mark.parametrize("address", ["198.51.100.9", "2001:db8::1"])
def test_any_documentation_address_will_do(now: datetime, address: str) -> None:
    options = {"empty_list_address": address}
    policy = create_policy(name="new", members=[], options=options, actor="test", now=now)
    assert policy.empty_list_address == address


def test_an_address_for_empty_lists_loses_its_zone(now: datetime) -> None:
    options = {"empty_list_address": "2001:db8::1%eth0"}
    policy = create_policy(name="new", members=[], options=options, actor="test", now=now)
    assert policy.empty_list_address == "2001:db8::1"
