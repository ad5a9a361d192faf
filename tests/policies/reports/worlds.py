"""Policies small enough to be judged address by address."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import strategies as st

from netsets.span import Span
from policies.models import Policy, PolicySource, ProtectedAddress, Snapshot, Source
from policies.states import Role
from tests.factories import make_source, publish

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
# Half of the world is ordinary, half of it special-purpose: 198.18.0.0/15 begins in the middle.
BASE, SIZE, SPECIAL_FROM = Span.of("198.17.255.128").first, 256, 128
_numbers = itertools.count(1)

Addresses = set[int]


@dataclass(frozen=True, slots=True)
class World:
    """What some lists say and what is protected, as spans."""

    block: tuple[tuple[Span, ...], ...]
    allow: tuple[Span, ...] = ()
    protected: tuple[Span, ...] = ()
    asked: Span = field(default_factory=lambda: Span(4, BASE, BASE))

    @property
    def named(self) -> Addresses:
        """What the block lists name."""
        return each(itertools.chain.from_iterable(self.block))

    @property
    def ordinary(self) -> Addresses:
        """What is not special-purpose."""
        return set(range(BASE, BASE + SPECIAL_FROM))

    @property
    def blocked(self) -> Addresses:
        """What must be in the feed."""
        return (self.named & self.ordinary) - each(self.allow) - each(self.protected)


def each(spans: Sequence[Span] | itertools.chain[Span]) -> Addresses:
    """Return every address of some spans."""
    return {number for span in spans for number in range(span.first, span.last + 1)}


@st.composite
def prefixes(draw: st.DrawFn) -> Span:
    """Return a prefix of the world."""
    length = draw(st.integers(25, 32))
    size = 1 << (32 - length)
    return Span.of_prefix(4, BASE + draw(st.integers(0, SIZE // size - 1)) * size, length)


@st.composite
def ranges(draw: st.DrawFn) -> Span:
    """Return any range of the world."""
    first, last = sorted(draw(st.tuples(*[st.integers(0, SIZE - 1)] * 2)))
    return Span(4, BASE + first, BASE + last)


entries = st.lists(st.one_of(prefixes(), ranges()), min_size=1, max_size=5).map(tuple)
worlds = st.builds(
    World,
    block=st.lists(entries, min_size=1, max_size=3).map(tuple),
    allow=st.one_of(st.just(()), entries),
    protected=st.lists(prefixes(), max_size=2, unique=True).map(tuple),
    asked=st.one_of(prefixes(), ranges()),
)


def publish_world(world: World) -> Snapshot:
    """Publish a policy of these lists."""
    policy = Policy.objects.create(name=f"world-{next(_numbers)}", due_at=NOW)
    for listed in world.block:
        take(policy, [str(span) for span in listed], Role.BLOCK)
    if world.allow:
        take(policy, [str(span) for span in world.allow], Role.ALLOW)
    for span in world.protected:
        ProtectedAddress.objects.create(network=str(span), reason="ours")
    return publish(policy, now=NOW)


def take(policy: Policy, lines: Sequence[str], role: Role) -> Source:
    """Let a policy take a list; its last line, elsewhere, makes each list one of its own."""
    number = next(_numbers)
    own = str(Span(4, Span.of("5.0.0.0").first + number, Span.of("5.0.0.0").first + number))
    source = make_source(entries=[*lines, own], now=NOW)
    PolicySource.objects.create(policy=policy, source=source, role=role)
    return source
