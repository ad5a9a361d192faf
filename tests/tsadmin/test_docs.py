from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from policies.models import Policy
from policies.services import refresh_policy, review_alarms
from policies.states import Role
from tests.factories import hold
from tests.tsadmin.conftest import Tsadmin
from tests.tsadmin.enforcer import Enforcer
from tsadmin.app import app
from tsadmin.docs import PAGE, with_help


def _commands() -> dict[str, TyperCommand | TyperGroup]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return dict(_inside(group))


def _inside(group: TyperGroup, before: str = "") -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for name, one in group.commands.items():
        if isinstance(one, TyperGroup):
            yield from _inside(one, f"{before}{name} ")
        if isinstance(one, TyperCommand) or (isinstance(one, TyperGroup) and one.params):
            yield f"{before}{name}", one  # a group with flags does something itself


def _flags() -> Iterator[tuple[str, str]]:
    for name, command in _commands().items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                yield from ((name, flag) for flag in parameter.opts)


def test_the_help_texts_on_the_page_are_the_current_ones() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_help(page), "run: python -m tsadmin.docs"


@pytest.mark.parametrize("command", sorted(_commands()))
def test_every_command_has_its_chapter_and_its_help(command: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"\n## {command}\n" in page
    assert f"\n<!-- help: {command} -->\n" in page
    assert _commands()[command].help


@pytest.mark.parametrize(("command", "flag"), list(_flags()))
def test_every_flag_is_documented_with_its_command(command: str, flag: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    chapter = page.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    assert flag in chapter


@pytest.mark.django_db
def test_every_key_of_every_json_answer_is_documented(tsadmin: Tsadmin, enforcer: Enforcer) -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = tsadmin("demo", "--json").json
    held = hold(now=timezone.now())
    digest = held.candidate.block_digest
    review_alarms(now=timezone.now())
    User.objects.create_user("alice")
    answers = (
        listed,
        listed["sources"][0],
        listed["snapshot"],
        tsadmin("list", "--json").json,
        tsadmin("list", "--json").json["devices"][0],
        tsadmin("show", "sample-fmc", "--json").json,
        tsadmin("configure", "sample-fmc", "--note", "x", "--json").json,
        *_diff(tsadmin, Policy.objects.get(name="sample")),
        *_why(tsadmin("why", "203.0.112.0/23", "--json").json),
        tsadmin("token", "create", "backup", "--user", "alice", "--json").json,
        tsadmin("token", "list", "--json").json,
        tsadmin("token", "delete", "backup", "--user", "alice", "--json").json,
        tsadmin("records", "create", "ours", "--for", "block", "--json").json,
        tsadmin("records", "add", "ours", "203.0.113.7", "--json").json,
        tsadmin("records", "add", "ours", "x", "--skip-bad", "--json").json["left_out"][0],
        tsadmin("records", "list", "--json").json,
        tsadmin("records", "list", "--json").json["lists"][0],
        tsadmin("records", "list", "ours", "--json").json,
        tsadmin("records", "export", "ours", "--json").json["records"][0],
        tsadmin("candidate", held.name, "--json").json,
        tsadmin("candidate", held.name, "--json").json["candidate"],
        tsadmin("candidate", held.name, "--json").json["candidate"]["findings"][0],
        tsadmin("candidate", held.name, "--approve", "--digest", digest, "--json").json,
        tsadmin("return", held.name, "1", "--json").json,
        tsadmin("snapshots", held.name, "--json").json,
        tsadmin("snapshots", held.name, "--json").json["snapshots"][0],
        tsadmin("release", held.name, "--json").json,
        tsadmin("alarms", "--all", "--json").json,
        tsadmin("alarms", "--all", "--json").json["alarms"][0],
        *_targets(tsadmin),
        *_gateway(tsadmin),
        tsadmin("version", "--json").json,
        tsadmin("demo", "--remove", "--json").json,
    )
    missing = {key for answer in answers for key in answer if f"`{key}`" not in page}
    assert not missing


def _targets(tsadmin: Tsadmin) -> Iterator[dict[str, Any]]:
    """Yield what the commands of targets answer, and each kind of thing in it."""
    given = ("--kind", "email", "--set", 'to:=["noc@example.net"]')
    yield tsadmin("alarms", "targets", "add", "noc", *given, "--json").json
    listed = tsadmin("alarms", "targets", "list", "--json").json
    yield from (listed, listed["targets"][0])
    yield tsadmin("alarms", "targets", "remove", "noc", "--yes", "--json").json


def _gateway(tsadmin: Tsadmin) -> Iterator[dict[str, Any]]:
    """Yield what the commands of gateways answer, and each kind of thing in it."""
    enforced = tsadmin("demo", "--type", "iptables", "--json").json["enforcement"]
    kernel = tsadmin("show", "sample-gateway", "--json").json["gateway"]
    checked = tsadmin("check", "sample-gateway", "--json").json
    planned = tsadmin("plan", "sample-gateway", "--json").json
    yield from (enforced, enforced["applications"][0], kernel, kernel["sets"]["TSblocknet"])
    yield from (checked, checked["steps"][0], planned, planned["plan"])
    yield tsadmin("pause", "sample-gateway", "--for", "1h", "--json").json
    yield tsadmin("resume", "sample-gateway", "--json").json


def _why(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an answer to "why" and each kind of thing in it."""
    told = next(one for one in found["policies"] if one["cuts"])
    yield from (found, told, told["snapshot"], told["lists"][0], found["devices"][0])
    yield from (told["lists"][0]["inside_first"][0], told["cuts"][0])


def _diff(tsadmin: Tsadmin, policy: Policy) -> Iterator[dict[str, Any]]:
    """Yield a difference and each kind of thing in it."""
    policy.sources.filter(policy_sources__role=Role.BLOCK).update(
        settings={"entries": ["203.0.113.0/24", "2001:db8:bad::/48"]}, shrink_limit=100
    )
    refresh_policy(policy=policy, clock=timezone.now, accept_change=True)
    found = tsadmin("diff", "sample", "--json").json
    yield from (found, found["block"], found["causes"][0], found["causes"][0]["added"])
