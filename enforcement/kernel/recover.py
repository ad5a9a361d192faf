"""What a killed apply left: finished where the kernel holds the new list, else undone.

For the holder of the lock, before anything else is done. A kill in the middle of it is recovered
again: the journal goes last.
"""

from __future__ import annotations

from enforcement.kernel.base import Counters, Live, Target
from enforcement.kernel.errors import StateDamaged
from enforcement.kernel.heal import heal
from enforcement.kernel.host import Canaries, Host, holds_same
from enforcement.kernel.records import Journal, State, Step


def recover(*, host: Host, canaries: Canaries | None = None) -> tuple[str, ...]:
    """Finish or undo what the journal tells of; return what was done, one sentence each.

    A finished apply is confirmed first: a canary that answered before it and does not now undoes
    it, and so does a journal that names canaries where none can be asked. A damaged journal is set
    aside, and the state decides. Raises EnforceError; the journal is then still there.
    """
    try:
        journal = host.folder.journal()
    except StateDamaged as damage:
        return (f"{damage}; it was set aside as {host.folder.set_journal_aside()}",)
    if journal is None:
        return ()
    if journal.after is None:
        finish_release(host=host, journal=journal)
        return ("taking everything out was cut short, and was finished",)
    label = journal.after.label
    if not _is_switched(host, journal, journal.after):
        return _undo(host, journal, f"an apply of {label} was cut short, and was undone")
    lost = journal.answered if canaries is None else canaries.lost(journal.answered)
    if lost:
        why = f"{', '.join(sorted(lost))} did not confirm it"
        return _undo(host, journal, f"an apply of {label} was cut short, and was undone: {why}")
    _finish(host, journal, journal.after)
    return (f"an apply of {label} was cut short, and was finished",)


def _undo(host: Host, journal: Journal, said: str) -> tuple[str, ...]:
    try:
        go_back(host=host, journal=journal)
    except StateDamaged as damage:
        aside = host.folder.set_journal_aside()
        return (f"{damage}; the kernel stays as it is, and the journal was set aside as {aside}",)
    return (said,)


def _is_switched(host: Host, journal: Journal, after: Target) -> bool:
    """Tell whether the kernel holds the new list, or, where it is the old one too, was told so."""
    try:
        content = host.folder.load(after)
    except StateDamaged:
        return False
    if not holds_same(host.enforcers(after.enforcer).read(after.rules).content, content):
        return False
    before = journal.before
    is_other = before is None or (
        (before.enforcer, before.block_digest, before.allow_digest)
        != (after.enforcer, after.block_digest, after.allow_digest)
    )
    return is_other or journal.step == Step.SWITCHED


def _finish(host: Host, journal: Journal, after: Target) -> None:
    enforcer = host.enforcers(after.enforcer)
    content = host.folder.load(after)
    done = heal(enforcer=enforcer, content=content, rules=after.rules, entries={})
    put_in_force(host=host, journal=journal, state=State(after, done.entries))


def put_in_force(*, host: Host, journal: Journal, state: State) -> None:
    """Record what the kernel holds now as in force, and let go of what was before."""
    host.folder.write_state(state)
    if state.target is not None:
        _remove_other(host, journal.before, state.target)
        host.enforcers(state.target.enforcer).settle()
    host.folder.end_journal()
    host.folder.clean()


def go_back(*, host: Host, journal: Journal) -> Live:
    """Bring back what was in force before an apply, rules and all, and end its journal.

    Where nothing was, nothing is left. Returns what is live then. Raises EnforceError; the
    journal is then still there. With StateDamaged nothing was done.
    """
    before = journal.before
    if before is None:
        _remove_other(host, journal.after, None)
        _record(host, State(None))
        live = Live(None, {}, (), Counters())
    else:
        content = host.folder.load(before)
        _remove_other(host, journal.after, before)
        enforcer = host.enforcers(before.enforcer)
        done = heal(enforcer=enforcer, content=content, rules=before.rules, entries={})
        _record(host, State(before, done.entries))
        live = done.live
    host.folder.end_journal()
    host.folder.clean()
    return live


def finish_release(*, host: Host, journal: Journal) -> None:
    """Take out what was in force, and say so."""
    _remove_other(host, journal.before, None)
    put_in_force(host=host, journal=journal, state=State(None))


def _remove_other(host: Host, gone: Target | None, stays: Target | None) -> None:
    """Take out an enforcer's sets and rules, unless what stays is that enforcer's."""
    if gone is not None and (stays is None or stays.enforcer != gone.enforcer):
        host.enforcers(gone.enforcer).remove()


def _record(host: Host, state: State) -> None:
    """Write the state unless the folder says the same."""
    try:
        held = host.folder.state() or State(None)
    except StateDamaged:
        held = None
    if held is None or held.target != state.target:
        host.folder.write_state(state)
