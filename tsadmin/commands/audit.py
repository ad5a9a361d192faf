"""audit: who did what, when and from where."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import typer
from django.db.models import QuerySet

from policies.models import Change
from policies.reports.changes import holds_digest, lines_of, verify_changes
from policies.services import record_export
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("When", "Who", "What", "To what", "Settings", "Way", "From")
_AGO = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which changes are wanted, as it was typed; "" for any."""

    since: str
    until: str
    actor: str
    subject: str
    verb: str


def print_changes(asked: Asked, *, rows: int, form: str, now: datetime) -> None:
    """Print the newest changes as a table, or all of them in a form that programs read."""
    found = _changes(asked, now=now)
    if form:
        record_export(actor=actor(), subject="changes", form=form, now=now)
        for line in lines_of(found, form=form):
            typer.echo(line, nl=False)
        return
    shown = list(found.order_by("-id")[: rows + 1])
    if not shown:
        print_hint("Nothing such was recorded.")
        return
    print_table(COLUMNS, [_row(change) for change in reversed(shown[:rows])])
    if len(shown) > rows:
        print_hint(f"The newest {rows} are shown; see --rows, --json and --csv.")


def verify(*, holds: str, as_json: bool) -> None:
    """Tell whether the record is whole; raises Refused where it is not."""
    found = verify_changes()
    missing = bool(holds) and not holds_digest(holds.strip().lower())
    if as_json:
        print_json({**asdict(found), "is_whole": found.is_whole and not missing})
        if missing or not found.is_whole:
            raise typer.Exit(1)
        return
    if not found.is_whole:
        raise Refused(found.sentence)
    if missing:
        raise Refused(f"no change has the digest {holds}: the record was cut off, or begun anew")
    print_line(found.sentence, tone="success")
    print_hint("Keep the digest elsewhere: 'tsadmin audit --verify --holds DIGEST' asks for it.")


def _changes(asked: Asked, *, now: datetime) -> QuerySet[Change]:
    found = Change.objects.all()
    if asked.since:
        found = found.filter(at__gte=_moment("--since", asked.since, now=now))
    if asked.until:
        found = found.filter(at__lt=_moment("--until", asked.until, now=now))
    if asked.actor:
        found = found.filter(actor__icontains=asked.actor)
    if asked.subject:
        found = found.filter(subject__icontains=asked.subject)
    return found.filter(verb=asked.verb) if asked.verb else found


def _moment(flag: str, text: str, *, now: datetime) -> datetime:
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        read = datetime.fromisoformat(text.strip())
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misused(
            f"{flag} {text} is no moment: write {now:%Y-%m-%dT%H:%M}, or 7d, 24h, 30m"
        ) from error


def _row(change: Change) -> tuple[str, ...]:
    settings = ", ".join(change.detail)
    return (
        f"{change.at:%Y-%m-%d %H:%M:%S}", change.actor, change.verb, change.subject, settings,
        change.channel, change.origin,
    )  # fmt: skip
