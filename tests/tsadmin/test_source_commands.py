"""source list, show, add, configure, remove, update."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from typer.core import TyperGroup
from typer.main import get_command

from policies.models import Change, Policy, Source
from policies.services import create_source, retrieve_source
from policies.services.manage_sources import SOURCE_COLUMNS
from policies.services.sources import secrets_of
from policies.states import SourceState
from tests.factories import make_policy, make_source
from tests.fakes.webserver import Reply, Request, WebServer, text
from tests.tsadmin.conftest import Appliance, Tsadmin
from tsadmin.app import app
from tsadmin.commands import updating
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db
SECRET = "s3cret-t0ken"
URL = "https://lists.example/block.txt"


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    """A file that holds a secret, as --set names it."""
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    return f"token=@{path}"


@pytest.fixture
def held(now: datetime) -> Source:
    """A web list that asks for a token."""
    return create_source(
        name="partner",
        kind="http",
        settings={"url": URL, "auth": "bearer", "token": SECRET, "user_agent": "us"},
        actor="test",
        now=now,
    )


def _state() -> list[tuple[object, ...]]:
    """Everything that a refused command must leave as it was."""
    sources = Source.objects.order_by("id").values_list(
        "name", "settings", "refresh_minutes", "shrink_limit", "is_enabled", "due_at"
    )
    return [*sources, (Change.objects.count(), *Policy.objects.values_list("due_at", flat=True))]


def test_a_source_is_added_from_flags(tsadmin: Tsadmin, secret_file: str) -> None:
    answer = tsadmin(
        "source", "add", "partner", "--kind", "http", "--set", f"url={URL}", "--set", "auth=bearer",
        "--set", secret_file, "--refresh-minutes", "30", "--may-be-empty", "yes", "--enabled", "no",
        "--shrink-limit", "70", "--stale-minutes", "600", "--severity", "5",
    )  # fmt: skip
    assert (answer.code, answer.stdout) == (0, "Added partner.\n"), answer.stderr
    assert "tsadmin policy configure POLICY --block partner" in answer.stderr
    source = Source.objects.get()
    assert source.settings == {"url": URL, "auth": "bearer"}
    assert (source.refresh_minutes, source.stale_minutes, source.shrink_limit) == (30, 600, 70)
    assert (source.may_be_empty, source.is_enabled, source.severity) == (True, False, 5)
    assert secrets_of(source) == {"token": SECRET}
    change = Change.objects.get()
    assert change.actor.startswith("tsadmin:")
    assert SECRET not in f"{answer.stdout}{answer.stderr}{change.detail}"


def test_what_is_added_is_told_to_programs_without_its_secrets(
    tsadmin: Tsadmin, secret_file: str
) -> None:
    given = ("--set", f"url={URL}", "--set", "auth=bearer", "--set", secret_file)
    answer = tsadmin("source", "add", "partner", "--kind", "http", *given, "--json")
    assert (answer.code, answer.stderr) == (0, "")
    assert answer.json["settings"] == {"url": URL, "auth": "bearer"}
    assert (answer.json["secrets"], answer.json["policies"]) == (["token"], [])
    assert SECRET not in answer.stdout


def test_the_sources_are_listed_with_their_state_and_their_policies(
    tsadmin: Tsadmin, now: datetime, held: Source
) -> None:
    policy = make_policy(now=now, name="edge", block=["9.9.9.9", "9.9.9.8"])
    retrieve_source(source_id=policy.sources.get().pk, now=timezone.now())
    Source.objects.filter(pk=held.pk).update(is_enabled=False)
    rows = tsadmin("source", "list", "--json").json["sources"]
    found = {one["name"]: (one["list_entries"], one["policies"], one["state"]) for one in rows}
    listed = policy.sources.get().name
    assert found == {"partner": (0, [], "new"), listed: (2, ["edge"], "current")}
    titles, *lines = tsadmin("source", "list").stdout.splitlines()
    assert titles.split() == ["Source", "Kind", "State", "Entries", "Retrieved", "Policies"]
    assert ["partner", "http", "turned", "off"] in [line.split()[:4] for line in lines]
    assert any(line.startswith(listed) and line.endswith("edge") for line in lines)


def test_where_there_is_none_the_list_says_how_to_add_one(tsadmin: Tsadmin) -> None:
    answer = tsadmin("source", "list")
    assert (answer.code, answer.stdout) == (0, "")
    assert "tsadmin source add" in answer.stderr
    assert tsadmin("source", "list", "--json").json == {"sources": []}


def test_a_source_is_shown_and_of_its_secrets_only_that_they_are_set(
    tsadmin: Tsadmin, held: Source
) -> None:
    shown = tsadmin("source", "show", "partner").stdout
    lines = (line.partition(" : ") for line in shown.splitlines())
    facts = {label.strip(): value for label, _, value in lines}
    assert facts["Setting url"] == URL
    assert facts["Setting token"] == "set"
    assert facts["Kind"] == "http: Web list (HTTP, HTTPS)"
    assert (facts["State"], facts["Retrieved"]) == ("not retrieved yet", "never")
    assert (facts["Retrieved every"], facts["Stale after"]) == ("60 minutes", "3 hours")
    found = tsadmin("source", "show", "partner", "--json")
    assert found.json["secrets"] == ["token"]
    assert SECRET not in shown + found.stdout
    assert held.name == found.json["name"]


def test_a_list_past_its_age_is_shown_as_stale_with_its_error(
    tsadmin: Tsadmin, now: datetime
) -> None:
    source = make_source(entries=["9.9.9.9"], now=now, name="list")
    retrieve_source(source_id=source.pk, now=timezone.now() - timedelta(days=1))
    Source.objects.update(state=SourceState.UNAVAILABLE, error="list did not answer")
    shown = tsadmin("source", "show", "list").stdout
    assert "unavailable, stale" in shown
    assert "list did not answer" in shown
    titles, newest = shown.splitlines()[-2:]
    assert titles.split()[:3] == ["Retrieved", "at", "Outcome"]
    assert newest.split()[2:6] == ["changed", "1", "+1", "-0"]
    told = tsadmin("source", "show", "list", "--json").json["retrievals"]
    assert [(one["outcome"], one["entries"]) for one in told] == [("changed", 1)]


def test_what_is_not_named_stays_as_it_is(tsadmin: Tsadmin, held: Source) -> None:
    answer = tsadmin(
        "source", "configure", "partner", "--set", f"url={URL}?v=2", "--refresh-minutes", "15",
        "--name", "partner list", "--json",
    )  # fmt: skip
    assert (answer.code, answer.json["name"]) == (0, "partner list"), answer.stderr
    held.refresh_from_db()
    assert held.settings == {"url": f"{URL}?v=2", "auth": "bearer", "user_agent": "us"}
    assert (held.refresh_minutes, held.shrink_limit) == (15, 50)
    assert secrets_of(held) == {"token": SECRET}


def test_an_empty_setting_is_taken_away(tsadmin: Tsadmin, held: Source) -> None:
    tsadmin("source", "configure", "partner", "--stale-minutes", "700")
    given = ("--set", "user_agent=", "--set", "auth=none", "--set", "token=")
    answer = tsadmin("source", "configure", "partner", *given, "--stale-minutes", "")
    assert (answer.code, answer.stdout) == (0, "Changed partner.\n"), answer.stderr
    held.refresh_from_db()
    assert (held.settings, held.stale_minutes) == ({"url": URL, "auth": "none"}, None)
    assert secrets_of(held) == {}


def test_another_kind_takes_nothing_of_the_old_settings(tsadmin: Tsadmin, held: Source) -> None:
    before = _state()
    refused = tsadmin("source", "configure", "partner", "--kind", "dns")
    assert (refused.code, "name must be" in refused.error) == (1, True)
    assert _state() == before
    given = ("--kind", "dns", "--set", "name=basic.list.test")
    assert tsadmin("source", "configure", "partner", *given).code == 0
    held.refresh_from_db()
    assert (held.kind, held.settings) == ("dns", {"name": "basic.list.test"})
    assert secrets_of(held) == {}


def test_after_a_change_its_policies_are_due(tsadmin: Tsadmin, now: datetime) -> None:
    policy = make_policy(now=now)
    Policy.objects.update(due_at=None)
    tsadmin("source", "configure", policy.sources.get().name, "--shrink-limit", "80")
    policy.refresh_from_db()
    assert policy.due_at is not None


def test_a_source_is_removed_with_yes_only_where_nobody_can_be_asked(
    tsadmin: Tsadmin, held: Source
) -> None:
    refused = tsadmin("source", "remove", held.name)
    assert (refused.code, "add --yes to remove partner" in refused.error) == (2, True)
    assert Source.objects.exists()
    assert tsadmin("source", "remove", held.name, "--yes", "--json").json == {"removed": "partner"}
    assert not Source.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("typed", "code"), [("n", 1), ("y", 0)])
def test_at_a_terminal_it_is_asked_before_a_source_goes(
    appliance: Appliance, typed: str, code: int
) -> None:
    given = ("--kind", "memory", "--set", 'entries:=["192.0.2.1"]')
    assert appliance.run("source", "add", "ours", *given).code == 0
    with appliance.at_terminal("source", "remove", "ours") as terminal:
        terminal.expect("Remove ours? Its list goes with it. (y or n) [default n]")
        terminal.type(typed)
        assert terminal.finish() == code
    left = appliance.run("source", "list", "--json").json["sources"]
    assert bool(left) == bool(code)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("show", "nobody"), 1, "no source is named nobody; there are: list, partner"),
        (("add", "list", "--kind", "http", "--set", f"url={URL}/2"), 1, "name: Source with this"),
        (("add", "new", "--kind", "ftp"), 1, "kind must be one of dns, file, http"),
        (("add", "new", "--kind", "http"), 1, "url must be"),
        (("add", "new"), 2, "Missing option '--kind'"),
        (("add", "new", "--kind", "http", "--set", SECRET), 2, "--set takes NAME=VALUE"),
        (("add", "new", "--kind", "memory", "--set", 'entries:=["9.9.9.9"]'), 1, "use that one"),
        (("add", "new", "--kind", "http", "--set", f"url={URL}", "--enabled", "perhaps"), 2,
         "is_enabled takes yes or no"),
        (("configure", "nobody", "--enabled", "no"), 1, "no source is named nobody"),
        (("configure", "partner"), 2, "nothing to change: name a flag"),
        (("configure", "partner", "--refresh-minutes", "1"), 1, "refresh_minutes: Ensure this"),
        (("configure", "partner", "--refresh-minutes", "99999"), 1, "refresh_minutes may be up to"),
        (("configure", "partner", "--shrink-limit", "much"), 1, "shrink_limit: "),
        (("configure", "partner", "--stale-minutes", "1"), 1, "stale_minutes: "),
        (("configure", "partner", "--name", "list"), 1, "name: "),
        (("configure", "partner", "--name", ""), 1, "name: "),
        (("configure", "partner", "--set", "url="), 1, "url must be"),
        (("configure", "partner", "--set", f"token:=[\"{SECRET}\"]"), 1, "token must be a text"),
        (("configure", "partner", "--set", "colour=red"), 1, "'colour' is not a setting here"),
        (("remove", "nobody", "--yes"), 1, "no source is named nobody"),
        (("remove", "list", "--yes"), 1, "source list is used by edge; take it out there first"),
        (("update", "nobody"), 1, "no source is named nobody"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    tsadmin: Tsadmin,
    now: datetime,
    held: Source,
    arguments: tuple[str, ...],
    code: int,
    reason: str,
) -> None:
    policy = make_policy(now=now, name="edge", block=["9.9.9.9"])
    policy.sources.update(name="list")
    before = _state()
    answer = tsadmin("source", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert SECRET not in answer.error
    assert answer.stdout == ""
    assert _state() == before
    assert secrets_of(held) == {"token": SECRET}


def _web_list(*lines: str) -> Callable[[Request], Reply]:
    """A web server's answer to those who know the token."""

    def answer(request: Request) -> Reply:
        known = request.headers.get("authorization") == f"Bearer {SECRET}"
        return text(*lines) if known else Reply(status=401)

    return answer


