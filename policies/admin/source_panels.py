"""What the page of a source says around its form, table by table."""

from __future__ import annotations

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies.admin.base import Panel
from policies.admin.story import facts_table, with_note
from policies.models import Policy, Source
from policies.services.sources import secret_names
from policies.visible import Person, visible
from policies.words import NOTHING, ago, count, link, shortened, table, word

RETRIEVALS_SHOWN = 8


def age_shown(source: Source, *, now: datetime) -> SafeString:
    """Return how old the list is, and whether that is too old."""
    age = ago(source.retrieved_at, now=now)
    return format_html("{} {}", age, word("danger", "stale")) if source.is_stale(now=now) else age


def list_panel(source: Source, *, now: datetime) -> Panel:
    """Return the list held, its age, and what is asked next."""
    held = (
        f"{source.list_prefixes:,} prefixes of {source.list_entries:,} entries"
        if source.list_digest
        else "No list is held yet"
    )
    unread = f"{source.list_skipped:,} could not be read" if source.list_skipped else ""
    secrets = ", ".join(f"{name}: set" for name in secret_names(source))
    facts: list[tuple[str, object]] = [
        ("List", with_note(held, unread)),
        (
            "Retrieved",
            with_note(age_shown(source, now=now), f"stale after {source.stale_limit}"),
        ),
        ("Last asked", ago(source.checked_at, now=now)),
        ("Last change", ago(source.changed_at, now=now)),
        ("Next retrieval", next_shown(source, now=now)),
        ("Answered by", source.server or NOTHING),
        ("Severity", f"{source.severity} of 5"),
        *([("Failures in a row", count(source.failures))] if source.failures else []),
        *([("Secrets", secrets)] if secrets else []),
    ]
    return Panel("Its list", facts_table(facts), name="list", is_half=True)


def next_shown(source: Source, *, now: datetime) -> SafeString:
    """Return when it is retrieved next."""
    if not source.is_enabled:
        return SafeString("never: it is disabled")
    return ago(source.due_at, now=now) if source.due_at > now else SafeString("due now")


def policies_table(source: Source, *, seen_by: Person) -> SafeString:
    """Return the policies that take it, those that the person sees."""
    links = source.policy_sources.select_related("policy").order_by("policy__name", "id")
    links = links.filter(policy__in=visible(Policy.objects.all(), seen_by))
    return table(
        ("Policy", "As", "Priority", "State"),
        (
            (
                link(one.policy),
                one.role,
                one.priority,
                word(one.policy.state_word.tone, one.policy.state_word.label),
            )
            for one in links
        ),
        empty="No policy takes it: it is not retrieved.",
    )


def retrievals_table(source: Source) -> SafeString:
    """Return how it was retrieved lately."""
    return table(
        ("When", "Outcome", "Entries", "Took", "Error"),
        (
            (
                link(one, f"{one.started_at:%Y-%m-%d %H:%M:%S}"),
                word(one.outcome_word.tone, one.outcome_word.label),
                count(one.entries),
                f"{one.seconds:.1f} s",
                shortened(one.error),
            )
            for one in source.retrievals.order_by("-started_at", "-id")[:RETRIEVALS_SHOWN]
        ),
        empty="It was not retrieved yet.",
    )
