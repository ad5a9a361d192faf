"""The eight kernel sets: filled aside and swapped, or changed in place; counted and read back.

While a plan is applied, what is to come stands aside under `<name>.new`; after the swap, what was
live stands there until `settle`. A packet is looked up in the set of addresses and then in the set
of networks of a list: an address that moves from one to the other must be found in either, so sets
of networks are swapped first, and addresses that move out of them are put into the live set of
addresses before; they go with it, or when it is swapped back.

A set of ours has no timeouts and no mask; a set of our name that is of another type is never
touched, but told of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace

from enforcement.kernel import ipset_deeds as deeds, layout
from enforcement.kernel.base import Content, Plan, SetState, Way
from enforcement.kernel.errors import (
    EnforceError,
    EnforceRefused,
    EnforceUnavailable,
    KernelDiffers,
)
from enforcement.kernel.ipset_bridge import Bridge, bridge, early, putting_back, taking_out
from enforcement.kernel.ipset_dump import Header
from enforcement.kernel.ipset_errors import NotUnderstood
from enforcement.kernel.ipset_fill import Filler, NetlinkFiller
from enforcement.kernel.ipset_restore import RestoreFiller
from enforcement.kernel.layout import SETS, Entries, SetChange, SetName
from enforcement.kernel.netlink import Netlink
from netsets.cidr import AddressSet

log = logging.getLogger(__name__)

# Of kernel memory for an entry with its share of the table, at the emptiest that a table is made:
# a bucket takes 64 bytes at least, for 1.6 addresses or 1.1 networks; its place takes 8 more.
_BYTES = {(False, 4): 50, (True, 4): 90, (False, 6): 60, (True, 6): 120}


def aside(name: SetName) -> str:
    """Return what a set is called that is not live."""
    return f"{name}.new"


_LIVE = tuple(str(name) for name in SETS)
_ASIDE = tuple(aside(name) for name in SETS)


class IpsetSets:
    """The sets of one network namespace. Every method raises EnforceError only.

    Entries come in by netlink; where the kernel does not understand such messages, the program
    `ipset restore` takes over.
    """

    def __init__(self, filler: Filler | None = None) -> None:
        self._filler = filler or NetlinkFiller()

    def states(self) -> dict[str, SetState]:
        """Return the live sets that are there, by name. For 1 M entries it takes 20 ms."""
        with Netlink() as netlink:
            return {called: _state(one) for called, one in deeds.headers(netlink, _LIVE).items()}

    def read(self) -> tuple[Content | None, dict[str, SetState]]:
        """Return what the live sets hold, and their states.

        None where a difference could not mend them: a set is missing, of another type, with
        timeouts or a mask; or holds exceptions (`nomatch`), or entries that lie within others.
        """
        # The kernel needs most of the time, and lists two sets at once for two sockets.
        with ThreadPoolExecutor(max_workers=2) as pool:
            every = zip(SETS, pool.map(_whole, SETS), strict=True)
            found = {name: answer for name, answer in every if answer is not None}
        states = {str(name): _state(header) for name, (header, _) in found.items()}
        held = {name: entries for name, (_, entries) in found.items() if entries is not None}
        if len(held) < len(SETS):
            return None, states
        content = Content(block=_addresses("block", held), allow=_addresses("allow", held))
        is_ours = _sizes(content) == {name: len(entries) for name, entries in held.items()}
        return (content if is_ours else None), states

    def fitted(self, plan: Plan) -> Plan:
        """Return the plan with the memory that it needs, which is on the safe side.

        A difference becomes a replacement where a set is missing or would grow over the limit
        that it was made with.
        """
        if plan.way is Way.NOTHING:
            return replace(plan, memory=0)
        changes = _changes(plan)
        if plan.way is Way.DIFFERENCE:
            coming = {one.name: len(one.added) for one in changes}
            if _have_room(coming):
                return replace(plan, memory=_memory(coming))
        over = {name: len(one) for name, one in bridge(changes, plan.wanted.block).items()}
        ahead = {one.name: len(one) for one in early(plan.current, changes)}
        memory = sum(map(_memory, (_sizes(plan.wanted), over, ahead)))
        return replace(plan, way=Way.REPLACE, memory=memory)

    def make_missing(self) -> None:
        """Make the live sets that are missing, empty; refuse one of our name of another type."""
        with Netlink() as netlink:
            deeds.make_missing(netlink)

    def apply(self, plan: Plan) -> None:
        """Bring the live sets to what the plan wants; on an error they are what they were."""
        if plan.way is Way.NOTHING:
            return
        changes = _changes(plan)
        if plan.way is Way.DIFFERENCE:
            self._change(changes, plan.wanted)
            return
        laid = bridge(changes, plan.wanted.block)
        kept = _settled(plan, changes)
        self._replace(plan.wanted, kept, laid, early(plan.current, changes))

    def revert(self, plan: Plan) -> None:
        """Bring the live sets back to what they were before the plan was applied.

        What stands aside is swapped back; while another program lists a set, which forbids that,
        the live sets are changed in place. Where they are not what they were, they are filled anew.
        """
        if plan.way is Way.NOTHING:
            return
        before = plan.current or Content.empty()
        changes = _changes(plan)
        back = [one.undone() for one in changes]
        try:
            if plan.way is Way.DIFFERENCE or not self._swap_back(plan, before, changes):
                self._change(back, before)
        except (EnforceRefused, KernelDiffers):
            self._replace(before, frozenset(), {}, [])

    def settle(self) -> None:
        """Destroy what stands aside, from this or from a run that was killed.

        What another program lists all the while is left to the next run: it takes memory, no more.
        """
        with Netlink() as netlink:
            try:
                deeds.destroy(netlink, _ASIDE)
            except EnforceUnavailable as error:
                log.warning("%s; it is left to the next run", error)

    def remove(self) -> None:
        """Destroy all sets of ours. A set of our name of another type stays, and is told of."""
        with Netlink() as netlink:
            found = deeds.kinds(netlink)
            ours = [str(name) for name, kind in found.items() if kind.is_kind_of(name)]
            deeds.destroy(netlink, [*_ASIDE, *ours])
        deeds.refuse_foreign(found)

    def _replace(
        self,
        wanted: Content,
        kept: Collection[SetName],
        over: Bridge,
        ahead: Sequence[SetChange],
    ) -> None:
        """Fill sets aside, count them, swap them all; `kept` are those that stay as they are."""
        filled = {name: entries for name, entries in _parts(wanted) if name not in kept}
        with Netlink() as netlink, ExitStack() as undo:
            deeds.make_missing(netlink)
            deeds.destroy(netlink, _ASIDE)
            undo.callback(_try_to_destroy, netlink)
            for name, entries in filled.items():
                room = len(entries) + len(over.get(name, ()))
                deeds.do(netlink, [deeds.making(aside(name), name, room)])
                self._fill(name, entries)
            laid = self._lay(over)
            deeds.count(
                netlink,
                {aside(name): len(one) + len(laid.get(name, ())) for name, one in filled.items()},
            )
            self._switch(netlink, filled, laid, ahead)
            undo.pop_all()

    def _switch(
        self,
        netlink: Netlink,
        names: Iterable[SetName],
        laid: Bridge,
        ahead: Sequence[SetChange],
    ) -> None:
        """Swap sets with those aside, which hold a bridge, what comes early being live before."""
        fitting = [one for one in ahead if _have_room({one.name: len(one.added)})]
        try:
            self._by_filler(lambda filler: filler.change(fitting))
            _swap(netlink, names, laid)
        except EnforceError:
            with suppress(EnforceError):  # they lie in networks that are live: nothing changes
                self._by_filler(lambda filler: filler.change([one.undone() for one in fitting]))
            raise

    def _swap_back(self, plan: Plan, before: Content, changes: Sequence[SetChange]) -> bool:
        """Swap back what was kept aside; tell whether it was done, which a listing forbids."""
        back = [one.undone() for one in changes]
        came_early = [one.undone() for one in early(plan.current, changes)]
        replaced = {aside(one.name) for one in changes if len(one) or plan.current is None}
        with Netlink() as netlink:
            kept = deeds.headers(netlink, _ASIDE)
            if not replaced <= kept.keys():
                gone = min(replaced - kept.keys())
                raise KernelDiffers(f"set {gone}, which was live before, is gone: fill it anew")
            over = bridge(back, before.block)
            with suppress(EnforceRefused):  # going back does not hang on a limit or on memory
                over = self._lay(over)
            there = [name for name in SETS if aside(name) in kept]
            try:
                self._switch(netlink, there, over, early(plan.wanted, back))
            except EnforceUnavailable:
                return False
            self._by_filler(lambda filler: filler.change(came_early))
            if plan.current is not None:
                sizes = _sizes(plan.current)
                deeds.count(netlink, {str(name): size for name, size in sizes.items()})
        return True

    def _lay(self, over: Bridge) -> Bridge:
        """Put a bridge into the sets aside; return it, or none where the kernel cannot have one."""
        try:
            if self._filler.has_batches:
                for name, entries in over.items():
                    self._filler.fill(aside(name), name, entries)
                return over
        except NotUnderstood:
            self._filler = RestoreFiller()
        return {}

    def _fill(self, name: SetName, entries: Entries) -> None:
        if len(entries):
            self._by_filler(lambda filler: filler.fill(aside(name), name, entries))

    def _change(self, changes: Sequence[SetChange], wanted: Content) -> None:
        due = [one for one in changes if len(one)]
        sizes = _sizes(wanted)
        try:
            self._by_filler(lambda filler: filler.change(due))
            with Netlink() as netlink:
                deeds.count(netlink, {str(one.name): sizes[one.name] for one in due})
        except EnforceError as error:
            self._undo(due, error)
            raise

    def _undo(self, changes: Sequence[SetChange], cause: EnforceError) -> None:
        try:
            self._by_filler(lambda filler: filler.change([one.undone() for one in changes]))
        except EnforceError as error:
            raise KernelDiffers(
                f"{cause}; and what was done could not be undone: {error}; replace the sets whole"
            ) from cause

    def _by_filler(self, deed: Callable[[Filler], None]) -> None:
        """Have it done by netlink; from the first time that the kernel cannot, by the program."""
        try:
            deed(self._filler)
        except NotUnderstood:
            self._filler = RestoreFiller()
            deed(self._filler)


def _whole(name: SetName) -> tuple[Header, Entries | None] | None:
    with Netlink() as netlink:
        return deeds.whole(netlink, name)


def _state(header: Header) -> SetState:
    return SetState(header.entries, header.memory)


def _addresses(role: layout.Role, held: Mapping[SetName, Entries]) -> AddressSet:
    return layout.addresses({name: one for name, one in held.items() if name.role == role})


def _parts(content: Content) -> Iterator[tuple[SetName, Entries]]:
    yield from layout.parts("block", content.block.prefixes())
    yield from layout.parts("allow", content.allow.prefixes())


def _sizes(content: Content) -> dict[SetName, int]:
    return {
        **dict(layout.sizes("block", content.block.prefixes())),
        **dict(layout.sizes("allow", content.allow.prefixes())),
    }


def _changes(plan: Plan) -> list[SetChange]:
    return [*layout.changes("block", plan.block), *layout.changes("allow", plan.allow)]


def _memory(entries: Mapping[SetName, int]) -> int:
    """Return the bytes that the kernel needs for so many entries of each set."""
    return sum(_BYTES[name.is_net, name.version] * number for name, number in entries.items())


def _have_room(coming: Mapping[SetName, int]) -> bool:
    growing = {str(name): number for name, number in coming.items() if number}
    with Netlink() as netlink:
        found = deeds.headers(netlink, growing)
    return all(
        called in found and found[called].entries + number <= found[called].maxelem
        for called, number in growing.items()
    )


def _settled(plan: Plan, changes: Iterable[SetChange]) -> frozenset[SetName]:
    """Return the sets that a plan leaves as they are, and that hold as many as they should."""
    if plan.current is None:
        return frozenset()
    sizes = _sizes(plan.wanted)
    alike = {str(one.name): one.name for one in changes if not len(one)}
    with Netlink() as netlink:
        found = deeds.headers(netlink, alike)
    return frozenset(
        name
        for called, name in alike.items()
        if called in found and found[called].entries == sizes[name]
    )


def _swap(netlink: Netlink, names: Iterable[SetName], laid: Bridge) -> None:
    """Swap sets with those aside, which hold a bridge, and take it out, all in one send."""
    allow_first = sorted(names, key=lambda name: name.role != "allow")
    deeds.swap(
        netlink,
        [(str(name), aside(name)) for name in allow_first],
        after=taking_out(laid),
        undo=putting_back(laid, {name: aside(name) for name in laid}),
    )


def _try_to_destroy(netlink: Netlink) -> None:
    # What it failed by is told already; what is left is destroyed by the next run.
    with suppress(EnforceError):
        deeds.destroy(netlink, _ASIDE)
