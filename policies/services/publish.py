"""Publish a compiled policy: files first, then rows, then the flip, all or nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from netsets.cidr import AddressSet, Prefixes
from netsets.compile import Compiled
from netsets.diff import diff
from netsets.render import FORMATS
from policies.models import ClaimLost, Feed, Policy, Snapshot
from policies.states import Role
from policies.store import StoredFeed, get_set_if_whole, put_feed, put_set

log = logging.getLogger(__name__)

FORMAT = "text"


class PublishFailed(Exception):
    """A snapshot could not be written; the one before is still in force, whole."""


def publish_snapshot(
    *,
    policy: Policy,
    compiled: Compiled,
    manifest: Sequence[dict[str, str]],
    owner: str,
    now: datetime,
) -> Snapshot:
    """Publish `compiled` as the policy's next snapshot and make it the current one.

    The caller holds the claim `owner` on the policy. A crash at any point leaves the old snapshot
    in force. Raises PublishFailed when the files cannot be written, ClaimLost when another worker
    took the policy over.
    """
    block, allow = compiled.block.prefixes(), compiled.allow.prefixes()
    files = _write_files(policy, compiled, block, allow)
    snapshot = Snapshot(
        policy=policy,
        number=policy.last_number + 1,
        created_at=now,
        block_digest=files.block_digest,
        allow_digest=files.allow_digest,
        block_prefixes=len(block),
        allow_prefixes=len(allow),
        entries=len(block) + len(allow),
        empty_list_address=policy.empty_list_address,
        numbers=files.numbers,
        cuts=[[cut.reason, cut.addresses] for cut in compiled.cuts],
        sources=list(manifest),
    )
    _flip(policy, snapshot, files.feeds, owner=owner)
    log.info("publish policy=%s snapshot=%d entries=%d", policy, snapshot.number, snapshot.entries)
    return snapshot


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a snapshot, written and synced, and what was counted on the way."""

    block_digest: str
    allow_digest: str
    feeds: dict[Role, StoredFeed]
    numbers: dict[str, dict[str, int]]


def _write_files(policy: Policy, compiled: Compiled, block: Prefixes, allow: Prefixes) -> _Files:
    empty = policy.empty_list_address
    try:
        return _Files(
            block_digest=put_set(compiled.block),
            allow_digest=put_set(compiled.allow),
            feeds={
                Role.BLOCK: _put_feed(block, empty=empty),
                Role.ALLOW: _put_feed(allow, empty=empty),
            },
            numbers=_numbers(compiled, policy.current),
        )
    except OSError as error:
        raise PublishFailed(
            f"the snapshot of {policy.name} could not be written ({error.strerror or error}). The "
            f"last one stays in force. Make room on the disk of the data folder; the next try "
            f"follows in a minute."
        ) from error


def _put_feed(prefixes: Prefixes, *, empty: str) -> StoredFeed:
    # A firewall keeps the old list when a feed is empty, so an empty list is never an empty feed.
    body = FORMATS[FORMAT](prefixes) or FORMATS[FORMAT](AddressSet.of(empty).prefixes())
    return put_feed(body)


def _numbers(compiled: Compiled, current: Snapshot | None) -> dict[str, dict[str, int]]:
    """Return the addresses of each list and family, and the difference to the current snapshot."""
    before = get_set_if_whole(current.block_digest if current else "", of=str(current))
    difference = diff(before, compiled.block)
    sets = {
        "block": compiled.block,
        "allow": compiled.allow,
        "added": difference.added,
        "removed": difference.removed,
    }
    return {
        name: {
            "addresses4": found.count4,
            "addresses6": found.count6,
            "prefixes": len(found.prefixes()),
        }
        for name, found in sets.items()
    }


def _flip(policy: Policy, snapshot: Snapshot, feeds: dict[Role, StoredFeed], *, owner: str) -> None:
    with transaction.atomic():
        snapshot.save()
        Feed.objects.bulk_create(
            Feed(
                snapshot=snapshot,
                list=role,
                format=FORMAT,
                digest=stored.digest,
                md5=stored.md5,
                size=stored.size,
                gzip_size=stored.gzip_size,
                lines=stored.lines,
            )
            for role, stored in feeds.items()
        )
        mine = Policy.objects.filter(
            pk=policy.pk, claimed_by=owner, last_number=snapshot.number - 1
        )
        if mine.update(current=snapshot, last_number=snapshot.number) != 1:
            raise ClaimLost(f"policy {policy.name} was taken over by another worker")