def test_a_source_is_retrieved_now_with_its_secrets(tsadmin: Tsadmin, held: Source) -> None:
    policy = make_policy(now=held.due_at, block=[])
    policy.policy_sources.create(source=held)
    Policy.objects.update(due_at=None)
    with WebServer(_web_list("9.9.9.9", "x y", "9.9.9.8")) as web:
        inside = ("--set", f"url={web.url()}", "--set", 'allow_internal:=["127.0.0.1"]')
        # A secret is told to no other server, so it has to be given again.
        moved = tsadmin("source", "configure", "partner", *inside, "--set", f"token={SECRET}")
        assert moved.code == 0, moved.stderr
        answer = tsadmin("source", "update", "partner")
        again = tsadmin("source", "update", "partner", "--json")
    assert answer.code == 0, answer.stderr
    _, row, rejected = answer.stdout.splitlines()
    assert row.split()[:6] == ["partner", "changed", "2", "+2", "-0", "1"]
    assert rejected.startswith("partner: rejected 1: ")
    assert answer.stderr == "retrieve partner …\n"
    assert (again.json["outcome"], again.json["entries"], again.stderr) == ("unchanged", 2, "")
    policy.refresh_from_db()
    assert policy.due_at is not None
    assert SECRET not in answer.stdout + again.stdout


