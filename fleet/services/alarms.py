"""The alarms of a portal: of devices that are silent or in trouble, and of its primary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from fleet.models import Entry, PortalState
from fleet.reports.health import SILENT_AFTER, EntryHealth, health_of, read_for_health
from fleet.services.portal_state import THE_ROW
from policies.services import Cause, keep_alarms, known_before
from policies.states import AlarmKind

KINDS = (AlarmKind.ENTRY_SILENT, AlarmKind.ENTRY_TROUBLE, AlarmKind.PORTAL_UNWRITTEN)
# A name server that is restarted is no fault.
UNWRITTEN_AFTER = timedelta(minutes=5)
_OF_HEALTH = {
    EntryHealth.SILENT: AlarmKind.ENTRY_SILENT,
    EntryHealth.UNWRITTEN: AlarmKind.ENTRY_TROUBLE,
    EntryHealth.TROUBLED: AlarmKind.ENTRY_TROUBLE,
    EntryHealth.BEHIND: AlarmKind.ENTRY_TROUBLE,
}


def review_fleet_alarms(*, now: datetime) -> None:
    """Make the open alarms of the portal those that there is a cause for now.

    While statuses cannot be read nothing is known of devices: no alarm of theirs opens or closes.
    """
    state = PortalState.objects.filter(pk=THE_ROW).first()
    wanted = dict(_of_portal(state, now=now))
    if state is not None and state.status_error:
        keep_alarms(kinds=[AlarmKind.PORTAL_UNWRITTEN], wanted=wanted, now=now)
        return
    wanted |= dict(_of_entries(now=now))
    # Who fell silent while this console itself was away has time to come again.
    silent = (AlarmKind.ENTRY_SILENT,)
    known = known_before(wanted, kinds=silent, wait=SILENT_AFTER, now=now)
    keep_alarms(kinds=KINDS, wanted=known, now=now)


def _of_portal(state: PortalState | None, *, now: datetime) -> Iterator[tuple[Cause, str]]:
    if state is None:
        return
    cause = (AlarmKind.PORTAL_UNWRITTEN, "portal")
    if state.failing_since is not None and now - state.failing_since > UNWRITTEN_AFTER:
        yield cause, f"{state.error} Devices keep the settings they have."
    elif state.status_error and (
        state.statuses_at is None or now - state.statuses_at > UNWRITTEN_AFTER
    ):
        yield cause, f"What devices tell of themselves cannot be read. {state.status_error}"


def _of_entries(*, now: datetime) -> Iterator[tuple[Cause, str]]:
    for entry in read_for_health(Entry.objects.order_by("nickname", "id")):
        health = health_of(entry, now=now)
        if (kind := _OF_HEALTH.get(health.state)) is not None:
            yield (kind, f"entry {entry.nickname}"), health.detail
