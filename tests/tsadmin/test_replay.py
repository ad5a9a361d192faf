from __future__ import annotations

import csv
import io

import pytest
from django.utils import timezone

from tests.logs.replay_site import ReplaySite, make_replay
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> ReplaySite:
    return make_replay(now=timezone.now())


def test_a_replay_is_a_sentence_and_tables(tsadmin: Tsadmin, site: ReplaySite) -> None:
    shown = tsadmin("replay", site.policy.name).stdout
    assert "It would have dropped 6 connections that were let through, of 2 inside hosts" in shown
    assert f"Tried   : what the guard holds of {site.policy}" in shown
    assert "The guard: the block list would grow" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["10.1.2.4", "5", "1"] in [line[:3] for line in lines]
    assert "Would now pass" not in shown
    assert "nothing changes" in tsadmin("replay", "fmc-oslo", "--what", "1").stdout


def test_json_and_csv_are_documented(tsadmin: Tsadmin, site: ReplaySite) -> None:
    told = tsadmin("replay", site.policy.name, "--last", "24h", "--json").json
    assert told["would_drop"]["connections"] == 6
    page = PAGE.read_text(encoding="utf-8").partition("\n## replay\n")[2].partition("\n## ")[0]
    half = told["would_drop"]
    shown = tsadmin("replay", site.policy.name, "--csv", "--rows", "1").stdout
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert (rows[0]["key"], rows[0]["connections"]) == ("10.1.2.4", "5")
    assert [row["table"] for row in rows] == ["hosts", "addresses", "lists", "ports"]
    for keys in (told, half, half["hosts"][0], rows[0]):
        for key in keys:
            assert f"`{key}`" in page, key


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--what", "later"), 2, "--what: Use held, now"),
        (("--device", "nobody"), 2, "--device: There is no device 'nobody'"),
        (("--what", "77"), 1, "has no snapshot 77"),
    ],
)
def test_what_cannot_be_tried_is_one_line(
    tsadmin: Tsadmin, site: ReplaySite, flags: tuple[str, ...], code: int, said: str
) -> None:
    answer = tsadmin("replay", site.policy.name, *flags)
    assert answer.code == code
    assert said in answer.error
