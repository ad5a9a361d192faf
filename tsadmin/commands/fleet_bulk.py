"""fleet bulk: many device entries at once, seen before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from fleet.api.bulk import BulkPreviewSerializer
from fleet.models import Entry
from fleet.services.bulk import BulkChange, Difference, Preview, apply_bulk, preview_bulk
from fleet.tasks import nudge
from policies.words import said
from tsadmin import ask
from tsadmin.commands.device_groups import find_group
from tsadmin.commands.steering import Wanted, find_entry
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor
from tsadmin.words import counted

COLUMNS = ("Name", "Setting", "Now", "Then")
LINES_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Which:
    """The entries that are meant, as typed."""

    everything: bool
    of_group: str | None
    entries: Sequence[str]

    def rows(self) -> QuerySet[Entry]:
        """Return them; raises Misused where not exactly one way was chosen."""
        if sum((self.everything, self.of_group is not None, bool(self.entries))) != 1:
            raise Misused("say which: one of --all, --of-group GROUP and --entry NAME")
        if self.of_group is not None:
            return Entry.objects.filter(group=find_group(self.of_group))
        if self.entries:
            return Entry.objects.filter(pk__in=[find_entry(name).pk for name in self.entries])
        return Entry.objects.all()


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is gone about."""

    dry_run: bool
    yes: bool
    asking: bool
    as_json: bool


def bulk(*, which: Which, wanted: Wanted, manner: Manner, now: datetime) -> None:
    """Show what a change does, and do it once that is confirmed."""
    change, entries = BulkChange(wanted.change(), wanted.group()), which.rows()
    preview = preview_bulk(entries=entries, change=change)
    if not manner.as_json:
        _show(preview)
    if preview.refused or not preview.changed or manner.dry_run:
        _leave(preview, as_json=manner.as_json)
        return
    if not manner.yes:
        _confirm(preview, asking=manner.asking)
    apply_bulk(entries=entries, change=change, digest=preview.digest, actor=actor(), now=now)
    nudge()
    if manner.as_json:
        print_json({**BulkPreviewSerializer(preview).data, "applied": True})
    else:
        number = counted(len(preview.changed), "entry", "entries")
        print_line(f"Changed {number}.", tone="success")
        print_hint("In force on the devices within five minutes.")


def _leave(preview: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json({**BulkPreviewSerializer(preview).data, "applied": False})
    if preview.refused:
        number = counted(len(preview.refused), "entry does", "entries do")
        raise Refused(f"{number} not take it; nothing was changed")


def _confirm(preview: Preview, *, asking: bool) -> None:
    if not asking:
        raise Misused("nobody is there to confirm: add --yes to do it, or --dry-run to look")
    if not ask.confirm(f"Change {counted(len(preview.changed), 'entry', 'entries')}?"):
        raise Refused("nothing was changed")


def _then(one: Difference) -> str:
    return f"{said(one.after)}, {one.note}" if one.note else said(one.after)


def _show(preview: Preview) -> None:
    rows = [(line.entry.nickname, "refused", line.refusal, "") for line in preview.refused]
    rows += [
        (line.entry.nickname, one.name, said(one.before), _then(one))
        for line in preview.changed
        for one in line.differences
    ]
    if rows:
        print_table(COLUMNS, rows[:LINES_SHOWN])
    if len(rows) > LINES_SHOWN:
        print_line(f"… and {len(rows) - LINES_SHOWN:,} more lines; --json has them.")
    print_line(
        f"{len(preview.changed):,} change, {preview.unchanged:,} stay, "
        f"{len(preview.refused):,} refuse."
    )
