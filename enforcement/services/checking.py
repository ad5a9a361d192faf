"""Try on the spot whether a gateway drops what is listed and lets pass what is not."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from devices.kinds.iptables import TEST_ADDRESS
from devices.models import Device
from enforcement.kernel.base import Content
from enforcement.kernel.self_test import choose_listed, choose_unlisted, self_test
from enforcement.services.answers import CheckAnswer, NothingToAnswer
from enforcement.services.machine import Machine


def check_gateway(
    device: Device, options: Mapping[str, object], *, machine: Machine, now: datetime
) -> CheckAnswer:
    """Send one datagram to a listed address and one to another; return what became of them.

    `options` may name the listed `address`. Raises EnforceError, NothingToAnswer.
    """
    host = machine.host
    state = host.folder.state()
    if state is None or state.target is None:
        raise NothingToAnswer(
            f"nothing is in force on {device.node} yet: tsadmin apply {device.nickname}"
        )
    enforcer, rules = host.enforcers(state.target.enforcer), state.target.rules
    live = enforcer.read(rules).content
    content = live or host.folder.load(state.target)
    listed = _listed(device, options, content)
    gateways = (one.address for one in machine.canaries() if one.kind == "gateway")
    unlisted = choose_unlisted(content.block, near=gateways)
    found = self_test(
        listed=listed,
        unlisted=unlisted,
        rules=rules,
        live=live,
        counters=enforcer.read_counters,
        now=now,
    )
    answer = CheckAnswer.of(found, listed=listed, unlisted=unlisted or "")
    if found.ok or rules.paused_until is None or now >= rules.paused_until:
        return answer
    end = f"{rules.paused_until:%Y-%m-%d %H:%M}"
    return replace(answer, sentence=f"enforcement is paused until {end} UTC: nothing is refused")


def _listed(device: Device, options: Mapping[str, object], content: Content) -> str:
    """Return the address that is to be refused: the one that was named, or one that is listed."""
    named = str(options.get("address") or "")
    if named:
        try:
            return str(ipaddress.ip_address(named))
        except ValueError as error:
            raise NothingToAnswer(f"{named!r} is no address: name one such as 192.0.2.1") from error
    dropped = content.block - content.allow
    found = choose_listed(dropped, device.test_address or TEST_ADDRESS)
    if found is None:
        raise NothingToAnswer(f"nothing is listed for {device.nickname}: there is nothing to try")
    return found
