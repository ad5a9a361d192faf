"""Lists of what happened: by month, and no longer than anybody turns over."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from policies.admin.pages import FirstRows
from policies.models import Retrieval, Source
from tests.console.pages import address
from tests.factories import make_source

pytestmark = pytest.mark.django_db
LIST = address(Retrieval, "changelist")


@pytest.fixture
def source(now: datetime) -> Source:
    """A source that was never retrieved."""
    return make_source(entries=["5.6.7.8"], now=now)


def retrieve(source: Source, *moments: datetime) -> None:
    Retrieval.objects.bulk_create(
        Retrieval(
            source=source, started_at=at, finished_at=at, outcome="refused", error=f"no {at:%d%m%y}"
        )
        for at in moments
    )


def shown(client: Client, query: str = "") -> list[str]:
    return re.findall(r"no (\d{6})", client.get(f"{LIST}?{query}").content.decode())


def test_every_month_from_the_newest_row_to_the_oldest_is_offered(
    alice: Client, source: Source
) -> None:
    retrieve(source, datetime(2025, 11, 30, 23, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    html = alice.get(LIST).content.decode()
    offered = re.findall(r"started_at_month=(\d{4}-\d\d)", html)
    assert offered == ["2026-02", "2026-01", "2025-12", "2025-11"]


def test_a_month_has_its_first_and_not_its_last_moment(alice: Client, source: Source) -> None:
    first, after = datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    retrieve(source, first, after)
    assert shown(alice, "started_at_month=2025-12") == ["011225"]
    assert shown(alice, "started_at_month=2025-11") == []


@pytest.mark.parametrize("asked", ["2025-13", "then", "", "2025-12-01", "0000-01", "9999-12"])
def test_what_is_no_month_chooses_nothing(asked: str, alice: Client, source: Source) -> None:
    retrieve(source, datetime(2025, 12, 1, tzinfo=UTC))
    answer = alice.get(f"{LIST}?started_at_month={asked}")
    assert answer.status_code == 200


def test_a_list_without_rows_offers_no_month(alice: Client) -> None:
    assert "started_at_month=" not in alice.get(LIST).content.decode()


def test_a_list_that_is_cut_says_so(
    alice: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policies.admin.pages.MOST_ROWS", 60)
    retrieve(source, *(datetime(2026, 1, 1, 0, minute % 60, tzinfo=UTC) for minute in range(60)))
    assert "narrow the list" not in alice.get(LIST).content.decode()
    retrieve(source, datetime(2025, 1, 1, tzinfo=UTC))
    html = alice.get(f"{LIST}?p=2").content.decode()
    assert "narrow the list" in html
    assert "010125" not in html
    assert FirstRows(Retrieval.objects.order_by("pk"), 50).num_pages == 2
