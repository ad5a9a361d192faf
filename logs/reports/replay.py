"""Replay before publish: a policy tried on the connections that firewalls told of.

Tried is what the guard holds, what a compile would make now, the same with one more source, or a
snapshot; on the connections of the devices that follow the policy, or of others. What is told is
the difference to what these devices have in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from devices.models import Device
from logs.events.duck import open_duck
from logs.events.filters import Filter
from logs.events.replay import Half, Proposed, Replayed, replay
from logs.reports.asked import Asked, AskedRefused, Given, read_asked
from logs.reports.event_files import ReportRefused, files_of, one_report, refusing
from logs.reports.in_force import SnapshotReader
from logs.reports.places import events_dir
from logs.states import Verdict
from netsets.cidr import AddressSet
from policies.models import Policy, Snapshot, Source
from policies.services.preview import preview_policy
from policies.services.rows import Refused
from policies.states import Told
from policies.store import map_set

HELD, NOW = "held", "now"
IN_FORCE, NOTHING = "in-force", "nothing"
USUAL_LAST = "7d"
ROWS, ROWS_MOST = 20, 1000  # of each table
POLICIES_MOST = 20  # that the devices may follow
PARAMETERS = ("what", "source", "against", "device", "last", "since", "until")
_OF_TIME = ("last", "since", "until", "device")
_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be tried, and on what."""

    policy: Policy
    tried: str  # HELD, NOW, or the number of a snapshot
    source: Source | None  # one more, with NOW
    is_whole: bool  # tell all that it does, not only what changes
    names_devices: bool  # they were chosen one by one
    asked: Asked

    @property
    def words(self) -> str:
        """What is tried, for people."""
        if self.tried == HELD:
            return f"what the guard holds of {self.policy}"
        if self.tried != NOW:
            return f"snapshot {self.tried} of {self.policy}"
        more = f" and {self.source}" if self.source else ""
        return f"{self.policy} from the lists that its sources have now{more}"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a replay."""

    question: Question
    replayed: Replayed
    findings: tuple[str, ...]  # why the guard holds, or would hold it
    devices: int | None  # on how many devices' connections it was tried; None for all of the site
    is_of_followers: bool  # these are the devices that follow the policy
    told: Told[Verdict]


def read_replay(
    given: Given, *, policy: Policy, now: datetime, sees: frozenset[int] | None
) -> Question:
    """Read a question of somebody who sees these devices, None for all. Raises AskedRefused.

    Without any parameter it is about what the guard holds, where it holds anything; else about what
    the policy would publish now; and about seven days.
    """
    known = {name: given[name] for name in _OF_TIME if given.get(name)}
    if not known.keys() & {"last", "since", "until"}:
        known["last"] = [USUAL_LAST]
    troubles: dict[str, str] = {}
    source = None
    tried = _text(given, "what") or (HELD if policy.held else NOW)
    against = _text(given, "against") or IN_FORCE
    if against not in {IN_FORCE, NOTHING}:
        troubles["against"] = f"Use {IN_FORCE} or {NOTHING}."
    if tried not in {HELD, NOW} and not _is_number(tried):
        troubles["what"] = f"Use {HELD}, {NOW}, or the number of a snapshot."
    if name := _text(given, "source"):
        source = Source.objects.defer("settings").filter(name=name).first()
        if source is None:
            troubles["source"] = f"There is no source {name!r}."
        elif tried != NOW:
            troubles["source"] = f"A source can be added to the lists of {NOW} only."
    try:
        asked = read_asked(known, now=now, sees=sees)
    except AskedRefused as refused:
        raise AskedRefused(refused.troubles | troubles) from refused
    if troubles:
        raise AskedRefused(troubles)
    is_whole = against == NOTHING
    return Question(policy, tried, source, is_whole, bool(known.get("device")), asked)


def replay_policy(question: Question, *, now: datetime, rows: int = ROWS) -> Report:
    """Try a policy on past connections; tables have so many rows at most. Raises ReportRefused."""
    followers = not question.names_devices and question.policy.devices.exists()
    chosen, own = _on_devices(question, followers=followers)
    block, manifest, findings = _tried(question, now=now)
    files = files_of(chosen.since, chosen.until)
    found = Replayed()
    if files:
        lists = SnapshotReader().lists(manifest, of=question.words)
        proposed = Proposed(block, lists, () if question.is_whole else _in_force(own))
        with one_report() as left, refusing(), open_duck([events_dir()], left=left) as duck:
            found = replay(duck, files, chosen, proposed, most=rows)
    number = None if chosen.devices is None else len(chosen.devices)
    return Report(question, found, findings, number, followers, verdict(found))


def _on_devices(question: Question, *, followers: bool) -> tuple[Filter, frozenset[int]]:
    """Return whose connections are looked at, and the policies that these devices follow.

    Without `followers` they are the chosen ones, or all that the person sees.
    """
    chosen = question.asked.filter
    rows = Device.objects.all()
    if chosen.devices is not None:
        rows = rows.filter(pk__in=chosen.devices)
    if followers:
        rows = rows.filter(policy=question.policy)
        pks = frozenset(rows.order_by().values_list("pk", flat=True))
        chosen = Filter(since=chosen.since, until=chosen.until, devices=pks)
    own = frozenset(rows.order_by().values_list("policy", flat=True).distinct())
    return chosen, own


def _tried(
    question: Question, *, now: datetime
) -> tuple[AddressSet, Sequence[Mapping[str, object]], tuple[str, ...]]:
    """Return the block list to try, the lists it is made of, and what the guard says of it."""
    policy = question.policy
    try:
        if question.tried == NOW:
            preview = preview_policy(policy, now=now, with_source=question.source)
            return preview.compiled.block, preview.sources, preview.findings
        if question.tried == HELD:
            held = policy.held
            if held is None:
                raise ReportRefused(f"The guard holds nothing of {policy}: try what is there now.")
            messages = tuple(str(one["message"]) for one in held.findings)
            return map_set(held.block_digest), held.sources, messages
        snapshot = Snapshot.objects.filter(policy=policy, number=int(question.tried)).first()
        if snapshot is None:
            raise ReportRefused(f"{policy} has no snapshot {question.tried} that is still kept.")
        return map_set(snapshot.block_digest), snapshot.sources, ()
    except Refused as refused:
        raise ReportRefused(str(refused)) from refused
    except OSError as error:
        raise ReportRefused(f"A list of {policy} cannot be read: {error}.") from error


def _in_force(own: frozenset[int]) -> tuple[AddressSet, ...]:
    """Return the block lists that the devices have in force; () where they follow too many.

    What a policy that published nothing has in force is an empty list.
    """
    if len(own) > POLICIES_MOST:
        raise ReportRefused(
            f"The devices follow {len(own)} policies, and what changes is told against "
            f"{POLICIES_MOST} at most: choose some devices, or against={NOTHING}."
        )
    digests = Policy.objects.filter(pk__in=own).order_by("pk").values_list("current__block_digest")
    try:
        return tuple(map_set(digest) if digest else AddressSet.empty() for (digest,) in digests)
    except (OSError, ValueError) as error:
        raise ReportRefused(
            f"A list in force cannot be read ({error}): use against={NOTHING}."
        ) from error


def verdict(found: Replayed) -> Told[Verdict]:
    """Return the word for what came of a replay, and the sentence."""
    looked_at = found.let_through + found.dropped
    if found.is_empty:
        return Told(
            Verdict.NO_EVENTS,
            "No connection of this time is stored. Let the firewall log the connections that it "
            "allows, and send its lines here; then everything can be tried before it is published.",
        )
    if found.changes_nothing:
        detail = f"All {looked_at:,} connections would have gone the way they went."
        return Told(Verdict.UNCHANGED, " ".join((detail, *_beside(found))))
    if found.would_drop.connections:
        state, parts = Verdict.DROPS, [_drops(found)]
    else:
        state, parts = Verdict.PASSES, []
    if found.would_pass.connections:
        parts.append(_passes(found))
    changed = found.would_drop.connections + found.would_pass.connections
    rest = f"The other {looked_at - changed:,} would have gone the way they went."
    return Told(state, " ".join((*parts, rest, *_beside(found))))


def _drops(found: Replayed) -> str:
    half = found.would_drop
    connections = _count(half.connections, "connection")
    were = "was" if half.connections == 1 else "were"
    return f"It would have dropped {connections} that {were} let through, {_hosts(half)}."


def _passes(found: Replayed) -> str:
    half = found.would_pass
    connections = _count(half.connections, "connection")
    were = "was" if half.connections == 1 else "were"
    return f"It would have let pass {connections} that {were} dropped, {_hosts(half)}."


def _hosts(half: Half) -> str:
    outsides = _count(half.outsides, "outside address", "outside addresses")
    return f"of {_count(half.insides, 'inside host')} with {outsides}"


def _beside(found: Replayed) -> Iterator[str]:
    if found.already:
        yield (
            f"{_count(found.already, 'connection')} that went through then would be dropped now "
            "already, by what is in force."
        )
    if not found.let_through:
        yield (
            "No connection that was let through is stored, so that nothing is said of those: let "
            "the firewall log what it allows."
        )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _text(given: Given, name: str) -> str:
    values = given.get(name, ())
    return values[-1].strip() if values else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
