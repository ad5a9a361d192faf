"""How long the list of a source was, drawn."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given, strategies as st

from console.story.sizes import size_chart
from policies.models import Retrieval
from policies.reports.sizes import WINDOW, Size, sizes_of
from policies.states import Outcome
from tests.logs.hits_site import HitsSite

pytestmark = pytest.mark.django_db
NOW = datetime.fromisoformat("2026-03-01T12:00:00+00:00")


def test_the_length_of_a_list_is_drawn_from_its_retrievals(site: HitsSite) -> None:
    now = timezone.now()
    Retrieval.objects.all().delete()
    for days, prefixes, outcome in (
        (40, 7, Outcome.CHANGED), (20, 10, Outcome.CHANGED), (10, 0, Outcome.REFUSED),
        (5, 30, Outcome.CHANGED),
    ):  # fmt: skip
        at = now - timedelta(days=days)
        Retrieval.objects.create(
            source=site.botnets, started_at=at, finished_at=at, outcome=outcome, prefixes=prefixes
        )
    told = sizes_of(site.botnets, now=now)
    assert [one.prefixes for one in told] == [7, 10, 30, site.botnets.list_prefixes]
    assert told[0].at == now - WINDOW
    drawn = size_chart(told, now=now)
    assert "2 prefixes now; between 2 and 30 in 30 days." in drawn
    assert "No list came" in size_chart((), now=now)


@given(st.lists(st.tuples(st.floats(-1, 40), st.integers(0, 10**8)), min_size=1, max_size=20))
def test_a_drawing_stays_within_its_frame(found: list[tuple[float, int]]) -> None:
    sizes = [Size(NOW - timedelta(days=days), number) for days, number in sorted(found)[::-1]]
    path = re.findall(r'<path d="([^"]+)"', size_chart(sizes, now=NOW))[0]
    across = [float(one) for one in re.findall(r"[MH]([-\d.]+)", path)]
    down = [float(one) for one in re.findall(r"(?:V|M[\d.]+ )([-\d.]+)", path)]
    assert across == sorted(across)
    assert all(0 <= one <= 480 for one in across)
    assert all(0 <= one <= 150 for one in down)
