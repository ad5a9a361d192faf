"""The way around the console: what stands in the side bar, for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from fleet.reports.place import portal_place


@dataclass(frozen=True, slots=True)
class _Page:
    title: str
    model: str  # "app.model"
    icon: str
    view: str = ""  # the model's list where not given


_FLEET = "Fleet"

_GROUPS: tuple[tuple[str, tuple[_Page, ...]], ...] = (
    (
        "Delivery",
        (
            _Page("Devices", "devices.device", "router"),
            _Page("Pulls", "devices.pull", "download"),
            _Page(
                "Enforcement",
                "devices.device",  # what was done in a kernel is a part of its device
                "bolt",
                view="admin:enforcement_application_changelist",
            ),
        ),
    ),
    (
        "Logs",
        (
            # What came from a device and what became of it are parts of the device.
            _Page("Ledger", "devices.device", "balance", view="admin:logs_spool_changelist"),
            _Page("Batches", "devices.device", "inventory_2", view="admin:logs_batch_changelist"),
            _Page("Forwarding", "devices.device", "forward", view="admin:logs_forward_changelist"),
            _Page("Saved reports", "logs.savedreport", "bookmark"),
            _Page("Refused senders", "logs.sender", "person_off"),
            _Page("Receivers", "logs.receiver", "input"),
            _Page(
                "Unknown lines", "devices.device", "help", view="admin:logs_lineshape_changelist"
            ),
        ),
    ),
    (
        "What is blocked",
        (
            _Page("Policies", "policies.policy", "policy"),
            _Page("Sources", "policies.source", "rss_feed"),
            _Page("Lists kept here", "policies.listrecord", "edit_note"),
            _Page("Presets", "policies.source", "playlist_add", view="console:presets"),
            _Page("Snapshots", "policies.snapshot", "photo_camera"),
            _Page("Retrievals", "policies.retrieval", "sync"),
            _Page("Alarms", "policies.alarm", "notifications"),
            _Page("Who is told", "policies.alarmtarget", "campaign"),
            _Page("Protected addresses", "policies.protectedaddress", "verified_user"),
        ),
    ),
    (
        _FLEET,
        (
            _Page("Fleet", "fleet.entry", "hub", view="console:fleet"),
            _Page("Device entries", "fleet.entry", "dns"),
            _Page("What groups inherit", "fleet.groupsettings", "account_tree"),
            _Page("Rollouts", "fleet.rollout", "rocket_launch"),
            _Page("Published policies", "fleet.publication", "publish"),
        ),
    ),
    (
        "Administration",
        (
            _Page("Changes", "policies.change", "history"),
            _Page("Users", "auth.user", "person"),
            _Page("Roles and groups", "auth.group", "group"),
            _Page("Device groups", "devices.devicegroup", "workspaces"),
            _Page("API tokens", "accounts.apitoken", "key"),
            _Page("Sessions", "accounts.session", "devices"),
            _Page("Second factors", "accounts.secondfactor", "phonelink_lock"),
            _Page("Failed sign-ins", "accounts.failedsignin", "lock"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side bar: pages the user may see, the start page first."""
    start = {"title": "Overview", "icon": "shield", "link": reverse("admin:index")}
    first = [start]
    if request.user.has_perm("logs.view_hits"):
        reports = reverse("console:report")
        first.append({"title": "Reports", "icon": "monitoring", "link": reports})
    if request.user.has_perm("policies.view_policy"):
        first.append({"title": "Why?", "icon": "help", "link": reverse("console:why")})
    groups: list[dict[str, Any]] = [{"items": first}]
    for title, pages in _GROUPS:
        if title == _FLEET and portal_place() is None:
            continue
        items = [item for page in pages if (item := _item(page, request)) is not None]
        if title == "Administration":
            items.append({"title": "API", "icon": "api", "link": reverse("api-docs")})
        groups.append({"title": title, "items": items})
    return groups


def _item(page: _Page, request: HttpRequest) -> dict[str, Any] | None:
    app, _, model = page.model.partition(".")
    url = reverse(page.view or f"admin:{app}_{model}_changelist")
    may = any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))
    return {"title": page.title, "icon": page.icon, "link": url} if may else None


def favicon(request: HttpRequest) -> str:  # noqa: ARG001
    """Return the icon in the browser's tab."""
    return static("console/favicon.svg")


def stylesheet(request: HttpRequest) -> str:  # noqa: ARG001
    """Return the console's own style sheet."""
    return static("console/console.css")


def report_styles(request: HttpRequest) -> str:  # noqa: ARG001
    """Return the style sheet of charts and reports."""
    return static("console/reports.css")


def widget_styles(request: HttpRequest) -> str:  # noqa: ARG001
    """Return the style sheet that mends what widgets leave to be wished."""
    return static("console/widgets.css")


def script(request: HttpRequest) -> str:  # noqa: ARG001
    """Return the console's own script."""
    return static("console/console.js")