def test_a_retrieval_that_fails_ends_in_its_reason_and_code_1(
    tsadmin: Tsadmin, held: Source
) -> None:
    with WebServer(_web_list("9.9.9.9")) as web:
        inside = ("--set", f"url={web.url()}", "--set", 'allow_internal:=["127.0.0.1"]')
        tsadmin("source", "configure", "partner", *inside, "--set", "token=other")
        answer = tsadmin("source", "update", "partner")
        as_json = tsadmin("source", "update", "partner", "--json")
    assert (answer.code, "401" in answer.error) == (1, True)
    assert answer.stdout.splitlines()[1].split()[:2] == ["partner", "refused"]
    assert (as_json.code, as_json.json["outcome"]) == (1, "refused")
    assert "other" not in answer.error + as_json.stdout
    assert held.name == as_json.json["name"]


def test_a_source_that_is_turned_off_is_not_retrieved(tsadmin: Tsadmin, held: Source) -> None:
    tsadmin("source", "configure", "partner", "--enabled", "no")
    tsadmin("source", "configure", "partner", "--name", "partner list")
    answer = tsadmin("source", "update", "partner list")
    assert "tsadmin source configure 'partner list' --enabled yes" in answer.error
    held.refresh_from_db()
    assert held.checked_at is None


def test_a_source_that_a_worker_retrieves_is_told_as_busy(
    tsadmin: Tsadmin, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(entries=["9.9.9.9"], now=now, name="list")
    monkeypatch.setattr(updating, "BUSY_SECONDS", 0.0)
    assert Source.objects.claim(pk=source.pk, now=timezone.now(), lease=timedelta(minutes=5))
    answer = tsadmin("source", "update", "list")
    assert answer.error == "list is being retrieved by a worker; try again in a minute"


def test_every_column_that_a_person_may_set_has_a_flag() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    sources = group.commands["source"]
    assert isinstance(sources, TyperGroup)
    flags = {parameter.name for parameter in sources.commands["configure"].params}
    assert set(SOURCE_COLUMNS) - flags == {"settings"}


def test_every_key_of_every_json_answer_is_documented(tsadmin: Tsadmin, now: datetime) -> None:
    source = make_source(entries=["9.9.9.9"], now=now, name="list")
    retrieve_source(source_id=source.pk, now=now)
    shown = tsadmin("source", "show", "list", "--json").json
    answers = (
        shown,
        shown["retrievals"][0],
        tsadmin("source", "list", "--json").json,
        tsadmin("source", "list", "--json").json["sources"][0],
        tsadmin("source", "update", "list", "--json").json,
        tsadmin("source", "remove", "list", "--yes", "--json").json,
    )
    page = PAGE.read_text(encoding="utf-8")
    assert not {key for answer in answers for key in answer if f"`{key}`" not in page}
