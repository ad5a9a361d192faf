"""Publish a compiled policy: files first, then rows, then the flip, all or nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from netsets.cidr import AddressSet, Prefixes
from netsets.compile import Compiled
from netsets.render import FORMATS
from policies.models import ClaimLost, Feed, Policy, Snapshot
from policies.services.compilation import compilation_columns
from policies.states import Role
from policies.store import StoredFeed, feed_is_whole, get_set, put_feed

log = logging.getLogger(__name__)

FORMAT = "text"


class PublishFailed(Exception):
    """A snapshot could not be written; the one before is still in force, whole."""


def publish_snapshot(
    *,
    policy: Policy,
    compiled: Compiled,
    manifest: Sequence[dict[str, object]],
    owner: str,
    now: datetime,
    note: str = "",
) -> Snapshot:
    """Publish `compiled` as the policy's next snapshot and make it the current one.

    The caller holds the claim `owner` on the policy. A crash at any point leaves the old snapshot
    in force. Raises PublishFailed when the files cannot be written, ClaimLost when another worker
    took the policy over.
    """
    block, allow = compiled.block.prefixes(), compiled.allow.prefixes()
    try:
        columns = compilation_columns(
            policy=policy, compiled=compiled, block=block, allow=allow, manifest=manifest, now=now
        )
        feeds = {
            Role.BLOCK: put_list(block, empty=policy.empty_list_address),
            Role.ALLOW: put_list(allow, empty=policy.empty_list_address),
        }
    except OSError as error:
        raise PublishFailed(
            f"the snapshot of {policy.name} could not be written ({error.strerror or error}). The "
            f"last one stays in force. Make room on the disk of the data folder; the next try "
            f"follows in a minute."
        ) from error
    snapshot = Snapshot(policy=policy, number=policy.last_number + 1, note=note, **columns)
    _flip(policy, snapshot, feeds, owner=owner)
    log.info("publish policy=%s snapshot=%d entries=%d", policy, snapshot.number, snapshot.entries)
    return snapshot


def put_list(prefixes: Prefixes, *, empty: str) -> StoredFeed:
    """Store a list as a feed; raises OSError.

    A firewall keeps the old list when a feed is empty, so an empty list is never an empty feed.
    """
    body = FORMATS[FORMAT](prefixes) or FORMATS[FORMAT](AddressSet.of(empty).prefixes())
    return put_feed(body)


def mend_feeds(snapshot: Snapshot) -> None:
    """Bring back what the disk lost of a snapshot's feeds, out of its sets.

    Whatever its policy waits for meanwhile, firewalls go on asking for them.
    """
    sets = {Role.BLOCK: snapshot.block_digest, Role.ALLOW: snapshot.allow_digest}
    for feed in snapshot.feeds.all():
        if feed_is_whole(feed.digest, size=feed.size, gzip_size=feed.gzip_size):
            continue
        try:
            prefixes = get_set(sets[Role(feed.list)]).prefixes()
            put_list(prefixes, empty=snapshot.empty_list_address)
            log.warning("a lost feed was brought back: %s", feed)
        except (OSError, ValueError) as error:
            log.warning("a lost feed cannot be brought back: %s: %s", feed, error)


def _flip(policy: Policy, snapshot: Snapshot, feeds: dict[Role, StoredFeed], *, owner: str) -> None:
    with transaction.atomic():
        snapshot.save()
        Feed.objects.bulk_create(
            Feed(snapshot=snapshot, list=role, format=FORMAT, **asdict(stored))
            for role, stored in feeds.items()
        )
        mine = Policy.objects.filter(
            pk=policy.pk, claimed_by=owner, last_number=snapshot.number - 1
        )
        if mine.update(current=snapshot, last_number=snapshot.number) != 1:
            raise ClaimLost(f"policy {policy.name} was taken over by another worker")
