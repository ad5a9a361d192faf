"""A site in a test: lists on a real web server, policies that take them, and ticks of its clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from devices.services import pack_for_devices
from netsets.cidr import AddressSet
from netsets.parse import parse_text
from policies.models import Policy, Retrieval, Source
from policies.services import (
    Member,
    compile_policy_now,
    create_policy,
    create_source,
    retrieve_source,
    review_alarms,
)
from policies.states import Role
from policies.store import feed_path
from tests.fakes.webserver import Handler, Raw, Reply, Request, WebServer, text

HOUR = timedelta(hours=1)
Answer = Reply | Raw | Handler


@dataclass(slots=True)
class Shelf:
    """A handler: what each path answers, to be changed by a test as it goes."""

    answers: dict[str, Answer] = field(default_factory=dict)

    def __call__(self, request: Request) -> Reply | Raw:
        answer = self.answers.get(request.path, Reply(status=404))
        return answer(request) if callable(answer) else answer

    def put(self, path: str, *lines: str) -> None:
        """Let a path be a list of these lines."""
        self.answers[path] = text(*lines)


@dataclass(frozen=True, slots=True)
class Site:
    """Everything goes through the services, as it does for a person and for the workers."""

    web: WebServer
    shelf: Shelf
    now: datetime

    def source(self, path: str, *lines: str, **options: object) -> Source:
        """Make the source of a web list; `settings` of it are added to those of every list here."""
        if lines:
            self.shelf.put(path, *lines)
        more = options.pop("settings", {})
        assert isinstance(more, Mapping)
        settings = {"url": self.web.url(path), "allow_internal": ["127.0.0.1"], **more}
        return create_source(
            name=path.strip("/"), kind="http", settings=settings, options=options,
            actor="test", now=self.now,
        )  # fmt: skip

    def policy(
        self, *block: Source, allow: Iterable[Source] = (), name: str = "edge", **options: object
    ) -> Policy:
        """Make a policy; of its block sources the first is the most important."""
        members = [Member(source, Role.BLOCK, n) for n, source in enumerate(block, 1)]
        members += [Member(source, Role.ALLOW) for source in allow]
        return create_policy(
            name=name, members=members, options=options, actor="test", now=self.now
        )

    def tick(self, *, hours: float = 0) -> datetime:
        """Do what the workers do at a moment; return it."""
        now = self.now + hours * HOUR
        review_alarms(now=now)
        for source in Source.objects.due(now=now):
            retrieve_source(source_id=source.pk, now=now)
        for policy in Policy.objects.due(now=now):
            compile_policy_now(policy_id=policy.pk, now=now)
        pack_for_devices(now=now)
        review_alarms(now=now)
        return now


def last(source: Source) -> Retrieval:
    """Return how the newest retrieval of a source ended."""
    retrieval = source.retrievals.order_by("-started_at", "-id").first()
    assert retrieval is not None
    return retrieval


def body(policy: Policy, role: Role = Role.BLOCK) -> bytes:
    """Return a feed of a policy as a firewall reads it, of the snapshot in force."""
    policy.refresh_from_db()
    assert policy.current is not None, policy.state_detail
    return feed_path(policy.current.feeds.get(list=role).digest, ".txt").read_bytes()


def lines(policy: Policy, role: Role = Role.BLOCK) -> list[str]:
    """Return the lines of a feed."""
    return body(policy, role).decode("ascii").splitlines()


def blocked(policy: Policy, role: Role = Role.BLOCK) -> AddressSet:
    """Return the addresses of a feed, read from its text."""
    return parse_text(body(policy, role)).addresses
