"""fleet publish: policies as zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.api.publications import PolicyZoneSerializer
from fleet.models import PolicyZone, Publication
from fleet.reports.place import portal_place
from fleet.services.publications import publish_policy, unpublish_policy
from fleet.tasks import nudge
from policies.models import Policy
from tsadmin.commands.columns import read_columns
from tsadmin.commands.finding import find_policy_itself
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Zone", "Form", "Lists", "Serial", "Snapshot", "Entries", "Written", "Error")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed; None where it was not."""

    networks: Sequence[str] | None
    stop: bool
    forms: str | None = None
    by_address: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether no flag was given."""
        return self == Asked(networks=None, stop=False)


def publish(*, policy: str, asked: Asked, now: datetime, as_json: bool) -> None:
    """Publish a policy, or stop that; print its zones."""
    found = find_policy_itself(policy)
    held = Publication.objects.filter(policy=found).first()
    if asked.stop:
        if held is None:
            raise Refused(f"{policy} is not published")
        unpublish_policy(publication=held, actor=actor(), now=now)
        nudge()
        _tell(f"{policy} is published no more.", {"unpublished": policy}, as_json=as_json)
        return
    if not asked.is_nothing:
        publish_policy(policy=found, **_wanted(asked, held), actor=actor(), now=now)
        nudge()
    _show(found, as_json=as_json)


def _wanted(asked: Asked, held: Publication | None) -> dict[str, Any]:
    row = held or Publication()
    typed = {} if asked.by_address is None else {"by_address": asked.by_address}
    by_address = read_columns(typed, model=Publication, known=("by_address",))
    forms = None if asked.forms is None else [one.strip() for one in asked.forms.split(",")]
    if forms is None and held is None:
        raise Misused("it is not published yet: say in what --forms")
    return {
        "forms": row.forms if forms is None else forms,
        "networks": row.networks if asked.networks is None else list(asked.networks),
        "by_address": by_address.get("by_address", row.by_address),
    }


def _show(policy: Policy, *, as_json: bool) -> None:
    publication = Publication.objects.filter(policy=policy).first()
    zones = list(PolicyZone.objects.filter(publication=publication).order_by("name"))
    if as_json:
        print_json(
            {
                "policy": policy.name,
                "forms": publication.forms if publication else [],
                "networks": publication.networks if publication else [],
                "zones": [PolicyZoneSerializer(zone).data for zone in zones],
            }
        )
    elif zones:
        print_table(COLUMNS, [_row(zone) for zone in zones])
    elif publication is None:
        print_hint(f"{policy.name} is not published. See 'tsadmin fleet publish --help'.")
    else:
        where = "" if portal_place() else "; this console is no portal (TSCM_PORTAL_PRIMARY)"
        print_line(f"{policy.name} is published as {', '.join(publication.forms)}.")
        print_hint(f"Its zones come with the next publish, within a minute{where}.")


def _row(zone: PolicyZone) -> tuple[str, ...]:
    number = zone.snapshot_number
    written = f"{zone.written_at:%Y-%m-%d %H:%M} UTC" if zone.written_at else "never"
    return (
        zone.name, zone.form, zone.role, str(zone.serial), "" if number is None else str(number),
        f"{zone.entries:,}", written, zone.error,
    )  # fmt: skip


def _tell(sentence: str, told: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        print_line(sentence, tone="success")
