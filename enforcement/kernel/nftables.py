"""The enforcer of hosts that have nftables and no iptables: one table, whose sets take turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from enforcement.kernel import commands, nft_read, nft_text
from enforcement.kernel.base import Content, Counters, Live, Plan, Rules, SetState, Way
from enforcement.kernel.commands import Done
from enforcement.kernel.errors import EnforceError, EnforceRefused, EnforceUnavailable
from enforcement.kernel.iptables_backend import legacy_tables
from enforcement.kernel.iptables_rules import HOOKS
from enforcement.kernel.layout import Version, sizes
from enforcement.kernel.nft_read import FAMILY, TABLE, Elements, Ruleset
from enforcement.kernel.nft_rules import meant, other
from enforcement.kernel.plan import make_plan

# Bytes that nft and the kernel need together while an entry is loaded, of which the kernel keeps
# 90 and 160. Measured with nft 1.0.6 on Linux 6.18: up to 480 and 1,120; older kernels note every
# element of a transaction by itself.
_ADDRESS, _NETWORK = 600, 1500
_SECONDS = 120.0
_SECONDS_PER_ENTRY = 100e-6  # twenty times what was measured
_READ_SECONDS = 120.0  # for a million entries; nft is given them in a time that is quadratic
_HOOK = HOOKS["INPUT"]  # of the iptables enforcer
_LEGACY: tuple[tuple[str, Version], ...] = (
    ("iptables-legacy-save", 4),
    ("ip6tables-legacy-save", 6),
)


class NftablesEnforcer:
    """The table `inet tscm`: sets of two generations, counters, and chains that ask one of both.

    nft applies a whole text or nothing of it. A first one fills the sets of the generation that is
    not live; a second one makes the chains ask it and deletes the other. A kill at any point leaves
    the old list live or the new one, and perhaps sets that no rule asks: those are not read, and
    go with `settle` or the next apply. In one transaction packets to a network would pass for a
    moment (docs/decisions/0014). Sets are told of by their names without a generation.
    """

    name: ClassVar[str] = "nftables"

    def states(self) -> Mapping[str, SetState]:
        """Return the sets that are there with the count each was loaded with.

        The kernel tells no count without telling the elements, which takes seconds for a million:
        the count is the comment of the set, a matter of milliseconds. So a set that is gone is
        seen here, and elements that another program took out or put in are seen by `read` alone.
        Sets that say nothing are read.
        """
        found = self._ruleset()
        loaded = found.loaded()
        if None in loaded.values():
            return self._elements(found).sets
        return {name: SetState(count or 0, 0) for name, count in loaded.items()}

    def read(self, rules: Rules) -> Live:
        """Read back the real elements and hold the rules to those meant.

        For a million entries this takes 9 to 15 s and 600 MB: the kernel starts at the first
        element again for every 32 KiB that it tells, so twice the list takes four times as long.
        """
        found = self._ruleset()
        chains = meant(rules, generation=found.generation)
        faults, warnings = nft_read.faults(found, chains), tuple(_other_enforcer())
        if not found.is_there:
            return Live(None, {}, faults, Counters(), warnings)
        held = self._elements(found)
        return Live(held.content, held.sets, (*faults, *held.faults), found.counters(), warnings)

    def read_counters(self) -> Counters:
        """Return what the rules have dropped or rejected; zeros where they are not there."""
        return self._ruleset().counters()

    def plan(self, current: Content | None, wanted: Content, rules: Rules) -> Plan:
        """Return the steps, which replace all or do nothing.

        `memory` is what nft and the kernel need together while the sets are loaded, on top of those
        that are live until then.
        """
        plan = make_plan(current, wanted, rules)
        if plan.way is Way.NOTHING:
            return plan
        return replace(plan, way=Way.REPLACE, memory=memory_for(wanted))

    def write_rules(self, rules: Rules) -> None:
        """Make the table as meant in one transaction, over empty sets where they are missing.

        Sets and counters that are there keep what they hold; where nothing differs nothing is done.
        A dormant table is waked before.
        """
        found = self._ruleset()
        chains = meant(rules, generation=found.generation)
        if found.is_dormant:
            _load(nft_text.ADDITION)
        if nft_read.faults(found, chains):
            _load(nft_text.repair(found, chains))

    def apply(self, plan: Plan) -> None:
        """Put what the plan wants, its rules too, in the place of what is live.

        The new sets are filled first, and then in one transaction they are asked and the old ones
        are gone. Where nft does not end in time it is killed, and the list is the old or the new.
        A dormant table is waked before.
        """
        if plan.way is not Way.NOTHING:
            self._replace(plan.wanted, plan.rules)

    def revert(self, plan: Plan) -> None:
        """Put back what was there before the plan, as `apply` does; empty sets for None."""
        if plan.way is not Way.NOTHING:
            self._replace(plan.current or Content.empty(), plan.rules)

    def settle(self) -> None:
        """Delete the sets that are not live, which a run that was killed left."""
        if text := nft_text.clearance(self._ruleset()):
            _load(text)

    def remove(self) -> None:
        """Delete the table and all in it."""
        _load(nft_text.REMOVAL)

    def _replace(self, content: Content, rules: Rules) -> None:
        found = self._ruleset()
        spare = other(found.generation)
        chains = meant(rules, generation=spare)
        if found.is_dormant:
            _load(nft_text.ADDITION)
        text = nft_text.filling(found, content, generation=spare)
        try:
            _load(text, entries=text.count(b",\n"))
            _load(nft_text.switch(found, chains))
        except EnforceError:
            with suppress(EnforceError):  # what it failed by is told already
                self.settle()  # looks which is live: an nft that was killed may have ended its work
            raise

    def _ruleset(self) -> Ruleset:
        # Terse and for all tables of the family: every other listing fetches the elements too.
        done = _nft("-j", "-t", "list", "ruleset", FAMILY, seconds=_SECONDS)
        _check(done, "nft cannot list its tables")
        return nft_read.read_ruleset(done.output)

    def _elements(self, found: Ruleset) -> Elements:
        # Those that are not live are listed too.
        loaded = sum(one.loaded or 0 for one in found.sets.values())
        seconds = _SECONDS + _READ_SECONDS * (loaded / 1e6) ** 2
        done = _nft("list", "table", FAMILY, TABLE, seconds=seconds)
        if done.code != 0 and "No such file" in done.complaint:
            return Elements(None, {}, ())  # gone since we looked
        _check(done, f"nft cannot list table {FAMILY} {TABLE}")
        return nft_read.read_elements(done.output, generation=found.generation)


def memory_for(content: Content) -> int:
    """Return the bytes that nft and the kernel need together while sets are loaded with this."""
    return sum(
        count * (_NETWORK if name.is_net else _ADDRESS)
        for name, count in (
            *sizes("block", content.block.prefixes()),
            *sizes("allow", content.allow.prefixes()),
        )
    )


def _load(text: bytes, *, entries: int = 0) -> None:
    """Have nft take a text, whole or not at all."""
    done = _nft("-f", "-", given=text, seconds=_SECONDS + entries * _SECONDS_PER_ENTRY)
    _check(done, f"nft did not take table {FAMILY} {TABLE}, which stays as it was")


def _nft(*arguments: str, given: bytes = b"", seconds: float = commands.SECONDS) -> Done:
    return commands.run(["nft", *arguments], given=given, seconds=seconds)


def _check(done: Done, what: str) -> None:
    if done.code == 0:
        return
    if "Operation not permitted" in done.complaint:
        raise EnforceUnavailable(f"{what}: this process needs CAP_NET_ADMIN")
    raise EnforceRefused(
        f"{what}: {done.complaint or f'exit code {done.code}'}; see that the kernel has the module"
        " nf_tables, and with `nft list tables` who else writes there"
    )


def _other_enforcer() -> Iterator[str]:
    """Yield a warning where rules of the iptables enforcer are there too."""
    done = _nft("-j", "list", "chains")
    _check(done, "nft cannot list the chains of other tables")
    for family, table, chain in nft_read.read_chains(done.output):
        if chain == _HOOK and (family, table) != (FAMILY, TABLE):
            yield _both(f"{family} {table}")
    for program, version in _LEGACY:
        # To ask the program would make the table.
        if "filter" in legacy_tables(version) and commands.find(program):
            saved = commands.run([program, "-t", "filter"])
            if f":{_HOOK} ".encode() in saved.output:
                yield _both(program.removesuffix("-save"))


def _both(where: str) -> str:
    return (
        f"chain {_HOOK} of the iptables enforcer is in {where}: packets are held to the lists of"
        " both enforcers; take it out with the enforcer that wrote it"
    )
