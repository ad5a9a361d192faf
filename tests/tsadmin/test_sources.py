"""Sources at the command line: tried before they are used, presets added."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from policies.models import Change, Source
from policies.presets import PRESETS
from policies.services import create_source, retrieve_source
from policies.services.sources import secrets_of
from policies.services.trial_slots import trial_slot
from policies.states import Role
from tests.factories import make_policy, make_source
from tests.fakes.bind import Bind, write_zone
from tests.fakes.webserver import Reply, Request, WebServer, text
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db
INSIDE = 'allow_internal:=["127.0.0.1"]'


def test_a_web_list_is_tried_and_told(tsadmin: Tsadmin, now: datetime) -> None:
    held = make_source(entries=["9.9.8.0/25"], now=now, name="scanners")
    retrieve_source(source_id=held.pk, now=now)
    with WebServer(lambda _: text("# x", "9.9.8.0/24", "10.0.0.0/8", "glued", "more")) as web:
        answer = tsadmin(
            "source", "try", "--kind", "http", "--set", f"url={web.url()}", "--set", INSIDE
        )
    assert answer.code == 0, answer.stderr
    for words in (
        f"2 entries from {web.address}", "Nothing is kept", "9.9.8.0/24", "1 entry (16,777,216",
        "such as glued, more", "scanners", "128 IPv4",
    ):  # fmt: skip
        assert words in answer.stdout, words
    assert Source.objects.count() == 1


def test_a_list_in_the_dns_is_tried_at_a_real_server(tsadmin: Tsadmin, tmp_path: Path) -> None:
    zone = write_zone(tmp_path / "zone", ["basic A 9.9.9.1"])
    with Bind({"list.test": zone}) as bind:
        answer = tsadmin(
            "source", "try", "--kind", "dns", "--set", "name=basic.list.test", "--set",
            f'servers:=["{bind.server}"]', "--json",
        )  # fmt: skip
    assert (answer.code, answer.stderr) == (0, "")
    assert answer.json["contents"]["sample"] == [{"entry": "9.9.9.1", "line": 0}]


def test_what_brings_no_list_is_one_line_and_exit_code_1(tsadmin: Tsadmin) -> None:
    with WebServer(lambda _: Reply(status=503)) as web:
        given = ("--kind", "http", "--set", f"url={web.url()}", "--set", INSIDE)
        answer = tsadmin("source", "try", *given)
        as_json = tsadmin("source", "try", *given, "--json")
    assert (answer.code, answer.stdout) == (1, "")
    assert "answered 503" in answer.error
    assert answer.error.endswith("Trying again later may help.")
    assert (as_json.code, as_json.json["is_ok"], as_json.json["may_help_later"]) == (1, False, True)


def test_a_source_is_tried_with_the_secrets_it_holds_and_other_settings(
    tsadmin: Tsadmin, now: datetime
) -> None:
    def answer(request: Request) -> Reply:
        known = request.headers.get("authorization") == "Bearer s3cret"
        return text("9.9.9.9") if known and request.path == "/b.txt" else Reply(status=401)

    with WebServer(answer) as web:
        settings = {
            "url": web.url("/a.txt"), "allow_internal": ["127.0.0.1"], "auth": "bearer",
            "token": "s3cret",
        }  # fmt: skip
        create_source(name="held", kind="http", settings=settings, actor="x", now=now)
        as_it_is = tsadmin("source", "try", "held")
        otherwise = tsadmin("source", "try", "held", "--set", f"url={web.url('/b.txt')}")
    assert (as_it_is.code, otherwise.code) == (1, 0)
    assert "s3cret" not in as_it_is.stderr + otherwise.stdout
    assert Source.objects.get().settings["url"].endswith("/a.txt")


def test_a_secret_is_read_from_a_file(tsadmin: Tsadmin, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k3y\n")
    answer = tsadmin("source", "add-preset", "abuseipdb", "--set", f"header_value=@{key}")
    assert answer.code == 0, answer.stderr
    assert secrets_of(Source.objects.get()) == {"header_value": "k3y"}


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("try",), 2, "give the NAME of a source, or --kind"),
        (("try", "list", "--kind", "http"), 2, "give the NAME of a source, or --kind"),
        (("try", "nobody"), 1, "no source is named nobody; there are: list"),
        (("try", "--kind", "ftp"), 1, "kind must be one of"),
        (("try", "--kind", "http"), 1, "url must be"),
        (("try", "list", "--set", "s3cret"), 2, "--set takes NAME=VALUE"),
        (("try", "list", "--set", "x:=s3cret"), 2, "--set x:= is not followed by JSON"),
        (("try", "list", "--set", "x=1", "--set", "x=2"), 2, "--set gives x twice"),
        (("try", "list", "--set", "x=@/nowhere/at-all"), 1, "cannot be read"),
        (("try", "list", "--set", "x=@/bin/sh"), 1, "--set x: /bin/sh is"),
        (("add-preset", "nothing"), 1, "no preset is named nothing"),
        (("add-preset", "tor-exits", "--policy", "none"), 1, "no policy is named none; there are"),
        (("add-preset", "tor-exits", "--as", "block"), 2, "comes with --policy"),
        (("add-preset", "tor-exits", "--policy", "edge", "--as", "x"), 2, "takes block or allow"),
        (("add-preset", "tor-exits", "--set", "url=x"), 1, "takes no settings, not 'url'"),
        (("add-preset", "abuseipdb"), 1, "header_value must be given"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    tsadmin: Tsadmin, now: datetime, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    make_source(entries=["9.9.9.9"], now=now, name="list")
    make_policy(now=now, name="edge")
    before = Source.objects.count()
    answer = tsadmin("source", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert "s3cret" not in answer.error
    assert Source.objects.count() == before


def test_one_trial_too_many_is_told_to_come_back(tsadmin: Tsadmin, now: datetime) -> None:
    make_source(entries=["9.9.9.9"], now=now, name="list")
    with trial_slot(), trial_slot():
        assert "try again in half a minute" in tsadmin("source", "try", "list").error
    assert tsadmin("source", "try", "list").code == 0


def test_the_catalogue_is_listed_with_what_the_site_has(tsadmin: Tsadmin) -> None:
    tsadmin("source", "add-preset", "tor-exits")
    listed = tsadmin("source", "presets", "--json").json["presets"]
    assert [one["key"] for one in listed] == [preset.key for preset in PRESETS]
    assert [one["key"] for one in listed if one["source_id"]] == ["tor-exits"]
    _, *rows = tsadmin("source", "presets").stdout.splitlines()
    assert len(rows) == len(PRESETS)


@pytest.mark.parametrize(
    ("key", "flags", "role"),
    [
        ("tor-exits", (), Role.BLOCK),
        ("cloudflare-v4", (), Role.ALLOW),
        ("tor-exits", ("--as", "allow"), Role.ALLOW),
    ],
)
def test_a_preset_is_added_and_a_policy_takes_it(
    tsadmin: Tsadmin, now: datetime, key: str, flags: tuple[str, ...], role: Role
) -> None:
    policy = make_policy(now=now, name="edge")
    answer = tsadmin("source", "add-preset", key, "--policy", "edge", *flags)
    assert answer.code == 0, answer.stderr
    source = Source.objects.get(kind="http")
    assert answer.stdout == f"Added {source.name}.\n"
    assert policy.policy_sources.get(source=source).role == role
    assert all(one.actor.startswith("tsadmin:") for one in Change.objects.all())


def test_without_a_policy_it_says_that_nothing_is_retrieved(tsadmin: Tsadmin) -> None:
    assert "No policy takes it yet" in tsadmin("source", "add-preset", "tor-exits").stderr
    answer = tsadmin("source", "add-preset", "greensnow", "--json")
    assert set(answer.json) == {"source", "source_id", "policy"}


def test_every_key_of_every_json_answer_is_documented(tsadmin: Tsadmin, now: datetime) -> None:
    held = make_source(entries=["9.9.9.9"], now=now)
    retrieve_source(source_id=held.pk, now=now)
    with WebServer(lambda _: text("9.9.9.9", "x y", "9.9.9.8")) as web:
        given = ("--kind", "http", "--set", f"url={web.url()}", "--set", INSIDE)
        tried = tsadmin("source", "try", *given, "--json")
    assert tried.code == 0, tried.stderr
    trial = tried.json
    found = trial["contents"]
    answers = [
        *(trial, found, found["addresses"]),
        *(found[name][0] for name in ("sample", "rejects", "critical", "overlaps")),
        tsadmin("source", "presets", "--json").json,
        tsadmin("source", "presets", "--json").json["presets"][0],
        tsadmin("source", "add-preset", "tor-exits", "--json").json,
    ]
    page = PAGE.read_text(encoding="utf-8")
    assert not {key for answer in answers for key in answer if f"`{key}`" not in page}


def test_source_alone_prints_what_there_is(tsadmin: Tsadmin) -> None:
    answer = tsadmin("source")
    assert answer.code == 0
    assert all(word in answer.stdout for word in ("try", "presets", "add-preset"))
