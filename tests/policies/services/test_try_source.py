"""A trial retrieves whole, tells what is there, and leaves nothing behind."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.files.storage import storages
from pytest_django import Settings

from netsets.cidr import AddressSet
from policies.models import Change, Retrieval, Source
from policies.services import create_source, retrieve_source
from policies.services.rows import Refused
from policies.services.trial import Addresses, Contents, Trial
from policies.services.trial_slots import SLOTS, AllSlotsTaken, trial_slot
from policies.services.try_source import MAX_COMPARED, try_source
from policies.store import put_set
from tests.factories import make_policy, make_source, publish
from tests.fakes.bind import Bind, write_zone
from tests.fakes.webserver import Pause, Raw, Reply, Request, WebServer, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_slots(settings: Settings, tmp_path: Path) -> None:
    """Keep the slots apart from those of other tests."""
    settings.DATA_DIR = tmp_path


def at(server: WebServer, **settings: object) -> dict[str, object]:
    return {"url": server.url(), "allow_internal": ["127.0.0.1"], **settings}


def try_lines(*lines: str, may_be_empty: bool = False) -> Trial:
    with WebServer(lambda _: text(*lines)) as server:
        return try_source(kind="http", settings=at(server), may_be_empty=may_be_empty)


def contents_of(trial: Trial) -> Contents:
    assert trial.contents is not None, trial.error
    return trial.contents


def hold(name: str, *entries: str, now: datetime) -> Source:
    """Make a source whose list is held."""
    source = make_source(entries=entries, now=now, name=name)
    retrieve_source(source_id=source.pk, now=now)
    return source


def test_tells_how_much_came_from_whom_and_where_each_entry_stands() -> None:
    with WebServer(lambda _: text("# a list", "9.9.8.0/24", "9.9.9.1", "2001:500:8::/48")) as web:
        trial = try_source(kind="http", settings=at(web))
        found = contents_of(trial)
        assert found.server == web.address
    assert (trial.is_ok, trial.error, found.entries, found.prefixes) == (True, "", 3, 3)
    assert found.addresses == Addresses(257, 1 << 80)
    assert [(str(one.span), one.line) for one in found.sample] == [
        ("9.9.8.0/24", 2), ("9.9.9.1", 3), ("2001:500:8::/48", 4),
    ]  # fmt: skip
    assert [str(span) for span in found.widest] == ["9.9.8.0/24", "2001:500:8::/48"]


def test_tells_what_was_rejected_and_what_was_read_otherwise_than_written() -> None:
    found = contents_of(try_lines("9.9.9.1", "9.9.9.2", "v4.1.2.3.4", "glued", "9.8.0.1/16"))
    assert sum(count for _, count in found.rejects) == 2
    assert found.reject_samples == ("v4.1.2.3.4", "glued")
    assert found.host_bits_cleared == 1
    assert "holds 2 of 5 entries that are no addresses" in found.warnings[0]


def test_tells_what_the_guard_would_cut_and_what_it_would_hold() -> None:
    found = contents_of(try_lines("10.0.0.0/8", "192.168.1.7", "92.0.0.0/7", "8.8.8.0/24"))
    assert found.special_entries == 2
    assert found.special == Addresses((1 << 24) + 1, 0)
    assert [(one.label, one.addresses) for one in found.critical] == [
        ("public resolvers: Google Public DNS", 1)
    ]
    assert "92.0.0.0/7" in " ".join(found.warnings)


def test_private_ranges_do_not_count_against_the_width_as_they_are_cut() -> None:
    found = contents_of(try_lines("240.0.0.0/4", "9.9.9.9"))
    assert (found.special_entries, found.warnings) == (1, ())
    assert str(found.widest[0]) == "240.0.0.0/4"


def test_tells_what_it_shares_with_each_list_and_what_nobody_else_has(now: datetime) -> None:
    hold("scanners", "9.9.8.0/25", "7.7.7.7", now=now)
    hold("elsewhere", "6.6.6.6", now=now)
    found = contents_of(try_lines("9.9.8.0/24", "9.9.9.1"))
    shared = [(one.name, one.addresses4, one.entries) for one in found.overlaps]
    assert shared == [("scanners", 128, 1)]
    assert found.overlaps[0].share4 == pytest.approx(128 / 257)
    assert (found.compared, found.only_here, found.entries_only_here) == (2, Addresses(129, 0), 1)


def test_a_source_is_not_compared_with_itself(now: datetime) -> None:
    source = hold("mine", "9.9.9.9", now=now)
    again = try_source(kind="memory", settings=source.settings)
    changed = try_source(kind="memory", settings={"entries": ["9.9.9.8/31"]}, held=source)
    assert [contents_of(trial).compared for trial in (again, changed)] == [0, 0]


def test_a_list_whose_file_is_lost_is_named_and_does_not_spoil_the_trial(now: datetime) -> None:
    lost, _ = hold("lost", "9.9.9.9", now=now), hold("kept", "9.9.9.8/31", now=now)
    Source.objects.filter(pk=lost.pk).update(list_digest="0" * 64)
    found = contents_of(try_lines("9.9.9.9"))
    assert ([one.name for one in found.overlaps], found.not_compared) == (["kept"], ("lost",))


def test_only_the_largest_lists_are_compared(now: datetime) -> None:
    digest = put_set(AddressSet.of("9.9.9.9"))
    Source.objects.bulk_create(
        Source(
            name=f"s{n}", kind="memory", settings_key=f"{n}", due_at=now, list_digest=digest,
            list_prefixes=n,
        )
        for n in range(MAX_COMPARED + 2)
    )  # fmt: skip
    found = contents_of(try_lines("9.9.9.9"))
    assert (found.compared, found.not_compared) == (MAX_COMPARED, ("s1", "s0"))


def test_leaves_no_row_and_no_file(now: datetime) -> None:
    try_lines("9.9.8.0/24", "9.9.9.1")
    try_lines()
    assert not Source.objects.exists()
    assert not Retrieval.objects.exists()
    assert not Change.objects.exists()
    folder = Path(storages["sets"].path(""))
    assert not folder.exists() or not any(folder.rglob("*"))


def test_trying_a_source_that_is_in_use_leaves_it_as_it_is(now: datetime) -> None:
    policy = make_policy(now=now)
    publish(policy, now=now)
    source = policy.sources.get()
    before = Source.objects.filter(pk=source.pk).values().get()
    try_source(kind="memory", settings={"entries": ["9.9.9.9"]}, held=source)
    assert Source.objects.filter(pk=source.pk).values().get() == before


def page(_: Request) -> Reply:
    return Reply(b"<html><title>Please sign in</title>", headers={"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("handler", "reason", "later"),
    [
        (page, "Please sign in", False),
        (lambda _: Reply(status=503), "answered 503", True),
        (lambda _: Reply(status=404), "answered 404", False),
        (lambda _: text("# nothing"), "holds no entry", False),
        (lambda _: text("one", "two"), "holds no usable entry", False),
    ],
)
def test_what_brings_no_list_is_told_with_whether_trying_again_may_help(
    handler: Callable[[Request], Reply], reason: str, later: bool
) -> None:
    with WebServer(handler) as server:
        trial = try_source(kind="http", settings=at(server))
    assert (trial.is_ok, trial.may_help_later) == (False, later)
    assert reason in trial.error


def test_a_list_that_may_be_empty_may_be_so_in_a_trial() -> None:
    found = contents_of(try_lines("# nothing", may_be_empty=True))
    assert (found.entries, found.sample, found.widest, found.warnings) == (0, (), (), ())


def test_ends_at_its_deadline_whatever_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.services.try_source.TRIAL_SECONDS", 0.2)
    with WebServer(lambda _: Raw([Pause(60)])) as server:
        trial = try_source(kind="http", settings=at(server))
    assert (trial.is_ok, trial.may_help_later) == (False, True)


def test_the_sites_own_limit_on_retrievals_holds_for_trials(settings: Settings) -> None:
    settings.TSCM_RETRIEVE_SECONDS = 0.2
    with WebServer(lambda _: Raw([Pause(60)])) as server:
        assert not try_source(kind="http", settings=at(server)).is_ok


def test_a_url_into_the_network_is_refused_as_in_a_retrieval() -> None:
    with WebServer(lambda _: text("9.9.9.9")) as server:
        trial = try_source(kind="http", settings={"url": server.url()})
        assert server.requests == []
    assert "of the appliance itself" in trial.error
    assert not trial.may_help_later


def test_reads_a_list_in_the_dns_from_a_real_server(tmp_path: Path) -> None:
    zone = write_zone(tmp_path / "db", ["basic A 9.9.9.1"])
    with Bind({"list.test": zone}) as bind:
        settings = {"name": "basic.list.test", "servers": ["127.0.0.1"], "port": bind.port}
        found = contents_of(try_source(kind="dns", settings=settings))
        wrong = try_source(kind="dns", settings={**settings, "name": "other.list.test"})
    assert (found.entries, found.addresses.v4) == (1, 1)
    assert "other.list.test" in wrong.error


def test_secrets_that_cannot_be_read_are_told_before_anything_is_tried(
    now: datetime, settings: Settings
) -> None:
    given = {"url": "https://list.test/", "auth": "bearer"}
    source = create_source(
        name="held", kind="http", settings={**given, "token": "s3cret"}, actor="x", now=now
    )
    settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
    with pytest.raises(Refused, match="TSCM_FIELD_KEY"):
        try_source(kind="http", settings=given, held=source)


def test_secrets_are_for_the_kind_they_were_given_to(now: datetime) -> None:
    given = {"url": "https://list.test/", "auth": "bearer"}
    source = create_source(
        name="held", kind="http", settings={**given, "token": "s3cret"}, actor="x", now=now
    )
    Source.objects.filter(pk=source.pk).update(kind="memory")
    source.refresh_from_db()
    with pytest.raises(Refused, match="token must be given"):
        try_source(kind="http", settings=given, held=source)


def test_the_secrets_held_fill_in_for_those_not_given_and_are_in_no_answer(now: datetime) -> None:
    def answer(request: Request) -> Reply:
        known = request.headers.get("authorization") == "Bearer s3cret"
        return text("9.9.9.9") if known else Reply(status=401)

    with WebServer(answer) as server:
        settings = at(server, auth="bearer")
        source = create_source(
            name="held", kind="http", settings={**settings, "token": "s3cret"}, actor="x", now=now
        )
        filled = try_source(kind="http", settings=settings, held=source)
        wrong = try_source(kind="http", settings={**settings, "token": "other"}, held=source)
        with pytest.raises(Refused, match="token must be given") as nobodys:
            try_source(kind="http", settings=settings)
    assert filled.is_ok
    assert "answered 401" in wrong.error
    assert "s3cret" not in f"{filled}{wrong}{nobodys.value}"


@pytest.mark.parametrize(
    ("kind", "given", "setting", "reason"),
    [
        ("ftp", {}, "kind", "kind must be one of"),
        ("user", {"type": "block"}, "kind", "has its records on its page"),
        ("http", {}, "settings", "url"),
        ("memory", {"entries": ["x"]}, "settings", "entries"),
        ("http", {"url": "https://list.test/", "token": 7}, "settings", "token must be a text"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_tried(
    kind: str, given: dict[str, object], setting: str, reason: str
) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        try_source(kind=kind, settings=given)
    assert refused.value.setting == setting


def test_no_more_trials_run_at_once_than_there_are_slots() -> None:
    settings = {"entries": ["9.9.9.9"]}
    full = pytest.raises(AllSlotsTaken, match=f"{SLOTS} trials are running")
    with trial_slot():
        assert try_source(kind="memory", settings=settings).is_ok
        with trial_slot(), full:
            try_source(kind="memory", settings=settings)
        assert try_source(kind="memory", settings=settings).is_ok


def _hold_all(folder: str, held: Event) -> None:
    """Take every slot and keep it until somebody ends this process."""
    from django.conf import settings as site

    site.DATA_DIR = Path(folder)
    with trial_slot(), trial_slot():
        held.set()
        multiprocessing.Event().wait()


def test_a_slot_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    process = context.Process(target=_hold_all, args=(str(tmp_path), held), daemon=True)
    process.start()
    try:
        assert held.wait(30)
        with pytest.raises(AllSlotsTaken), trial_slot():
            pytest.fail("a slot was free")
    finally:
        process.kill()
        process.join()
    with trial_slot(), trial_slot():
        assert process.exitcode == -9
