"""Restore what was in force before the network comes up.

`python -m enforcement.kernel.boot FOLDER` needs the state folder only, no database. It says in one
line what was done. Exit codes: 0 restored, or nothing to restore; 1 a file is damaged or the kernel
did not take it; 2 the folder is not named.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from enforcement.kernel.errors import EnforceError, StateDamaged
from enforcement.kernel.heal import heal
from enforcement.kernel.host import Host, rules_at
from enforcement.kernel.records import State
from enforcement.kernel.state import StateFolder
from enforcement.kernel.verify import Verification, verify


def restore(*, host: Host, now: datetime) -> str:
    """Bring back into force what was, and return what was done, one line.

    The rules come first, over empty sets, then the sets. Raises EnforceError; where the state is
    damaged, what was in force before it is restored, unless the kernel holds a list: that stays.
    """
    if not host.folder.path.is_dir():
        return f"nothing to restore: there is no {host.folder.path}"
    try:
        done = verify(host=host, now=now)
    except StateDamaged as damage:
        said = _restore_previous(host, now)
        raise StateDamaged(f"{damage}. {said}") from damage
    if done.target is None:
        return "; ".join(("nothing to restore: nothing is in force", *done.healed))
    return f"restored {done.target.label}: {_counted(done)}"


def main(arguments: list[str]) -> int:
    """Restore, say how it went, return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m enforcement.kernel.boot FOLDER\n")
        return 2
    now = datetime.now(UTC)  # noqa: TID251  an edge
    try:
        said = restore(host=Host(StateFolder(Path(arguments[0]))), now=now)
    except EnforceError as error:
        sys.stderr.write(f"restore failed: {error}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


def _restore_previous(host: Host, now: datetime) -> str:
    """Restore what was in force before the damaged state; return what was done, a sentence."""
    with host.folder.locked("a restore"):
        _write_rules(host, now)
        try:
            state = host.folder.previous() or State(None)
        except StateDamaged as damage:
            return f"Nothing was restored, what is in the kernel stays: {damage}"
        if state.target is None:
            return "Nothing was restored, what is in the kernel stays"
        enforcer = host.enforcers(state.target.enforcer)
        if any(one.entries for one in enforcer.states().values()):
            return "The kernel holds a list, which stays"
        try:
            content = host.folder.load(state.target)
        except StateDamaged as damage:
            return f"Nothing was restored, what is in the kernel stays: {damage}"
        rules = rules_at(state.target.rules, now)
        heal(enforcer=enforcer, content=content, rules=rules, entries=state.entries)
    return f"What was in force before it was restored: {state.target.label}"


def _write_rules(host: Host, now: datetime) -> None:
    """Have the rules in place, over empty sets where there are none, if the state tells them."""
    try:
        state = host.folder.state() or State(None)
    except StateDamaged:
        return
    if state.target is not None:
        host.enforcers(state.target.enforcer).write_rules(rules_at(state.target.rules, now))


def _counted(done: Verification) -> str:
    entries = sum(one.entries for one in done.sets.values())
    return f"{entries:,} entries in {len(done.sets)} sets"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
