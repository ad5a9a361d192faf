"""Lists kept here, at the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from policies.models import Change, ListRecord, Source
from policies.sources import user_list
from tests.tsadmin.conftest import SECONDS, Appliance, Tsadmin
from tsadmin.records import TYPES

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours(tsadmin: Tsadmin) -> Source:
    """An empty list to block."""
    assert tsadmin("records", "create", "ours", "--for", "block").code == 0
    return Source.objects.get()


def rows() -> list[tuple[str, str]]:
    return list(ListRecord.objects.order_by("id").values_list("text", "note"))


def test_a_list_is_made_to_block_or_to_allow(tsadmin: Tsadmin) -> None:
    answer = tsadmin("records", "create", "partners", "--for", "allow")
    assert (answer.code, answer.stdout) == (0, "Made partners, a list to allow.\n")
    assert Source.objects.get().settings == {"type": "allow"}
    assert Change.objects.get(verb="create").actor.startswith("tsadmin:")
    assert "already exists" in tsadmin("records", "create", "partners", "--for", "allow").error
    answer = tsadmin("records", "create", "other", "--for", "monitor")
    assert (answer.code, "block, allow" in answer.error) == (2, True)


def test_help_and_engine_agree_on_the_types() -> None:
    assert TYPES == user_list.TYPES


@pytest.mark.usefixtures("ours")
def test_records_are_added_listed_and_removed(tsadmin: Tsadmin) -> None:
    added = tsadmin(
        "records", "add", "ours", "203.0.113.7", "198.51.100.0-198.51.100.255",
        "--note", "INC-1", "--expires", "2999-12-31",
    )  # fmt: skip
    assert (added.code, added.stdout) == (0, "ours: added 2 records.\n")
    found = tsadmin("records", "list", "ours").stdout.splitlines()
    assert [line.split()[:2] for line in found] == [
        ["Entry", "Note"], ["198.51.100.0/24", "INC-1"], ["203.0.113.7", "INC-1"]
    ]  # fmt: skip
    assert found[1].endswith("3000-01-01 00:00")
    one = tsadmin("records", "list", "ours", "--search", "198.51.100.9", "--json").json
    assert (one["total"], [row["entry"] for row in one["records"]]) == (1, ["198.51.100.0/24"])
    assert "1 of 2 are shown" in tsadmin("records", "list", "ours", "--most", "1").stderr
    removed = tsadmin("records", "remove", "ours", "203.0.113.7/32", "198.51.100.0-198.51.100.255")
    assert (removed.code, removed.stdout) == (0, "ours: removed 2 records.\n")
    assert "holds no record" in tsadmin("records", "list", "ours").stderr


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("add", "ours", "203.0.113.9", "203.0.113.7/24"), 1, "line 2: '203.0.113.7/24' has bits"),
        (("add", "ours", "198.51.100.1"), 1, "is in the list already"),
        (("add", "ours", "203.0.113.9", "--expires", "soon"), 2, "--expires 'soon' is no date"),
        (("add", "ours", "203.0.113.9", "--expires", "2020-01-01"), 1, "would have expired"),
        (("add", "theirs", "203.0.113.9"), 1, "no list is named theirs; there are: ours"),
        (("add", "ours"), 2, "ENTRY"),
        (("remove", "ours", "198.51.100.1", "203.0.113.9"), 1, "203.0.113.9 is not in ours"),
        (("remove", "ours", "x"), 1, "nothing was removed"),
        (("list", "theirs"), 1, "no list is named theirs"),
        (("import", "ours", "/nowhere/x.csv"), 1, "cannot be read: No such file"),
        (("import", "ours", "/nowhere/x", "--format", "xml"), 2, "csv, lines"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    tsadmin: Tsadmin, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    tsadmin("records", "add", "ours", "198.51.100.1")
    answer = tsadmin("records", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert rows() == [("198.51.100.1", "")]


@pytest.mark.usefixtures("ours")
def test_what_cannot_be_taken_is_left_out_and_told(tsadmin: Tsadmin) -> None:
    answer = tsadmin("records", "add", "ours", "203.0.113.9", "example.net", "--skip-bad")
    assert (answer.code, answer.stdout) == (0, "ours: added 1 record.\n")
    assert answer.stderr.startswith("Left out, line 2: 'example.net' is not an address")


@pytest.mark.usefixtures("ours")
def test_a_file_is_imported_by_its_name_or_as_told(tsadmin: Tsadmin, tmp_path: Path) -> None:
    lines, table = tmp_path / "list.txt", tmp_path / "list.CSV"
    lines.write_text("203.0.113.1 # one\n203.0.113.2\n")
    table.write_text("entry,note\n203.0.113.2,two\n203.0.113.3,three\n")
    assert tsadmin("records", "import", "ours", str(lines)).stdout == "ours: added 2 records.\n"
    answer = tsadmin("records", "import", "ours", str(table), "--replace")
    assert answer.stdout == "ours: added 1 record, changed 1 record, removed 1 record.\n"
    assert rows() == [("203.0.113.2", "two"), ("203.0.113.3", "three")]
    again = tsadmin("records", "import", "ours", str(table), "--replace", "--format", "csv")
    assert again.stdout == "ours: nothing to do.\n"
    wrong = tsadmin("records", "import", "ours", str(table), "--format", "lines")
    assert "line 1: 'entry,note' is not an address" in wrong.error


def test_what_is_exported_is_imported_as_the_same(
    tsadmin: Tsadmin, ours: Source, tmp_path: Path
) -> None:
    tsadmin("records", "add", "ours", "203.0.113.1", "--note", '=1+1, "x"')
    tsadmin("records", "add", "ours", "2001:db8::/64", "--expires", "2999-12-31T10:11:12Z")
    file = tmp_path / "saved.csv"
    file.write_text(tsadmin("records", "export", "ours").stdout)
    columns = ("text", "note", "expires_at")
    before = list(ours.records.order_by("id").values_list(*columns))
    ListRecord.objects.all().delete()
    tsadmin("records", "import", "ours", str(file))
    assert list(ours.records.order_by("id").values_list(*columns)) == before
    assert len(before) == 2


def test_the_lists_are_listed(tsadmin: Tsadmin) -> None:
    assert "No list is kept here yet" in tsadmin("records", "list").stderr
    assert "there is none yet" in tsadmin("records", "export", "ours").error
    tsadmin("records", "create", "ours", "--for", "block")
    tsadmin("records", "add", "ours", "203.0.113.1")
    _, row = tsadmin("records", "list").stdout.splitlines()
    assert row.split() == ["ours", "block", "1", "new", "0"]


def test_standard_input_is_imported(appliance: Appliance) -> None:
    assert appliance.run("records", "create", "ours", "--for", "block").code == 0
    done = subprocess.run(
        [*appliance.command, "records", "import", "ours", "-"],
        env=appliance.environment(), input="203.0.113.1\n203.0.113.2\n", capture_output=True,
        encoding="utf-8", timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ours: added 2 records.\n"), done.stderr


def test_records_alone_prints_what_there_is(tsadmin: Tsadmin) -> None:
    answer = tsadmin("records")
    assert answer.code == 0
    for word in ("create", "list", "add", "remove", "import", "export"):
        assert word in answer.stdout
