"""source list, show, add, configure, remove: where lists come from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime

from policies import services
from policies.api.serializers import RetrievalSerializer, SourceSerializer
from policies.models import Retrieval, Source
from policies.services.manage_sources import SOURCE_COLUMNS
from policies.services.sources import secret_names
from policies.sources import SOURCES
from policies.tasks import nudge
from policies.words import said
from tsadmin import ask
from tsadmin.commands.columns import read_columns
from tsadmin.commands.finding import find_source
from tsadmin.commands.given import read_settings
from tsadmin.errors import Misused
from tsadmin.screen import print_facts, print_hint, print_json, print_line, print_table
from tsadmin.site import actor
from tsadmin.words import SET, counted

COLUMNS = ("Source", "Kind", "State", "Entries", "Retrieved", "Policies")
RETRIEVALS = ("Retrieved at", "Outcome", "Entries", "Added", "Removed", "Seconds", "Error")
RETRIEVALS_SHOWN = 10


def list_sources(*, now: datetime, as_json: bool) -> None:
    """Print every source."""
    rows = list(Source.objects.prefetch_related("policies").order_by("name", "id"))
    if as_json:
        print_json({"sources": [_row_json(one, now=now) for one in rows]})
    elif rows:
        print_table(COLUMNS, [_row(one, now=now) for one in rows])
    else:
        print_hint("No sources yet. See 'tsadmin source add --help', or 'tsadmin source presets'.")


def show_source(*, name: str, now: datetime, as_json: bool) -> None:
    """Print everything about one source but its secrets."""
    source = find_source(name)
    newest = list(source.retrievals.order_by("-started_at", "-id")[:RETRIEVALS_SHOWN])
    if as_json:
        retrievals = RetrievalSerializer(newest, many=True).data
        print_json({**source_json(source), "retrievals": retrievals})
        return
    print_facts(_facts(source, now=now))
    if newest:
        print_line("")
        print_table(RETRIEVALS, [_retrieval_row(one) for one in newest])


def add_source(
    *,
    name: str,
    kind: str,
    given: Sequence[str],
    columns: Mapping[str, str],
    now: datetime,
    as_json: bool,
) -> None:
    """Make a source from flags."""
    source = services.create_source(
        name=name,
        kind=kind,
        settings=read_settings(given),
        options=read_columns(columns, model=Source, known=SOURCE_COLUMNS),
        actor=actor(),
        now=now,
    )
    if as_json:
        print_json(source_json(find_source(source.name)))
        return
    print_line(f"Added {source.name}.", tone="success")
    print_hint(
        f"It is retrieved once a policy takes it: tsadmin policy configure POLICY --block "
        f"{shlex.quote(source.name)}"
    )


def configure_source(
    *,
    name: str,
    given: Sequence[str],
    columns: Mapping[str, str],
    now: datetime,
    as_json: bool,
) -> None:
    """Change the settings and the columns that flags name."""
    if not given and not columns:
        raise Misused("nothing to change: name a flag, see 'tsadmin source configure --help'")
    source = find_source(name)
    changes = read_columns(columns, model=Source, known=SOURCE_COLUMNS)
    if "kind" in changes:  # the settings of one kind say nothing to another
        changes["settings"] = read_settings(given)
    elif given:
        changes["settings"] = _merged(source, read_settings(given))
    services.change_source(source=source, changes=changes, actor=actor(), now=now)
    nudge()
    source = find_source(source.name)
    if as_json:
        print_json(source_json(source))
        return
    print_line(f"Changed {source.name}.", tone="success")
    print_hint(
        f"In effect within a minute. At once: tsadmin source update {shlex.quote(source.name)}"
    )


def remove_source(*, name: str, yes: bool, asking: bool, now: datetime, as_json: bool) -> None:
    """Remove a source after a question."""
    source = find_source(name)
    if not yes:
        ask.confirm_removal(name, consequence="Its list goes with it.", asking=asking)
    services.delete_source(source=source, actor=actor(), now=now)
    if as_json:
        print_json({"removed": name})
    else:
        print_line(f"Removed {name}.", tone="success")


def source_json(source: Source) -> dict[str, object]:
    """Return a source as the API does, with the names of its policies."""
    return {**SourceSerializer(source).data, "policies": _policies(source)}


def _merged(source: Source, given: Mapping[str, object]) -> dict[str, object]:
    """Return the settings with those given; an empty text takes away one that was there.

    A secret that is taken away stays in it, empty: that is how the service is told.
    """
    merged = {**source.settings, **given}
    gone = {name for name in source.settings if merged[name] == ""}
    return {name: value for name, value in merged.items() if name not in gone}


def _policies(source: Source) -> list[str]:
    return sorted(policy.name for policy in source.policies.all())


def _state(source: Source, *, now: datetime) -> str:
    if not source.is_enabled:
        return "turned off"
    label = str(source.state_word.label)
    return f"{label}, stale" if source.is_stale(now=now) else label


def _retrieved(source: Source) -> str:
    at = source.retrieved_at
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"


def _row(source: Source, *, now: datetime) -> tuple[str, ...]:
    return (
        source.name,
        source.kind,
        _state(source, now=now),
        f"{source.list_entries:,}",
        _retrieved(source),
        ", ".join(_policies(source)),
    )


def _row_json(source: Source, *, now: datetime) -> dict[str, object]:
    return {
        "name": source.name,
        "kind": source.kind,
        "is_enabled": source.is_enabled,
        "state": source.state,
        "is_stale": source.is_stale(now=now),
        "list_entries": source.list_entries,
        "retrieved_at": source.retrieved_at,
        "policies": _policies(source),
    }


def _list_text(source: Source) -> str:
    entries = counted(source.list_entries, "entry", "entries")
    return f"{entries}, {counted(source.list_prefixes, 'prefix', 'prefixes')}"


def _retrieval_row(one: Retrieval) -> tuple[str, ...]:
    return (
        f"{one.started_at:%Y-%m-%d %H:%M}",
        str(one.outcome_word.label),
        f"{one.entries:,}",
        f"+{int(one.added):,}",
        f"-{int(one.removed):,}",
        f"{one.seconds:.1f}",
        one.error,
    )


def _facts(source: Source, *, now: datetime) -> list[tuple[str, str]]:
    kind = SOURCES.get(source.kind)
    return [
        ("Source", source.name + (" (sample)" if source.is_sample else "")),
        ("Kind", f"{source.kind}: {kind.label}" if kind else source.kind),
        *((f"Setting {name}", said(value)) for name, value in source.settings.items()),
        *((f"Setting {name}", SET) for name in secret_names(source)),
        ("May be empty", said(source.may_be_empty)),
        ("Shrink limit", f"{source.shrink_limit} %"),
        ("Severity", f"{source.severity} of 5"),
        ("Retrieved every", "minute" if source.is_watched else f"{source.refresh_minutes} minutes"),
        ("Stale after", source.stale_limit),
        ("State", _state(source, now=now)),
        *([("Error", source.error)] if source.error else []),
        ("List", _list_text(source)),
        ("Retrieved", _retrieved(source)),
        ("Policies", ", ".join(_policies(source)) or "none"),
    ]
