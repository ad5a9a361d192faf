"""--block, --allow, --drop-source: the sources that a policy takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.models import Policy, Source
from policies.services import Member, members_of
from policies.services.manage_policies import DEFAULT_PRIORITY
from policies.states import Role
from tsadmin.commands.finding import find_source
from tsadmin.errors import Misused, Refused


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flags said, SOURCE or SOURCE:PRIORITY each."""

    block: Sequence[str] = ()
    allow: Sequence[str] = ()
    drop: Sequence[str] = ()

    def members(self, policy: Policy | None = None) -> list[Member] | None:
        """Return all the sources that the policy is to have; None where no flag names one.

        Raises Refused for one that is not there, Misused for one that is named twice.
        """
        if not (self.block or self.allow or self.drop):
            return None
        members = {one.source.pk: one for one in members_of(policy)} if policy is not None else {}
        named: set[int] = set()
        for name in self.drop:
            source = _once(find_source(name), named)
            if members.pop(source.pk, None) is None:
                raise Refused(f"{policy} does not take {name}; nothing was changed")
        for role, texts in ((Role.BLOCK, self.block), (Role.ALLOW, self.allow)):
            for text in texts:
                source, priority = _read(text)
                held = members.get(_once(source, named).pk)
                if priority is None:
                    priority = held.priority if held is not None else DEFAULT_PRIORITY
                members[source.pk] = Member(source, role, priority)
        return list(members.values())


def _once(source: Source, named: set[int]) -> Source:
    if source.pk in named:
        raise Misused(f"{source.name} is named twice")
    named.add(source.pk)
    return source


def _read(text: str) -> tuple[Source, int | None]:
    """Return a source and its priority; a name may hold a colon, and comes first."""
    source = Source.objects.filter(name=text).first()
    if source is not None:
        return source, None
    name, colon, number = text.rpartition(":")
    if not colon or not number.isascii() or not number.isdecimal():
        return find_source(text), None
    return find_source(name), int(number[:10])
