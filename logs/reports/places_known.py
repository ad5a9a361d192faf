"""Whether reports know countries and networks: by files that the site supplies."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from logs.events.filters import By
from logs.events.geo import table_of
from logs.reports.event_files import ReportRefused
from logs.reports.places import events_dir

VARIABLES = {By.COUNTRY: "TSCM_GEO_COUNTRY", By.NETWORK: "TSCM_GEO_NETWORK"}


def supplied(by: By) -> Path | None:
    """Return the file that the site supplies for countries or networks; None where it does not."""
    given: Path | None = getattr(settings, VARIABLES[by])
    return given


def offered() -> tuple[By, ...]:
    """Return what a summary may be by here."""
    return tuple(by for by in By if by not in VARIABLES or supplied(by) is not None)


def places_table(by: By) -> Path:
    """Return the table of places. Raises ReportRefused where there is none, with the next step."""
    database = supplied(by)
    if database is None:
        raise ReportRefused(
            f"Reports know no {by} here: have {VARIABLES[by]} name a file in MaxMind's format."
        )
    try:
        table = table_of(events_dir(), by, database)
    except OSError as error:
        raise ReportRefused(
            f"{database}, which {VARIABLES[by]} names, cannot be read: {error.strerror}."
        ) from error
    if not table.exists():
        raise ReportRefused(
            f"{database} is being read: ask again in a minute. If this stays, the worker tells "
            "in its log what is wrong with the file."
        )
    return table
