"""Which iptables a host has: the programs of each family, and which of two kernel tables they use.

legacy is ip_tables, nf_tables its successor behind the same commands. Both can hold rules at once,
and a packet has to get by both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from enforcement.kernel import commands
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.iptables_save import Table, parse
from enforcement.kernel.layout import Version

LOCK_SECONDS = 10  # that a command waits for another program's turn at legacy tables
_NAMES: dict[Version, str] = {4: "/proc/net/ip_tables_names", 6: "/proc/net/ip6_tables_names"}
# What our rules need of a kernel that is built in parts.
_MODULES = (
    "where the set is there, see that the kernel has the modules xt_set, xt_time, xt_limit, xt_LOG"
    " and ipt_REJECT or ip6t_REJECT (modprobe tells), and nft_compat for nf_tables"
)
_HAS_IPV6 = Path("/proc/net/if_inet6")
_SUFFIX = {True: "nft", False: "legacy"}  # of the other backend's programs, by whether ours is old


@dataclass(frozen=True, slots=True)
class Tool:
    """The programs for one family."""

    program: str  # such as "ip6tables" or "iptables-legacy"
    version: Version
    is_legacy: bool

    def save(self, *options: str) -> dict[str, Table]:
        """Read tables back with their counters. Raises EnforceUnavailable."""
        command = [f"{self.program}-save", *options]
        done = commands.run(command)
        if done.code != 0:
            raise EnforceUnavailable(
                f"{' '.join(command)} failed: {done.complaint}; load the module {self._module()},"
                " or choose the other backend by update-alternatives"
            )
        try:
            return parse(done.output.decode(errors="replace"))
        except ValueError as error:
            raise EnforceUnavailable(
                f"{' '.join(command)} cannot be read: {error}; see by hand what it says"
            ) from error

    def _module(self) -> str:
        """Return the kernel module that has the filter table."""
        if not self.is_legacy:
            return "nf_tables"
        return "iptable_filter" if self.version == 4 else "ip6table_filter"

    def filter(self) -> Table:
        """Read the filter table back. Raises EnforceUnavailable."""
        return self.save("-c", "-t", "filter").get("filter", {})

    def restore(self, text: str) -> None:
        """Do all lines of a text at once or none; what it does not name stays.

        Raises EnforceUnavailable.
        """
        command = [f"{self.program}-restore", "-w", str(LOCK_SECONDS), "--noflush"]
        done = commands.run(command, given=text.encode())
        if done.code != 0:
            raise EnforceUnavailable(
                f"{command[0]} changed nothing, the rules are what they were: {done.complaint};"
                f" {_MODULES}"
            )


def programs(program: str = "iptables") -> tuple[tuple[str, Version], ...]:
    """Return the program for IPv4 and, where the kernel has it, the one for IPv6.

    `program` such as "iptables-legacy" chooses otherwise than the host.
    """
    six = program.replace("iptables", "ip6tables", 1)
    return ((program, 4), (six, 6)) if _HAS_IPV6.exists() else ((program, 4),)


def find_tool(program: str, version: Version) -> Tool:
    """Return the tool that a program is. Raises EnforceUnavailable where it is not installed."""
    return Tool(program, version, is_legacy=_is_legacy(program))


def other_backend(tool: Tool, *tables: str) -> Tool | None:
    """Return the tool of the backend that the host does not use, None where nothing is there.

    `iptables-legacy-save` would make the tables it looks for: it is one only where the kernel
    names those tables, or any where none are given.
    """
    if not tool.is_legacy:
        there = legacy_tables(tool.version)
        if not there or not there.issuperset(tables):
            return None
    family = "iptables" if tool.version == 4 else "ip6tables"
    other = Tool(f"{family}-{_SUFFIX[tool.is_legacy]}", tool.version, not tool.is_legacy)
    return None if commands.find(f"{other.program}-save") is None else other


def foreign_rules(tool: Tool) -> Iterator[str]:
    """Yield a warning where the backend that the host does not use holds rules."""
    other = other_backend(tool)
    if other is None:
        return
    try:
        tables = other.save()
    except EnforceUnavailable as error:
        yield f"what the other backend holds is not known: {error}"
        return
    count = sum(len(chain.rules) for table in tables.values() for chain in table.values())
    if count:
        yield (
            f"{other.program} holds {count:,} rules, but {tool.program} of this host writes to"
            f" {'legacy' if tool.is_legacy else 'nf_tables'}: packets have to get by both, see"
            f" {other.program}-save"
        )


def _is_legacy(program: str) -> bool:
    done = commands.run([program, "-V"])
    said = done.output.decode(errors="replace").strip()
    if done.code != 0 or not said:
        raise EnforceUnavailable(
            f"{program} -V failed: {done.complaint}; install the package of iptables again"
        )
    # Before 1.8 there was one backend, and nothing was said of it.
    return "nf_tables" not in said


def legacy_tables(version: Version) -> frozenset[str]:
    """Return the tables that the kernel names, without making any; none where it cannot be told."""
    try:
        return frozenset(Path(_NAMES[version]).read_text().split())
    except OSError:  # no such kernel module, or not for us to read
        return frozenset()
