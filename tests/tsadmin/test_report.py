from __future__ import annotations

import csv
import io
import json

import pytest
from django.utils import timezone

from tests.logs.hits_site import make_hits
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(db: None) -> None:
    make_hits(now=timezone.now())


def test_a_report_is_facts_and_tables(tsadmin: Tsadmin) -> None:
    shown = tsadmin("report", "--by", "list", "--by", "port", "--direction", "in").stdout
    assert "Direction         : inbound" in shown
    assert "Connections       : 8 inbound, 0 outbound" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["botnets", "6", "1", "1"] in [line[:4] for line in lines]
    assert ["none", "2", "1", "1"] in [line[:4] for line in lines]
    assert ["443/tcp", "8", "2", "2"] in [line[:4] for line in lines]


def test_a_table_says_what_it_left_out(tsadmin: Tsadmin) -> None:
    assert "and 2 more rows" in tsadmin("report", "--by", "list", "--rows", "1").stdout


def test_json_has_the_whole_report(tsadmin: Tsadmin) -> None:
    told = tsadmin("report", "--json", "--last", "7d", "--by", "inside,device").json
    assert told["totals"]["inbound"] == sum(one["inbound"] for one in told["timeline"]) == 8
    assert [one["by"] for one in told["summaries"]] == ["inside", "device"]
    assert told["summaries"][1]["rows"][0]["key"] == "fmc-berlin"
    page = PAGE.read_text(encoding="utf-8").partition("\n## report\n")[2].partition("\n## ")[0]
    part = told["summaries"][0]
    for keys in (told, told["totals"], told["timeline"][0], part, part["rows"][0]):
        for key in keys:
            assert f"`{key}`" in page, key


def test_csv_is_one_table_or_the_connections(tsadmin: Tsadmin) -> None:
    rows = list(csv.DictReader(io.StringIO(tsadmin("report", "--csv", "--by", "list").stdout)))
    assert [(row["key"], row["connections"]) for row in rows] == [
        ("botnets", "6"), ("malware", "3"), ("", "2"),
    ]  # fmt: skip
    shown = tsadmin("report", "--connections", "--list", "malware").stdout
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [row["destination"] for row in rows] == ["203.0.113.9"] * 3
    page = PAGE.read_text(encoding="utf-8").partition("\n## report\n")[2].partition("\n## ")[0]
    assert all(f"`{key}`" in page for key in rows[0])
    lines = tsadmin("report", "--connections", "--json", "--outside", "2001:db8::/32").stdout
    assert [json.loads(line)["device"] for line in lines.splitlines()] == ["fmc-oslo"] * 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--outside", "nonsense"), "--outside: 'nonsense' is no address"),
        (("--except-ports", "http"), "--except-ports: 'http' is no port"),
        (("--last", "5d"), "--last: Use one of 24h, 7d, 30d"),
        (("--csv",), "one --by"),
    ],
)
def test_what_means_nothing_is_told_by_its_flag(
    tsadmin: Tsadmin, flags: tuple[str, ...], said: str
) -> None:
    answer = tsadmin("report", *flags)
    assert answer.code == 2
    assert said in answer.error


def test_a_table_that_cannot_be_made_is_told_and_the_others_are_there(tsadmin: Tsadmin) -> None:
    shown = tsadmin("report", "--by", "country", "--by", "list").stdout
    assert "Country: " in shown
    assert "botnets" in shown
