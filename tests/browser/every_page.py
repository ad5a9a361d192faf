"""Every page of the console, of a site that has something on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import ApiToken, FailedSignIn, SecondFactor
from devices.models import Device, DeviceGroup
from logs.models import LineShape
from policies.models import Policy, Source
from tests.browser.site import drop
from tests.console.pages import Site, add_pages, address, all_pages, make_site
from tests.factories import hold, make_device
from tests.fleet.edges.rows import make_fleet
from tests.fleet.link.rows import make_link


def make_whole_site(user: User, *, now: datetime) -> list[str]:
    """Make a site with a row of each kind; return the address of each page, once."""
    site = make_site(now=now)
    drop(site.device, by=site.policy.sources.all()[0], now=now, events=50, seed=1)
    held = hold(now=now)
    steered = make_link(make_device(policy=site.policy, now=now), now=now)
    _people(user, site.device, now=now)
    entry = make_fleet(now=now)
    pages = [
        *all_pages(site),
        *add_pages(),
        address(Policy, "change", held.pk),
        reverse("console:candidate-difference", args=[held.pk]),
        reverse("console:replay", args=[held.pk]),
        *(f"{reverse('console:why')}?address={asked}" for asked in ("8.8.4.4", "8.8")),
        f"{reverse('console:report')}?ports=none",
        address(Device, "change", steered.device_id),
        reverse("admin:devices_device_link"),
        reverse("console:presets"),
        reverse("console:fleet"),
        f"{reverse('admin:fleet_entry_revoke', args=[entry.pk])}?generation=1",
        reverse("console:preset", args=["spamhaus-drop"]),
        *_rows(user),
        *(reverse(f"sign-in:{name}") for name in ("own", "set-up", "set-password")),
        reverse("api-docs"),
    ]
    left_out = _parts(site)
    alike = [page for page in pages if page.endswith("/history/")][1:]
    return [page for page in dict.fromkeys(pages) if page not in {*left_out, *alike}]


def _parts(site: Site) -> frozenset[str]:
    """Return the addresses of what pages fetch again: no page, but a part of one."""
    return frozenset(
        {
            reverse("console:overview-now"),
            reverse("console:overview-hits"),
            reverse("console:set-up-now", args=[site.device.pk]),
        }
    )


def _people(user: User, device: Device, *, now: datetime) -> None:
    """Make the rows that come of people, and lines that nobody knows."""
    later = now + timedelta(days=30)
    ApiToken.objects.create(user=user, name="script", digest="1", created_at=now, expires_at=later)
    SecondFactor.objects.create(
        user=User.objects.create_user("erin"), secret="A", created_at=now, confirmed_at=now
    )
    FailedSignIn.objects.create(username="mallory", ip_address="192.0.2.66", failures_since_start=2)
    DeviceGroup.objects.create(name="Berlin").people.set([user])
    LineShape.objects.create(
        device=device, digest="1", shape="<N> <W>", sample="<13>hello", lines=3, first_at=now,
        last_at=now, version=1,
    )  # fmt: skip


def _rows(user: User) -> Iterator[str]:
    """Yield the pages of each model that the user may open: its list, a row, to add one.

    What is asked before a row goes, and its history, look alike wherever they are: once is enough.
    """
    request = HttpRequest()
    request.user = user
    for model in apps.get_models():
        if not admin.site.is_registered(model):
            continue
        rows: Any = model
        row = rows.objects.order_by("pk").first()
        assert row is not None, f"no {model.__name__} to show"
        yield address(model, "changelist")
        yield address(model, "change", row.pk)
        if admin.site.get_model_admin(model).has_add_permission(request):
            yield address(model, "add")
    for model in (Device, Policy, Source):
        yield address(model, "delete", model.objects.order_by("pk")[0].pk)
