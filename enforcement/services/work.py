"""What the enforcer of a machine does when it is nudged: let go, answer, enforce, read back."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from devices.kinds import GATEWAYS
from devices.models import Device, Gateway, GatewayRelease, GatewayState
from enforcement.kernel.apply import enforce, release
from enforcement.kernel.commands import find
from enforcement.kernel.errors import EnforceError, EnforceRefused, StateDamaged
from enforcement.kernel.host import Host
from enforcement.kernel.verify import verify
from enforcement.models import Outcome, Trigger
from enforcement.services import records
from enforcement.services.answering import answer_all
from enforcement.services.canaries import canaries_of, session_origin
from enforcement.services.machine import Machine, own_machine
from enforcement.services.target import Wanted, wanted_of
from netsets.cidr import AddressSet
from policies.services import protect, protect_seen
from policies.store import stored_file

log = logging.getLogger(__name__)

# Nobody who works on a gateway locks himself out of it.
SESSIONS_FOR = timedelta(days=30)
SESSIONS_KEPT = 5  # of one machine, the last ones

Clock = Callable[[], datetime]
_Deed = Callable[["_Job"], str]


def work(*, node: str, clock: Clock, machine: Machine | None = None) -> str:
    """Do what is due on this machine and return what was done, in a few words."""
    machine = machine or own_machine()
    done = ["let go"] if _let_go(node, machine.host, now=clock()) else []
    devices = Device.objects.select_related("policy__current", "pinned_snapshot", "gateway")
    device = devices.filter(node=node, kind__in=GATEWAYS).first()
    if device is not None:
        done += _serve(_Job(device, device.gateway, machine, clock))
    return ", ".join(done) or "nothing"


@dataclass(frozen=True, slots=True)
class _Job:
    device: Device
    gateway: Gateway
    machine: Machine
    clock: Clock


def _let_go(node: str, host: Host, *, now: datetime) -> bool:
    """Take everything out of a kernel whose device is gone; return whether there was such a one."""
    row = GatewayRelease.objects.filter(node=node).first()
    if row is None:
        return False
    asked = GatewayRelease.objects.filter(pk=row.pk, asked_at=row.asked_at)
    try:
        if (enforcer := _in_force(host)) is not None:
            release(host=host, enforcer=enforcer)
    except EnforceError as error:
        log.warning("release node=%s device=%s: %s", node, row.nickname, error)
        asked.update(detail=str(error))
        return False
    asked.delete()  # asked again meanwhile, it is done again
    protect(origin=_origin(node), networks={}, now=now)
    log.info("release node=%s device=%s", node, row.nickname)
    return True


def _in_force(host: Host) -> str | None:
    """Return the enforcer of what is in force, or was about to be; None where nothing is."""
    try:
        journal, state = host.folder.journal(), host.folder.state()
    except StateDamaged:
        # What cannot be told is taken out all the same, with the tools that this machine has.
        return "iptables" if find("ipset") else "nftables"
    for record in (journal.after, journal.before) if journal else ():
        if record is not None:
            return record.enforcer
    return state.target.enforcer if state is not None and state.target is not None else None


def _serve(job: _Job) -> list[str]:
    asked = answer_all(job.device, machine=job.machine, clock=job.clock)
    done = ["answered"] if asked else []
    now = job.clock()
    _end_pause(job.gateway, now=now)
    wanted = wanted_of(job.device, now=now)
    if wanted is None or _is_refused(job.gateway, wanted):
        records.write_nothing_wanted(job.gateway)
    deed = _due_deed(job.gateway, wanted, now=now)
    return [*done, _do(job, deed, wanted)] if deed is not None else done


def _due_deed(gateway: Gateway, wanted: Wanted | None, *, now: datetime) -> _Deed | None:
    """Return what is to be done now, None where nothing is or a failure is not long enough ago."""
    if gateway.retry_at is not None and now < gateway.retry_at <= now + timedelta(hours=1):
        return None
    if wanted is not None and _is_wanted(gateway, wanted):
        return lambda job: _enforce(job, wanted)
    if _is_to_be_read(gateway, now=now):
        return lambda job: _verify(job, wanted)
    return None


def _do(job: _Job, deed: _Deed, wanted: Wanted | None) -> str:
    """Do it, and write down how it failed where it does."""
    # First: what kills this process, such as a want of memory, is not tried again at once.
    records.write_attempt(job.gateway, now=job.clock())
    try:
        _protect_surroundings(job.device.node, job.machine, now=job.clock())
        return deed(job)
    except EnforceRefused as error:
        _write_failure(job, wanted, str(error), Outcome.REFUSED)
        return "refused"
    except EnforceError as error:
        _write_failure(job, wanted, str(error), Outcome.FAILED)
        return "failed"
    except Exception:  # the outermost loop: whatever it was, it must be seen and not tried at once
        log.exception("device=%s failed", job.device.nickname)
        _write_failure(job, wanted, "it failed; the cause is in enforcer.log", Outcome.FAILED)
        return "failed"


def _write_failure(job: _Job, wanted: Wanted | None, detail: str, outcome: Outcome) -> None:
    records.write_failure(job.gateway, wanted, detail, outcome=outcome, now=job.clock())


def _end_pause(gateway: Gateway, *, now: datetime) -> None:
    """Forget a pause that is over: the kernel has ended it by itself."""
    if gateway.paused_until is not None and gateway.paused_until <= now:
        ended = Gateway.objects.filter(pk=gateway.pk, paused_until=gateway.paused_until)
        ended.update(paused_until=None, paused_by="")
        gateway.paused_until = None


def _is_wanted(gateway: Gateway, wanted: Wanted) -> bool:
    """Tell whether a kernel is to be worked on: asked for, or something else is wanted of it.

    After a failed read-back too: an apply writes anew whatever was damaged.
    """
    if _is_refused(gateway, wanted):
        return False
    is_broken = gateway.state_word == GatewayState.FAILED
    return gateway.due_at is not None or is_broken or wanted.digest != gateway.target


def _is_refused(gateway: Gateway, wanted: Wanted) -> bool:
    """Tell whether it was rolled back, and nobody has asked for it since."""
    return wanted.lasting_digest == gateway.refused_target


def _is_to_be_read(gateway: Gateway, *, now: datetime) -> bool:
    if not gateway.target:
        return False  # nothing was ever in force
    checked = gateway.checked_at
    # Later than now: from before the clock was set back.
    return checked is None or checked > now or now - checked >= gateway.check_every


def _protect_surroundings(node: str, machine: Machine, *, now: datetime) -> None:
    """Keep what this machine stands on out of every list: its own addresses, gateways, resolvers.

    The policy is compiled elsewhere, by a worker that does not know this machine.
    """
    try:
        networks = {
            one.address: f"{one.reason}, {node}"
            for one in machine.surroundings()
            # They come and go with every container, and no list can name them.
            if not ipaddress.ip_address(one.address).is_link_local
        }
    except (OSError, ValueError) as error:
        log.warning("the surroundings of %s cannot be told: %s", node, error)
        return
    protect(origin=_origin(node), networks=networks, now=now)
    for address in machine.sessions():
        protect_seen(
            origin=session_origin(node),
            network=address,
            reason=f"somebody was logged in to {node} from here",
            until=now + SESSIONS_FOR,
            most=SESSIONS_KEPT,
            now=now,
        )


def _origin(node: str) -> str:
    return f"machine {node}"


def _enforce(job: _Job, wanted: Wanted) -> str:
    began = job.clock()
    canaries = canaries_of(job.device, job.machine, now=began)
    outcome = enforce(
        host=job.machine.host,
        target=wanted.target,
        stored=stored_file,
        canaries=canaries,
        cut=job.machine.cut if job.device.cut_connections else _cut_none,
    )
    outcome = replace(outcome, warnings=(*outcome.warnings, *canaries.warnings()))
    held = (job.gateway.block_digest, job.gateway.allow_digest)
    same = (wanted.target.block_digest, wanted.target.allow_digest) == held
    trigger = Trigger.SETTINGS if same else Trigger.POLICY
    records.write_outcome(
        job.gateway, wanted, outcome, trigger=trigger, began=began, now=job.clock()
    )
    log.info(
        "apply device=%s snapshot=%d ending=%s way=%s added=%d removed=%d cut=%d",
        job.device.nickname, wanted.target.snapshot, outcome.ending, outcome.way, outcome.added,
        outcome.removed, outcome.cut,
    )  # fmt: skip
    return str(outcome.ending)


def _verify(job: _Job, wanted: Wanted | None) -> str:
    began = job.clock()
    canaries = canaries_of(job.device, job.machine, now=began)
    found = verify(host=job.machine.host, now=began, canaries=canaries)
    found = replace(found, warnings=(*found.warnings, *canaries.warnings()))
    records.write_verification(job.gateway, wanted, found, began=began, now=job.clock())
    for fault in found.healed:
        log.warning("healed device=%s: %s", job.device.nickname, fault)
    return "healed" if found.healed else "read back"


def _cut_none(_newly_blocked: AddressSet, _allowed: AddressSet) -> int:
    return 0
