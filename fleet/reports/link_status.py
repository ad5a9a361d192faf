"""What a device here tells its portal of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.conf import settings as site

from devices.health import health_of
from devices.models import Device
from fleet.models import Link
from fleet.protocol.base import Status
from fleet.protocol.status_zone import MAX_ERRORS
from fleet.reports.links import laid_down
from logs.models import Delivery
from logs.states import DeliveryOutcome
from policies.models import Policy, Snapshot, Source
from policies.sources.zone_records import ZoneRecords
from policies.states import PUBLISHED_STATES, PolicyState, Role
from policies.store import get_blob

_MOST_SOURCES = 20


def status_of(link: Link, *, now: datetime) -> Status:
    """Return the status of a link's device: what is in force, since when, and what is wrong.

    Of a gateway that is what its kernel holds, of a device that pulls what is published for it.
    Raises DecryptionFailed.
    """
    device = link.device
    sources = list(device.policy.sources.order_by("name", "id")[:_MOST_SOURCES])
    snapshot = in_force(device)
    return Status(
        reported_at=now,
        version=site.TSCM_VERSION,
        state=health_of(device, now=now).state.value,
        serial=link.serial or 0,
        snapshot=_published_number(device.policy, snapshot),
        digest=snapshot.block_digest if snapshot else "",
        retrieved_at=max((one.retrieved_at for one in sources if one.retrieved_at), default=None),
        uploaded_at=_uploaded_at(device),
        clock_offset=link.clock_offset,
        errors=tuple(_once(_errors(link, sources, now=now)))[:MAX_ERRORS],
        overrides=laid_down(link).overridden,
    )


def in_force(device: Device) -> Snapshot | None:
    """Return the snapshot that a device has in force; None where there is none."""
    if not device.is_gateway:
        return device.published
    number = device.gateway.snapshot_number
    if number is None:
        return None
    digest = device.gateway.block_digest
    rows = Snapshot.objects.filter(policy=device.policy_id, number=number, block_digest=digest)
    return rows.first()


def _published_number(policy: Policy, snapshot: Snapshot | None) -> int | None:
    """Return the portal's number of a snapshot, where its list came from a zone that says it."""
    if snapshot is None:
        return None
    used = {(one.get("source"), one["digest"]) for one in snapshot.sources
            if one["role"] == Role.BLOCK}  # fmt: skip
    for source in policy.sources.filter(kind="zone", policy_sources__role=Role.BLOCK):
        if (source.pk, source.list_digest) in used and source.payload_digest:
            return _number_in(source)
    return None


def _number_in(source: Source) -> int | None:
    try:
        proofs = ZoneRecords.decode(bytes(get_blob(source.payload_digest))).proofs
    except (OSError, ValueError):
        return None  # lost or damaged: it is transferred anew by itself
    for proof in proofs:
        name, _, number = proof.partition(b" ")
        if name == b"snapshot" and number.isdigit() and len(number) < 10:
            return int(number)
    return None


def _uploaded_at(device: Device) -> datetime | None:
    arrived = Delivery.objects.filter(
        batch__spool__device=device, outcome=DeliveryOutcome.DELIVERED
    )
    return arrived.order_by("-at", "-id").values_list("at", flat=True).first()


def _errors(link: Link, sources: Iterable[Source], *, now: datetime) -> Iterator[str]:
    """Yield what is wrong, the most serious first."""
    device = link.device
    if device.is_gateway and device.gateway.state_word.tone == "danger":
        yield device.gateway.detail
    health = health_of(device, now=now)
    if health.tone == "danger":
        yield health.detail
    for source in sources:
        yield source.error
    if (state := device.policy.state_word) not in (*PUBLISHED_STATES, PolicyState.NEW):
        yield f"{state.label}: {device.policy.state_detail}"
    if device.send_logs:
        yield device.log_trouble
    yield from link.refused


def _once(sentences: Iterable[str]) -> Iterator[str]:
    """Yield each sentence that says something, the first time it comes."""
    yield from dict.fromkeys(one for one in sentences if one.strip())
