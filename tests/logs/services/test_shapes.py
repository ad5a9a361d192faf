"""Lines that no parser knows are counted by what they look like, and shown."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from devices.models import Device
from logs.models import LineShape
from logs.parsers.base import Shape
from logs.parsers.shapes import OTHER
from logs.services.shapes import SHAPES_MOST, add_shapes
from tests.factories import make_device, make_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(now: datetime) -> Device:
    return make_device(policy=make_policy(now=now), now=now, nickname="edge")


def add(device: Device, now: datetime, *shapes: Shape, version: int = 1) -> None:
    add_shapes(device=device, shapes=shapes, version=version, first_at=now, last_at=now)


def counted() -> dict[str, int]:
    return dict(LineShape.objects.values_list("shape", "lines"))


def test_lines_of_one_shape_add_up(device: Device, now: datetime) -> None:
    add(device, now, Shape("a #", 2, "a 1"), Shape("b", 1, "b"))
    later = now + timedelta(hours=1)
    add(device, later, Shape("a #", 3, "a 9"))
    assert counted() == {"a #": 5, "b": 1}
    row = LineShape.objects.get(shape="a #")
    assert (row.first_at, row.last_at, row.sample) == (now, later, "a 9")


def test_a_device_that_invents_shapes_fills_one_row_more(device: Device, now: datetime) -> None:
    add(device, now, *(Shape(f"shape {n}", 1, f"line {n}") for n in range(2 * SHAPES_MOST)))
    assert LineShape.objects.count() == SHAPES_MOST + 1
    assert counted()[OTHER] == SHAPES_MOST
    add(device, now, Shape("shape 1", 1, "line"))
    assert counted()["shape 1"] == 2


def test_what_older_parsers_did_not_know_is_counted_anew(device: Device, now: datetime) -> None:
    add(device, now, Shape("known since", 7, ""), Shape("unknown still", 7, ""))
    add(device, now, Shape("unknown still", 2, ""), version=2)
    assert counted() == {"unknown still": 2}
    add(device, now, version=3)
    assert counted() == {}


def test_pages_and_api_show_them(device: Device, now: datetime) -> None:
    add(device, now, Shape("a <b> #", 2, "a <b> 1"))
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    row = LineShape.objects.get()
    for page in ("/admin/logs/lineshape/", f"/admin/logs/lineshape/{row.pk}/change/"):
        text = client.get(page).content.decode()
        assert "a &lt;b&gt; #" in text
        assert "edge" in text
    [told] = client.get("/api/v1/logs/shapes/", {"device": device.pk}).json()["results"]
    assert (told["shape"], told["lines"], told["device_nickname"]) == ("a <b> #", 2, "edge")
