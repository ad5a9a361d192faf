"""What rsyslog is told where it writes a device's files: a drop-in, as text.

It takes the lines of the device's senders as they came, and nothing of them goes elsewhere. As in
the receiver a line belongs to the longest network that any device has.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from logs.receiver.kernel_log import PREFIX
from logs.receiver.senders import KnownSender

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Whatever else a path may hold means something in a configuration of rsyslog.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+@:,=~-]*")
_NETWORK_INPUTS = """\
module(load="imudp")
module(load="imtcp")
input(type="imudp" port="514")
input(type="imtcp" port="514")
"""
_KERNEL_INPUT = 'module(load="imklog")\n'
_HEAD = """\
# Written by TSCM (tsadmin rsyslog {nickname}); written anew by --install.
# The lines of {nickname}, for TSCM to keep, upload and forward. Nothing of them goes elsewhere.
{inputs}template(name="tscm-{nickname}" type="string" string="{template}\\n")
if {condition} then {{
    action(type="omfile" file="{file}" template="tscm-{nickname}"
           fileOwnerNum="{user}" fileGroupNum="{group}" fileCreateMode="0640"
           dirOwnerNum="{user}" dirGroupNum="{group}" dirCreateMode="0750"
           failOnChOwnFailure="off")
    stop
}}
"""
# As the reader of the kernel log writes it: its time in UTC, whatever was in the message's header.
_KERNEL_LINE = (
    "%timestamp:::date-rfc3164,date-utc% {node} kernel:%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%"
)


class DropInRefused(ValueError):
    """rsyslog cannot be told whose lines these are; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a drop-in says of this machine."""

    log_dir: Path
    node: str
    user: int  # whose the files are
    group: int


def drop_in(sender: KnownSender, others: Iterable[KnownSender], site: Site, *, inputs: bool) -> str:
    """Return the drop-in of a device; with `inputs` it opens what its lines come by, too.

    Raises DropInRefused.
    """
    file = sender.place(site.log_dir).active
    if not _PLAIN_PATH.fullmatch(str(file)):
        raise DropInRefused(
            f"{file}: rsyslog cannot be told this path; use letters, digits and -_./ in "
            "TSCM_LOG_DIR"
        )
    if sender.is_kernel:
        condition = _kernel_condition()
        template, opened = _KERNEL_LINE.format(node=site.node), _KERNEL_INPUT
    else:
        condition = _condition(sender, [one for one in others if one.key != sender.key])
        template, opened = "%rawmsg%", _NETWORK_INPUTS
    return _HEAD.format(
        nickname=sender.nickname, inputs=opened if inputs else "", template=template,
        condition=condition, file=file, user=site.user, group=site.group,
    )  # fmt: skip


def _kernel_condition() -> str:
    # What programs send has 127.0.0.1 for an address too, and may claim to be of a kernel.
    return (
        '$inputname == "imklog" and $syslogfacility-text == "kern" '
        f'and $msg contains "{PREFIX.decode()}"'
    )


def _condition(sender: KnownSender, others: list[KnownSender]) -> str:
    """Return which lines are the device's: by where they come from, less what is others'."""
    ours = [ipaddress.ip_network(network) for network in sender.networks]
    if not ours:
        raise DropInRefused(
            f"{sender.nickname} has no address that its lines come from: set management_ip or "
            "syslog_sources"
        )
    theirs = [ipaddress.ip_network(text) for other in others for text in other.networks]
    inside = sorted({one for one in theirs if any(_is_inside(one, net) for net in ours)}, key=str)
    condition = _any(ours)
    if inside:
        condition += f" and not {_any(inside)}"
    if any(one in theirs for one in ours):
        condition += f" and {_named(sender)}"
    return condition


def _is_inside(one: Network, other: Network) -> bool:
    if one == other or one.version != other.version:
        return False
    return int(other[0]) <= int(one[0]) and int(one[-1]) <= int(other[-1])


def _named(sender: KnownSender) -> str:
    """Return what tells the lines of a device that shares an address from those of others."""
    if not sender.names:
        raise DropInRefused(
            f"{sender.nickname} shares an address with another device: set log_names to what its "
            "own lines bear"
        )
    # The rule that names pass leaves nothing in them that rsyslog would take for its own.
    return "(" + " or ".join(f'$rawmsg contains_i "{name}"' for name in sender.names) + ")"


def _any(networks: Iterable[Network]) -> str:
    return "(" + " or ".join(map(_comes_from, networks)) + ")"


def _comes_from(network: Network) -> str:
    """Return the condition that a sender is in a network. rsyslog can reckon with IPv4 only."""
    if network.num_addresses == 1:
        return f'$fromhost-ip == "{network.network_address}"'
    if network.version == 4:
        number = "ip42num($fromhost-ip)"
        return f"({number} >= {int(network[0])} and {number} <= {int(network[-1])})"
    groups = network.network_address.exploded.split(":")[: network.prefixlen // 16]
    if network.prefixlen % 16 or "0000" in groups or not groups:
        raise DropInRefused(
            f"{network}: rsyslog cannot tell this network; it takes IPv6 networks of /16, /32, /48 "
            "and so on without a group of zeros, or single addresses"
        )
    return f'$fromhost-ip startswith "{"".join(f"{int(group, 16):x}:" for group in groups)}"'
