"""The addresses that devices ask from where those change: by the A record of a domain name."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime

from fleet.models import Entry
from fleet.reports.effective import effective_of, inherited_by
from fleet.services.portal_state import mark_configuration_due
from policies.sources.base import Deadline
from policies.sources.resolver import resolve

NAME_SECONDS = 5.0  # for one name
ALL_SECONDS = 120.0  # what is not done by then is first the next time
MOST_ADDRESSES = 16  # of one name
_AT_ONCE = 16

log = logging.getLogger(__name__)


def resolve_addresses(*, now: datetime, seconds: float = ALL_SECONDS) -> int:
    """Look up the domain names of devices whose address is dynamic; return how many changed.

    A name that cannot be resolved keeps its last addresses. Those asked longest ago come first.
    """
    deadline = Deadline.after(seconds)
    wanted = _names()
    found = _resolved(set(wanted.values()), deadline=deadline)
    changed, asked = [], []
    for entry, name in wanted.items():
        if name not in found:
            continue
        asked.append(entry)
        addresses = found[name]
        if addresses and addresses != entry.resolved:
            changed.append(entry)
            entry.resolved = addresses
        entry.resolved_at = now
    Entry.objects.bulk_update(asked, ["resolved", "resolved_at"], batch_size=500)
    if changed:
        mark_configuration_due()
    return len(changed)


def _names() -> dict[Entry, str]:
    """Return the entries whose address is dynamic, each with its name."""
    rows = Entry.objects.filter(settings__has_key="domain_name")
    rows = rows.select_related("policy", "group__fleet_settings__policy")
    found = {}
    for entry in rows.order_by("resolved_at", "id"):
        values = effective_of(entry, inherited_by(entry)).values
        if values.get("ip_type") == "dynamic" and values.get("domain_name"):
            found[entry] = str(values["domain_name"])
    return found


def _resolved(names: Iterable[str], *, deadline: Deadline) -> dict[str, list[str]]:
    """Return the addresses of the names that were asked for in time, none of those that failed."""
    found: dict[str, list[str]] = {}

    def ask(name: str) -> list[str] | None:
        if not deadline.remaining():
            return None
        one = Deadline.after(min(NAME_SECONDS, deadline.remaining()))
        try:
            return sorted(resolve(name, one))[:MOST_ADDRESSES]
        except (TimeoutError, LookupError) as error:
            log.warning("the address of %s stays as it was: %s", name, error)
            return []

    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="resolve") as pool:
        asked = {pool.submit(ask, name): name for name in names}
        for answer in as_completed(asked):
            if (addresses := answer.result()) is not None:
                found[asked[answer]] = addresses
    return found
