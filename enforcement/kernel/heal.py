"""Bring one kernel to what is meant, whatever it holds, and say in what it differed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from enforcement.kernel.base import Content, Enforcer, Live, Plan, Rules
from enforcement.kernel.errors import EnforceError, KernelDiffers
from enforcement.kernel.host import holds_same


@dataclass(frozen=True, slots=True, eq=False)
class Healed:
    """What is live now, as read back, and what was found before."""

    live: Live
    faults: tuple[str, ...]  # one sentence each; none where all was as meant

    @property
    def entries(self) -> dict[str, int]:
        """Return the count of each live set, as a state keeps it."""
        return {name: one.entries for name, one in self.live.sets.items()}


def heal(
    *, enforcer: Enforcer, content: Content, rules: Rules, entries: Mapping[str, int]
) -> Healed:
    """Bring rules and sets to what is meant and prove it; nothing is written where all is so.

    `entries` are the counts that the sets are to have, as far as they are known. Rules come first,
    over empty sets: a list that does not go in leaves them in place. Rules that cannot be written,
    those of one family perhaps, keep no list out, and are told of after it. A kill at any point
    leaves the sets as found or as meant. Raises EnforceError.
    """
    found = enforcer.read(rules)
    is_same = holds_same(found.content, content)
    if is_same and not found.faults:
        enforcer.settle()
        return Healed(found, ())
    faults = list(found.faults)
    trouble = _trouble_with(enforcer, rules)
    if not is_same:
        plan = enforcer.plan(found.content, content, rules)
        faults += _what_differed(found, entries, plan)
        enforcer.apply(plan)
    if trouble is not None:
        raise trouble
    live = prove(enforcer=enforcer, content=content, rules=rules)
    enforcer.settle()
    return Healed(live, tuple(faults))


def _trouble_with(enforcer: Enforcer, rules: Rules) -> EnforceError | None:
    """Write the rules; return what kept some of them from being written, None for nothing."""
    try:
        enforcer.write_rules(rules)
    except EnforceError as error:
        return error
    return None


def prove(*, enforcer: Enforcer, content: Content, rules: Rules) -> Live:
    """Read back what is live; raises KernelDiffers where it is not what was written."""
    live = enforcer.read(rules)
    if live.faults:
        raise KernelDiffers(
            f"the rules are not as written: {'; '.join(live.faults)};"
            " see which other program writes rules on this host"
        )
    if not holds_same(live.content, content):
        held = "not there" if live.content is None else "/".join(live.content.digests())
        counts = ", ".join(f"{name} {one.entries:,}" for name, one in sorted(live.sets.items()))
        raise KernelDiffers(
            f"the sets are {held} ({counts or 'none'}), written was {'/'.join(content.digests())};"
            " see which other program changes these sets"
        )
    return live


def _what_differed(found: Live, entries: Mapping[str, int], plan: Plan) -> Iterator[str]:
    """Yield a sentence for each set whose count was not that meant, at least one."""
    is_counted = False
    for name, meant in entries.items():
        one = found.sets.get(name)
        if one is None or one.entries != meant:
            is_counted = True
            held = "was not there, with" if one is None else f"held {one.entries:,} of"
            yield f"{name} {held} {meant:,} entries"
    if not is_counted:
        missing, foreign = (
            len(getattr(plan.block, part)) + len(getattr(plan.allow, part))
            for part in ("added", "removed")
        )
        yield f"the sets held {foreign:,} foreign entries, and {missing:,} were missing"
