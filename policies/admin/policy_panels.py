"""What the page of a policy says around its form, table by table."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies.admin.base import Panel
from policies.admin.compilations import gained, lost, standing
from policies.admin.source_panels import age_shown
from policies.admin.story import facts_table
from policies.models import Policy, Snapshot
from policies.services import try_tests
from policies.states import Expectation
from policies.words import addresses, ago, count, link, shortened, table, word

SNAPSHOTS_SHOWN = 8
_TEST_TITLES = ("Address", "What must hold", "Note", "Outcome", "Why")


def published_panel(current: Snapshot | None, *, now: datetime) -> Panel:
    """Return what is in force."""
    if current is None:
        nothing = table((), (), empty="No snapshot was published yet.")
        return Panel("In force", nothing, name="published", is_half=True)
    facts = [
        ("Snapshot", format_html("{}, made {}", _numbered(current), _made(current, now=now))),
        ("Entries", count(current.entries)),
        ("Blocks", addresses(current.numbers["block"])),
        ("Allows", addresses(current.numbers["allow"])),
        ("Gained", gained(current)),
        ("Lost", lost(current)),
        *([("Note", current.note)] if current.note else []),
    ]
    return Panel("In force", facts_table(facts), name="published", is_half=True)


def sources_table(policy: Policy, *, now: datetime) -> SafeString:
    """Return its sources, how each does and how old its list is."""
    links = policy.policy_sources.select_related("source").order_by("-role", "priority", "id")
    return table(
        ("Source", "As", "Priority", "State", "Prefixes", "Retrieved", "Error"),
        (
            (
                link(one.source),
                one.role,
                one.priority,
                word(one.source.state_word.tone, one.source.state_word.label),
                count(one.source.list_prefixes if one.source.list_digest else None),
                age_shown(one.source, now=now),
                one.source.error,
            )
            for one in links
        ),
        empty="It has no sources; choose at least one block source below.",
    )


def tests_panels(policy: Policy) -> list[Panel]:
    """Return its tests and how each ends with the block list in force; [] where it has none."""
    if not policy.tests.exists():
        return []
    if policy.current is None:
        waiting = ((one.network, one.expect_word.label, one.note) for one in policy.tests.all())
        return [Panel("Tests", table(_TEST_TITLES[:3], waiting, empty=""), name="tests")]
    try:
        outcomes = try_tests(policy)
    except (OSError, ValueError) as error:
        lost_list = table((), (), empty=f"The list in force cannot be read: {error}")
        return [Panel("Tests", lost_list, tone="danger", name="tests")]
    rows = (
        (
            one.test.text,
            Expectation(one.test.expect).label,
            one.test.note,
            word("success", "holds") if one.is_passed else word("danger", "fails"),
            one.detail,
        )
        for one in outcomes
    )
    title = f"Tests, on the block list of snapshot {policy.current.number}"
    return [Panel(title, table(_TEST_TITLES, rows, empty=""), name="tests")]


def _numbered(snapshot: Snapshot) -> SafeString:
    return link(snapshot, f"#{snapshot.number}")


def _made(snapshot: Snapshot, *, now: datetime) -> SafeString:
    return ago(snapshot.created_at, now=now)


def history_panel(policy: Policy, *, now: datetime) -> Panel:
    """Return its newest snapshots, each with the way back to it."""
    rows = [
        (
            _numbered(one),
            _made(one, now=now),
            count(one.entries),
            gained(one),
            lost(one),
            standing(policy, one),
            shortened(one.note),
        )
        for one in policy.snapshots.order_by("-number")[:SNAPSHOTS_SHOWN]
    ]
    titles = ("Snapshot", "Published", "Entries", "Gained", "Lost", "", "Note")
    shown = table(titles, rows, empty="No snapshot was published yet.")
    url = reverse("admin:policies_snapshot_changelist")
    every = format_html('<a href="{}?policy__id__exact={}">All of them</a>', url, policy.pk)
    return Panel("Snapshots", shown, name="snapshots", more=every if rows else "")
