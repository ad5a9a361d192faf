"""U4: the pages of a large site; the slowest counts.

A thousand devices, ten thousand snapshots, a million hourly sums of hits, and as many pulls,
retrievals, batches and changes as a month leaves behind. Each list is asked for as it opens, its
last page, and with a word searched for; then every other page. Each is asked for as a browser
does it, by Django's client, in a child process with an appliance of its own:
`python -m bench.u4_pages ROWS` prints one line.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import appliance
from bench.rows import Row
from bench.timing import median_seconds

LIMIT = 300.0  # ms
TIMES = 5  # each page; its median counts
TIMEOUT = 1800  # seconds


def measure(*, size: int) -> list[Row]:
    """Return the row of the lists and that of the other pages, over `size` hourly sums."""
    with tempfile.TemporaryDirectory(prefix="bench-u4-") as folder:
        found: dict[str, Any] = appliance.ask_child(
            "bench.u4_pages", size, data_dir=Path(folder), timeout=TIMEOUT
        )
    return [
        _row("U4", "list pages", found["lists"], found),
        _row("U4pages", "other pages", found["pages"], found),
    ]


def _row(name: str, what: str, taken: dict[str, float], found: dict[str, Any]) -> Row:
    slowest = sorted(taken, key=lambda page: -taken[page])
    told = ", ".join(f"{page} {taken[page]:.0f} ms" for page in slowest[:3])
    return Row(
        name=name,
        work=f"the slowest of {len(taken)} {what} of a large site",
        peer="limit",
        peer_value=LIMIT,
        our_value=taken[slowest[0]],
        unit="ms",
        goal=f"≤ {LIMIT:.0f}",
        note=f"{told}; half of them within {sorted(taken.values())[len(taken) // 2]:.0f} ms; "
        f"{found['rows']:,} rows",
    )


def _child(size: int) -> None:
    appliance.set_up()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from bench.events import fill
    from bench.large_site import Size, furnish

    call_command("collectstatic", interactive=False, verbosity=0)  # pages name files by digest
    furnish(Size(hit_hours=size))
    fill(size)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.create_superuser("bench"))
    figures = {
        "lists": {name: _median(client.get, url) for name, url in _lists()},
        "pages": {name: _median(client.get, url) for name, url in _pages()},
        "rows": sum(shown.model.objects.count() for shown in _admins()) + size,
    }
    print(json.dumps(figures))


def _admins() -> Iterator[Any]:
    """Yield the pages of each model that has some."""
    from django.apps import apps
    from django.contrib import admin

    for model in apps.get_models():
        if admin.site.is_registered(model):
            yield admin.site.get_model_admin(model)


def _lists() -> Iterator[tuple[str, str]]:
    """Name each list of the console: as it opens, its last page, and searched."""
    from django.urls import reverse

    for shown in _admins():
        name = shown.opts.model_name
        url = reverse(f"admin:{shown.opts.app_label}_{name}_changelist")
        yield name, url
        rows = shown.model.objects.order_by("pk")
        last = shown.paginator(rows, shown.list_per_page).num_pages
        if last > 1:
            yield f"{name}, last page", f"{url}?p={last}"
        if shown.search_fields:
            yield f"{name}, searched", f"{url}?q=fmc-0007"
    devices = reverse("admin:devices_device_changelist")
    yield "device, by health", f"{devices}?health=never-pulled"
    yield "device, by snapshot", f"{devices}?o=5"


def _pages() -> Iterator[tuple[str, str]]:
    """Name each other page: a row of each kind, and what is no row."""
    from django.urls import reverse

    from devices.models import Device

    for shown in _admins():
        row = shown.model.objects.order_by("pk").first()
        if row is not None:
            page = f"admin:{shown.opts.app_label}_{shown.opts.model_name}_change"
            yield f"a {shown.opts.model_name}", reverse(page, args=[row.pk])
    gateway = Device.objects.filter(kind="iptables")[0]
    yield "a gateway", reverse("admin:devices_device_change", args=[gateway.pk])
    yield "overview", reverse("admin:index")
    for name in ("overview-now", "overview-hits", "report", "report-connections", "presets"):
        yield name, reverse(f"console:{name}")
    yield "why", f"{reverse('console:why')}?address=203.0.113.9"


def _median(get: Callable[[str], Any], url: str) -> float:
    """Return what a page takes once it was asked for, in milliseconds."""

    def ask() -> None:
        answer = get(url)
        if answer.status_code != 200:
            raise RuntimeError(f"U4: {answer.status_code} {url}")

    ask()
    return 1000 * median_seconds(ask, times=TIMES)


if __name__ == "__main__":
    _child(int(sys.argv[1]))
