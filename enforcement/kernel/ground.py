"""What an apply starts from: what the kernel holds now, and what to go back to."""

from __future__ import annotations

from dataclasses import dataclass

from enforcement.kernel.base import Content, Target
from enforcement.kernel.errors import StateDamaged
from enforcement.kernel.host import Host
from enforcement.kernel.records import State
from netsets.cidr import AddressSet


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What an apply starts from."""

    before: Target | None  # what to go back to; None: nothing was in force
    content: Content | None  # what the enforcer's sets hold; None: they are not there
    is_read: bool  # read back from the kernel, not taken from the state because the counts agree
    faults: tuple[str, ...] = ()  # in the state folder, one sentence each


def look(*, host: Host, target: Target, is_thorough: bool = False) -> tuple[Content | None, bool]:
    """Return what the sets of the target's enforcer hold, and whether it was read back.

    Reading a large list back takes longer than changing it: the state is believed where the live
    counts are those it recorded. Who changes the sets on that ground must read them back after.
    """
    enforcer = host.enforcers(target.enforcer)
    try:
        state = host.folder.state() or State(None)
        if not is_thorough and state.target is not None and not host.folder.has_journal():
            counts = {name: one.entries for name, one in enforcer.states().items()}
            if state.target.enforcer == target.enforcer and counts == dict(state.entries):
                return host.folder.load(state.target), False
    except StateDamaged:
        pass  # the kernel itself tells
    return enforcer.read(target.rules).content, True


def find_ground(*, host: Host, target: Target, is_thorough: bool = False) -> Ground:
    """Return what an apply of the target starts from; what to go back to is then on disk, whole.

    Where the state does not tell what is in force, or its lists are lost, what the kernel holds is
    kept as what to go back to.
    """
    content, is_read = look(host=host, target=target, is_thorough=is_thorough)
    faults: tuple[str, ...] = ()
    try:
        state = host.folder.state()
        if state is not None and state.target is not None:
            if is_read:  # else its lists were just loaded
                host.folder.load(state.target)
            return Ground(state.target, content, is_read)
    except StateDamaged as damage:
        faults = (str(damage),)
    return Ground(_found(host, target, content), content, is_read, faults)


def _found(host: Host, target: Target, content: Content | None) -> Target | None:
    """Return a target made of what the kernel holds, None where that is nothing."""
    if content is None or not (content.block or content.allow):
        return None
    block, allow = host.folder.keep(content)
    return Target("found in the kernel", target.enforcer, block, allow, target.rules)


def newly_dropped(*, host: Host, ground: Ground, target: Target, wanted: Content) -> AddressSet:
    """Return what a target drops and what was in force before did not."""
    before, held = ground.before, ground.content
    if before is not None and before.enforcer != target.enforcer:
        held = host.folder.load(before)
    if before is None or held is None:
        return _dropped(target, wanted)
    return _dropped(target, wanted) - _dropped(before, held)


def _dropped(target: Target, content: Content) -> AddressSet:
    if target.rules.paused_until is not None:
        return AddressSet.empty()
    return content.block - content.allow
