"""What the enforcer of a machine does when it is nudged: let go, answer, enforce, read back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from devices.kinds import GATEWAYS
from devices.models import Device, Gateway, GatewayRelease
from devices.models.gateway import CHECK_EVERY
from enforcement.kernel.apply import enforce, release
from enforcement.kernel.conntrack import cut_connections
from enforcement.kernel.errors import EnforceError, EnforceRefused
from enforcement.kernel.host import Host
from enforcement.kernel.state import StateFolder
from enforcement.kernel.verify import verify
from enforcement.models import Outcome, Trigger
from enforcement.services import records
from enforcement.services.answering import answer_all
from enforcement.services.canaries import canaries_of
from enforcement.services.target import Wanted, wanted_of
from netsets.cidr import AddressSet
from policies.appliance import surroundings
from policies.services import protect
from policies.store import stored_file

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def own_host() -> Host:
    """Return this machine's kernel and the folder that tells its state."""
    return Host(StateFolder(Path(settings.TSCM_ENFORCE_DIR)))


def work(*, node: str, clock: Clock, host: Host | None = None) -> str:
    """Do what is due on this machine and return what was done, in a few words."""
    kernel = host or own_host()
    done = [] if not _let_go(node, kernel, now=clock()) else ["let go"]
    devices = Device.objects.select_related("policy__current", "pinned_snapshot", "gateway")
    device = devices.filter(node=node, kind__in=GATEWAYS).first()
    if device is not None:
        _protect_surroundings(node, now=clock())
        done += _serve(_Job(device, device.gateway, kernel, clock))
    return ", ".join(done) or "nothing"


@dataclass(frozen=True, slots=True)
class _Job:
    device: Device
    gateway: Gateway
    host: Host
    clock: Clock


def _let_go(node: str, host: Host, *, now: datetime) -> bool:
    """Take everything out of a kernel whose device is gone; return whether there was such a one."""
    row = GatewayRelease.objects.filter(node=node).first()
    if row is None:
        return False
    try:
        release(host=host, enforcer="iptables")
    except EnforceError as error:
        log.warning("release node=%s device=%s: %s", node, row.nickname, error)
        return False
    # Asked again meanwhile, it is done again.
    GatewayRelease.objects.filter(pk=row.pk, asked_at=row.asked_at).delete()
    protect(origin=_origin(node), networks={}, now=now)
    log.info("release node=%s device=%s", node, row.nickname)
    return True


def _serve(job: _Job) -> list[str]:
    done = ["answered"] if answer_all(job.device, host=job.host, clock=job.clock) else []
    now = job.clock()
    wanted = wanted_of(job.device, now=now)
    try:
        if wanted is not None and _is_due(job.gateway, wanted, now=now):
            return [*done, _enforce(job, wanted)]
        if _is_to_be_read(job.gateway, now=now):
            return [*done, _verify(job)]
    except EnforceRefused as error:
        records.write_failure(job.gateway, wanted, error, outcome=Outcome.REFUSED, now=job.clock())
        return [*done, "refused"]
    except EnforceError as error:
        records.write_failure(job.gateway, wanted, error, outcome=Outcome.FAILED, now=job.clock())
        return [*done, "failed"]
    return done


def _is_due(gateway: Gateway, wanted: Wanted, *, now: datetime) -> bool:
    """Tell whether a kernel is to be worked on: asked for, or something else is wanted of it."""
    if gateway.retry_at is not None and now < gateway.retry_at <= now + timedelta(hours=1):
        return False
    if wanted.digest == gateway.refused_target:
        return False
    return gateway.due_at is not None or wanted.digest != gateway.target


def _is_to_be_read(gateway: Gateway, *, now: datetime) -> bool:
    checked = gateway.checked_at
    # Later than now: from before the clock was set back.
    return checked is None or checked > now or now - checked >= CHECK_EVERY


def _protect_surroundings(node: str, *, now: datetime) -> None:
    """Keep what this machine stands on out of every list: its own addresses, gateways, resolvers.

    The policy is compiled elsewhere, by a worker that does not know this machine.
    """
    try:
        networks = {one.address: f"{one.reason} of {node}" for one in surroundings()}
    except (OSError, ValueError) as error:
        log.warning("the surroundings of %s cannot be told: %s", node, error)
        return
    protect(origin=_origin(node), networks=networks, now=now)


def _origin(node: str) -> str:
    return f"machine {node}"


def _enforce(job: _Job, wanted: Wanted) -> str:
    began = job.clock()
    outcome = enforce(
        host=job.host,
        target=wanted.target,
        stored=stored_file,
        canaries=canaries_of(job.device, now=began),
        cut=_cut if job.device.cut_connections else _cut_none,
    )
    same = wanted.target.snapshot == job.gateway.snapshot_number
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


def _verify(job: _Job) -> str:
    began = job.clock()
    found = verify(host=job.host, now=began, canaries=canaries_of(job.device, now=began))
    records.write_verification(job.gateway, found, now=job.clock())
    for fault in found.healed:
        log.warning("healed device=%s: %s", job.device.nickname, fault)
    return "healed" if found.healed else "read back"


def _cut(newly_blocked: AddressSet, allowed: AddressSet) -> int:
    return cut_connections(newly_blocked, allowed=allowed).cut


def _cut_none(_newly_blocked: AddressSet, _allowed: AddressSet) -> int:
    return 0
