"""Where lists come from: one module a kind, all of them named here."""

from __future__ import annotations

from policies.sources.base import Source
from policies.sources.dns_list import DnsListSource
from policies.sources.memory import MemorySource
from policies.sources.user_list import UserListSource

SOURCES: dict[str, type[Source]] = {
    "dns": DnsListSource,
    "memory": MemorySource,
    "user": UserListSource,
}
