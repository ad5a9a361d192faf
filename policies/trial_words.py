"""How a trial is told to people, the same on a page and at the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsets.entries import NO_LINE, Found
from netsets.overlap import Overlap
from policies.services.trial import Addresses, Contents, Trial
from policies.states import Tone
from policies.words import NOTHING, addresses, count

NAMED = 8  # items of one line that are told one by one


def state(trial: Trial) -> tuple[Tone, str]:
    """Return how a trial ended, as a word in its tone."""
    if trial.is_ok:
        return "success", "the list came"
    return ("warning", "unavailable") if trial.may_help_later else ("danger", "refused")


def sentence(trial: Trial) -> str:
    """Return what a trial brought, or why it brought nothing."""
    contents = trial.contents
    if contents is None:
        later = " Trying again later may help." if trial.may_help_later else ""
        return f"{trial.error}{later}"
    who = f" from {contents.server}" if contents.server else ""
    came = f"{_entries(contents.entries)}{who} in {trial.seconds:.1f} s"
    return f"{came}. Nothing is kept of it, and nothing was changed."


def facts(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a list, each with its title."""
    yield "Addresses", f"{_addresses(contents.addresses)}, in {count(contents.prefixes)} prefixes"
    yield "Widest prefix", ", ".join(map(str, contents.widest)) or NOTHING
    yield "Only in this list", _only_here(contents)
    if contents.warnings:
        yield "A guard would hold it", " ".join(contents.warnings)
    if contents.special_entries:
        special = f"{_entries(contents.special_entries)} ({_addresses(contents.special)})"
        yield (
            "Private or special-purpose",
            f"{special}: cut from a policy, unless it says that it wants them",
        )
    if contents.critical:
        services = [f"{one.label} ({count(one.addresses)})" for one in contents.critical]
        yield "Critical services in it", f"{_named(services)}: a policy leaves them reachable"
    if contents.rejects:
        reasons = ", ".join(f"{count(number)} {reason}" for reason, number in contents.rejects)
        yield "Cannot be read", f"{reasons}; such as {_named(contents.reject_samples)}"
    if contents.host_bits_cleared:
        cleared = _entries(contents.host_bits_cleared)
        yield "Host bits cleared", f"{cleared}, such as 192.0.2.1/24, taken as 192.0.2.0/24"
    if contents.not_compared:
        yield "Not compared with", _named(contents.not_compared)


def line_of(found: Found) -> str:
    """Return on which line an entry stands; a dash where the list has no lines."""
    return NOTHING if found.line == NO_LINE else count(found.line)


def common(overlap: Overlap) -> str:
    """Return the addresses that two lists have in common."""
    return _addresses(Addresses(overlap.addresses4, overlap.addresses6))


def share(overlap: Overlap) -> str:
    """Return which part of a list another one has too."""
    return f"{100 * overlap.share4:.1f} % IPv4, {100 * overlap.share6:.1f} % IPv6"


def _only_here(contents: Contents) -> str:
    if not contents.compared:
        return "All of it: the site holds no other list yet"
    entries = f"{count(contents.entries_only_here)} of {_entries(contents.entries)}"
    lists = "1 other list" if contents.compared == 1 else f"{contents.compared} other lists"
    return f"{entries} ({_addresses(contents.only_here)}), beside {lists}"


def _addresses(number: Addresses) -> str:
    return addresses({"addresses4": number.v4, "addresses6": number.v6})


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{count(number)} entries"


def _named(items: Sequence[str]) -> str:
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
