"""What follows from a change of a device, and what to do next: one sentence for each kind."""

from __future__ import annotations

from devices.models import Device


def after_add(device: Device) -> str:
    """Return what happens now that a device was added."""
    if device.is_gateway:
        return _after_add_of_gateway(device)
    if not device.policy_updates:
        return "Its policy updates are off: nothing is retrieved or published until they are on."
    return (
        f"Its lists are retrieved within a minute while 'make run' is running, then every hour. "
        f"At once: tsadmin update {device}. How it does: tsadmin show {device}."
    )


def after_change(device: Device) -> str:
    """Return when changed settings are in effect."""
    if not device.is_gateway:
        return f"In effect within five minutes. At once: tsadmin update {device}."
    if device.policy_updates:
        return f"Enforced within a minute. To wait for it: tsadmin update {device}."
    return (
        f"Rules are enforced within a minute; its lists stay as they are until a person moves them "
        f"on: tsadmin plan {device}, tsadmin apply {device}."
    )


def removal(device: Device) -> str:
    """Return what a removal ends."""
    if not device.is_gateway:
        return "Its feeds end at once."
    return (
        f"Its sets and rules are taken out of the kernel of {device.node}: nothing is blocked "
        f"there any more."
    )


def after_removal(device: Device) -> str:
    """Return what is left to do, or to wait for."""
    if not device.is_gateway:
        return "Take its feeds out of the firewall too."
    return f"The enforcer of {device.node} takes its sets and rules out within a minute."


def _after_add_of_gateway(device: Device) -> str:
    if not device.policy_updates:
        return (
            f"Its policy updates are off: a person moves it on. tsadmin update {device} retrieves "
            f"its lists, tsadmin plan {device} tells what would change, tsadmin apply {device} "
            f"does it."
        )
    return (
        f"Its lists are retrieved within a minute while 'make run' is running as root on "
        f"{device.node}, and enforced there. At once: tsadmin update {device}. What would change: "
        f"tsadmin plan {device}. Proof that it blocks: tsadmin check {device}."
    )
