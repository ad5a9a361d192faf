"""Where lists come from: one module a kind, all of them named here."""

from __future__ import annotations

from policies.sources.base import Source
from policies.sources.dns_list import DnsListSource
from policies.sources.files import FileSource
from policies.sources.http import HttpSource
from policies.sources.memory import MemorySource
from policies.sources.user_list import UserListSource
from policies.sources.zone import ZoneSource

SOURCES: dict[str, type[Source]] = {
    "dns": DnsListSource,
    "file": FileSource,
    "http": HttpSource,
    "memory": MemorySource,
    "zone": ZoneSource,
    "user": UserListSource,
}

# Kinds that are looked at every minute: to see that nothing changed costs next to nothing.
WATCHED = frozenset({"file"})
