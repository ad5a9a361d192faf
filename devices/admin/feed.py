"""A feed for the eye: its URL, its numbers and its first lines, never all of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from devices.hosts import feed_base_url
from devices.models import Device
from devices.services import PublishedFeed, feed_urls, published_device
from policies.store import feed_path

LINES_SHOWN = 200
_LONGEST_LINE = 50  # "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128" and its end


@dataclass(frozen=True, slots=True)
class FeedPreview:
    """One feed of a device; `feed` is None while nothing is published."""

    role: str
    url: str
    feed: PublishedFeed | None
    lines: tuple[str, ...] = ()
    is_whole: bool = True
    problem: str = ""


def urls_of(device: Device) -> dict[str, str]:
    """Return the URLs of a device's feeds, by "block" and "allow"."""
    return feed_urls(device, base=feed_base_url(settings.TSCM_FEED_BIND))


def previews_of(device: Device, *, lines: int = LINES_SHOWN) -> list[FeedPreview]:
    """Return what is served to a device now, block list first, with so many lines of each."""
    published = published_device(device.device_id)
    feeds = published.feeds if published else {}
    urls = urls_of(device).items()
    return [_preview(role, url, feeds.get(role), most=lines) for role, url in urls]


def _preview(role: str, url: str, feed: PublishedFeed | None, *, most: int) -> FeedPreview:
    if feed is None:
        return FeedPreview(role, url, None)
    bound = most * _LONGEST_LINE
    try:
        with feed_path(feed.digest, ".txt").open("rb") as file:
            head = file.read(bound)
    except OSError as error:
        return FeedPreview(role, url, feed, problem=f"The feed cannot be read: {error.strerror}.")
    lines = head.decode("ascii", "replace").splitlines()
    is_whole = len(head) == feed.size and len(lines) <= most
    if len(head) < feed.size and not head.endswith(b"\n"):
        lines = lines[:-1]
    return FeedPreview(role, url, feed, tuple(lines[:most]), is_whole)
