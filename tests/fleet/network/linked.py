"""The devices of a fleet, linked as administrators do it: an entry, one command on the device."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests.fleet.network.machines import (
    BEHIND,
    FEED_PORT,
    LISTED,
    Answer,
    Fleet,
    answer_of,
)

CLIENTS = {gateway: client for client, gateway in BEHIND.items()}
_ALARM = "SELECT message FROM policies_alarm WHERE kind = ? AND subject = ? AND closed_at IS NULL"

_STATUS_AGES = (
    "UPDATE fleet_entrystatus SET received_at = datetime(received_at, '-60 minutes') "
    "WHERE entry_id = (SELECT id FROM fleet_entry WHERE nickname = ?)"
)
_CONSOLE_AGES = "UPDATE policies_clock SET back_at = datetime(back_at, '-60 minutes')"
_REPORT_AGES = "UPDATE fleet_link SET reported_at = datetime(reported_at, '-60 minutes')"


@dataclass(frozen=True, slots=True)
class Linked:
    """A fleet, what was typed on each device, and what that answered."""

    fleet: Fleet
    command: Mapping[str, tuple[str, ...]]
    answer: Mapping[str, Answer]

    def with_flag(self, name: str, flag: str, value: str) -> tuple[str, ...]:
        """Return the command of a device with another value of one flag."""
        return tuple(
            f"{flag}={value}" if part.startswith(f"{flag}=") else part
            for part in self.command[name]
        )

    def is_dropped(self, gateway: str, address: str) -> bool:
        """Tell whether a gateway drops what its client sends to an address."""
        return not self.fleet.hosts.pings(CLIENTS[gateway], address)

    def feed(self, name: str = "appliance") -> list[str]:
        """Return the lines of a firewall's block list, as the firewall fetches it."""
        url = f"http://{self.fleet.hosts.addresses['appliance']}:{FEED_PORT}"
        path = f"{self.device_id(name)}/threatstop-block.txt"
        return self.fleet.hosts.run("fmc", "curl", "-sf", f"{url}/{path}").stdout.split()

    def device_id(self, name: str) -> str:
        """Return the ID of a device."""
        (found,) = (part for part in self.command[name] if part.startswith("--device_id="))
        return found.partition("=")[2]

    def alarm(self, name: str, kind: str) -> str:
        """Return what the portal of a device warns of, "" where it does not."""
        query = f"{_ALARM} AND fine_since IS NULL"
        found = self.fleet.portal_of(name).row(query, kind, f"entry {name}")
        return str(found[0]) if found else ""

    def let_time_pass(self, name: str) -> None:
        """Let what a device told of itself be an hour old, to it and to its portal."""
        self.fleet.portal_of(name).change(_STATUS_AGES, name)
        self.fleet.portal_of(name).change(_CONSOLE_AGES)
        self.fleet.machines[name].change(_REPORT_AGES)


def link_all(fleet: Fleet) -> Linked:
    """Make the entries, and link the devices."""
    portal, appliance = fleet.machines["portal"], fleet.machines["appliance"]
    firewall = fleet.hosts.addresses["fmc"]
    *made, of_gateway, of_firewall = portal.commands(
        "records create ours --for block",
        f"records add ours {LISTED} 5.6.9.0/24",
        "policy add edge --block ours",
        "fleet add gw1 --type iptables --policy edge --json",
        f"fleet add appliance --type firepower --policy edge --set management_ip={firewall} --json",
    )
    assert [one.code for one in made] == [0, 0, 0], made
    command = {"gw1": _typed(of_gateway), "appliance": _typed(of_firewall)}
    answer = _typed_at_once(fleet, command)
    *made, relayed = appliance.commands(
        "policy add relay --block edge-netb.tscm.internal --allow edge-neta.tscm.internal",
        "policy update relay",
        "fleet add gw2 --type iptables --policy relay --json",
    )
    assert [one.code for one in made] == [0, 0], made
    command["gw2"] = _typed(relayed)
    answer |= _typed_at_once(fleet, {"gw2": command["gw2"]})
    return Linked(fleet, command, answer)


def _typed(made: Answer) -> tuple[str, ...]:
    """Return what is to be typed on the device of an entry that was just made."""
    return tuple(made.json["command"].split()[1:])


def _typed_at_once(fleet: Fleet, command: Mapping[str, tuple[str, ...]]) -> dict[str, Answer]:
    started: dict[str, subprocess.Popen[str]] = {
        name: fleet.machines[name].begin(*typed) for name, typed in command.items()
    }
    return {name: answer_of(process) for name, process in started.items()}
