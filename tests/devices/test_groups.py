"""Groups of devices: who is in one sees only its devices, and nobody sees more by the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import ProtectedError
from hypothesis import given, strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, DeviceGroup
from devices.reports.visible import device_ids
from devices.services import (
    GroupRefused,
    assign_group,
    change_group,
    create_group,
    delete_group,
    group_for,
)
from policies.models import Change, Policy
from tests.factories import make_device, make_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def north(now: datetime) -> DeviceGroup:
    return create_group(name="north", actor="test", now=now)


@pytest.fixture
def device(now: datetime) -> Device:
    return make_device(policy=make_policy(now=now), now=now, nickname="fmc-1")


def test_what_is_done_to_a_group_is_recorded(
    north: DeviceGroup, device: Device, now: datetime
) -> None:
    lena = User.objects.create_user("lena")
    change_group(group=north, people=[lena], note="first", actor="test", now=now)
    assign_group(device=device, group=north, actor="test", now=now)
    assign_group(device=device, group=north, actor="test", now=now)  # there already
    told = Change.objects.filter(subject="device group north").order_by("id")
    assert [one.verb for one in told] == ["add", "change"]
    assert told[1].detail == {"note": ["", "first"], "people": [[], ["lena"]]}
    moved = Change.objects.get(subject="device fmc-1", verb="group")
    assert moved.detail == {"group": [None, "north"]}


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb\0", "\x07"])
def test_a_name_that_nobody_could_read_is_refused(name: str, now: datetime) -> None:
    with pytest.raises(GroupRefused, match="1 to 64"):
        create_group(name=name, actor="test", now=now)


def test_a_name_is_taken_once(north: DeviceGroup, now: datetime) -> None:
    other = create_group(name="south", actor="test", now=now)
    takes: tuple[Callable[[], DeviceGroup], ...] = (
        lambda: create_group(name="north", actor="test", now=now),
        lambda: change_group(group=other, name=" north ", actor="test", now=now),
    )
    for take in takes:
        with pytest.raises(GroupRefused, match="choose another"):
            take()


def test_a_group_goes_only_when_it_is_empty(
    north: DeviceGroup, device: Device, now: datetime
) -> None:
    lena = User.objects.create_user("lena")
    north.people.add(lena)
    with pytest.raises(GroupRefused, match="1 people"):
        delete_group(group=north, actor="test", now=now)
    north.people.clear()
    assign_group(device=device, group=north, actor="test", now=now)
    with pytest.raises(GroupRefused, match="1 devices"):
        delete_group(group=north, actor="test", now=now)
    with pytest.raises(ProtectedError):
        north.delete()
    assign_group(device=device, group=None, actor="test", now=now)
    delete_group(group=north, actor="test", now=now)
    assert not DeviceGroup.objects.exists()


def test_a_device_of_a_limited_person_goes_where_he_sees_it(
    north: DeviceGroup, now: datetime
) -> None:
    lena = User.objects.create_user("lena")
    assert group_for(lena, None) is None
    north.people.add(lena)
    again = User.objects.get(pk=lena.pk)
    assert group_for(again, None) == north
    create_group(name="south", actor="test", now=now).people.add(again)
    with pytest.raises(GroupRefused, match="one of your groups"):
        group_for(again, None)
    assert group_for(again, north) == north


def test_nobody_who_is_not_signed_in_sees_any(device: Device) -> None:
    assert not Device.objects.visible_to(AnonymousUser())
    assert device_ids(AnonymousUser()) == frozenset()


def test_who_sees_all_costs_one_query_and_a_superuser_none(
    device: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    otto, root = User.objects.create_user("otto"), User.objects.create_superuser("root")
    with django_assert_num_queries(1):
        assert device_ids(otto) is device_ids(otto) is None
    with django_assert_num_queries(0):
        assert device_ids(root) is None


class TestVisible(TestCase):
    """However devices and people lie in groups, the query says what the words say."""

    @given(
        places=st.lists(st.none() | st.integers(0, 2), min_size=1, max_size=6),
        held=st.sets(st.integers(0, 2)),
    )
    def test_the_query_agrees_with_the_words(
        self, places: list[int | None], held: set[int]
    ) -> None:
        groups = [DeviceGroup.objects.create(name=f"g{n}") for n in range(3)]
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        policy = Policy.objects.create(name="p", due_at=moment)
        devices = [
            Device.objects.create(
                nickname=f"d{n}", device_id=f"d{n}", kind="firepower", policy=policy,
                created_at=moment, group=None if place is None else groups[place],
            )
            for n, place in enumerate(places)
        ]  # fmt: skip
        user = User.objects.create_user("lena")
        user.device_groups.set(groups[n] for n in held)
        wanted = {
            device.pk
            for device, place in zip(devices, places, strict=True)
            if not held or place in held
        }
        assert set(Device.objects.visible_to(user).values_list("pk", flat=True)) == wanted
        seen = device_ids(user)
        assert (seen is None and not held) or seen == frozenset(wanted)
