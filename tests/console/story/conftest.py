"""The site whose pages tell their story."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.cache import cache
from django.utils import timezone

from policies.models import Policy
from tests.factories import publish
from tests.logs.hits_site import HOUR, HitsSite, make_hits


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Let no test be told what another one counted."""
    cache.clear()


@pytest.fixture
def site(db: None) -> HitsSite:
    """A site whose documentation addresses are blocked, with what its firewalls told of."""
    now = timezone.now()
    site = make_hits(now=now - HOUR)
    Policy.objects.update(keep_documentation=True)
    return replace(site, snapshot=publish(site.policy, now=now - HOUR / 2))
