"""Whether the feed server can do its work: what is in force is found, and read from disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from django.db import Error, close_old_connections

from policies.models import Feed, Policy
from policies.readiness import Part, Remembered, Report, degraded, not_ready, ready
from policies.store import feed_path

REMEMBERED_SECONDS = 2.0
# Each is a look at the disk; of more policies the newest are looked at.
MOST_POLICIES = 200


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    digest: str
    size: int


def examine(*, held: Callable[[], int]) -> Report:
    """Return how the feed server does; `held` tells how many devices it knows by heart.

    While the database is away it goes on with those, and has no use without any.
    """
    close_old_connections()
    try:
        files = _in_force()
    except Error as error:
        return Report((_away(type(error).__name__, held()),))
    return Report((ready("database", "It answers."), _files(files)))


def _away(why: str, held: int) -> Part:
    said = f"The database does not answer ({why})"
    if held:
        return degraded("database", f"{said}; {held} devices are served as they were.")
    return not_ready("database", f"{said}, and no device is known.")


def _in_force() -> list[_File]:
    newest = Policy.objects.exclude(current=None).order_by("-current__created_at", "-id")
    snapshots = list(newest.values_list("current", flat=True)[:MOST_POLICIES])
    rows = (
        Feed.objects.filter(snapshot__in=snapshots)
        .order_by("id")
        .select_related("snapshot__policy")
    )
    return [
        _File(f"{feed.snapshot} {feed.list}", feed.digest, feed.size)
        for feed in rows.only(
            "list", "digest", "size", "snapshot__number", "snapshot__policy__name"
        )
    ]  # fmt: skip


def _files(files: list[_File]) -> Part:
    broken = [file.name for file in files if not _is_whole(file)]
    if not files:
        return ready("feeds", "Nothing is published yet.")
    if not broken:
        return ready("feeds", f"{len(files)} files are there and whole.")
    said = f"{len(broken)} of {len(files)} files cannot be read, such as {broken[0]}"
    if len(broken) < len(files):
        return degraded("feeds", f"{said}. Update its policy.")
    return not_ready("feeds", f"{said}. Bring the folder `feeds` of the data folder back.")


def _is_whole(file: _File) -> bool:
    path = feed_path(file.digest, ".txt")
    try:
        return path.stat().st_size == file.size and os.access(path, os.R_OK)
    except OSError:
        return False


def remembered(*, held: Callable[[], int]) -> Remembered[Report]:
    """Return the last report, asked for again when it is two seconds old."""
    return Remembered(lambda: examine(held=held), seconds=REMEMBERED_SECONDS)
