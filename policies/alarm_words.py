"""What is known of each kind of alarm beforehand: what to do, and how long fine must last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from policies.states import AlarmKind

# What hovers about a limit would open and close all day. These close once all was well for so long.
SETTLES_AFTER: Mapping[AlarmKind, timedelta] = MappingProxyType(
    {
        AlarmKind.DISK_LOW: timedelta(minutes=10),
        AlarmKind.DATA_DISK: timedelta(minutes=10),
        AlarmKind.CLOCK: timedelta(minutes=10),
        AlarmKind.ENFORCER_AWAY: timedelta(minutes=2),
        AlarmKind.RECEIVER_SILENT: timedelta(minutes=2),
        AlarmKind.ENTRY_SILENT: timedelta(minutes=2),
        AlarmKind.ENTRY_TROUBLE: timedelta(minutes=10),
    }
)

NEXT_STEPS: Mapping[AlarmKind, str] = MappingProxyType(
    {
        AlarmKind.STALE: "Look at the source's last retrievals, and try it from its page.",
        AlarmKind.HELD: "Look at what is held on the policy's page, then approve or discard it.",
        AlarmKind.FAILED: "Look at the policy's page; it is tried again by itself.",
        AlarmKind.UPLOAD_FAILING: "Check the way from here to the log service.",
        AlarmKind.UPLOAD_REFUSED: "Put right what was refused, then have it tried again on the "
        "device's ledger.",
        AlarmKind.LINES_MISSED: "Look at the device's ledger: it says where they went.",
        AlarmKind.LEDGER: "Run 'tsadmin logs --verify', which recounts the files.",
        AlarmKind.RECEIVER_SILENT: "Look whether the receiver runs, and into its receiver.log.",
        AlarmKind.KERNEL_DROPS: "Raise net.core.rmem_max, or have devices send by TCP.",
        AlarmKind.DISK_LOW: "Make room on the disk, or keep uploaded logs for fewer days.",
        AlarmKind.STOPPED_PULLING: "Look at the feed's state on the firewall, and at the way from "
        "it to the feed port here.",
        AlarmKind.NOT_ENFORCED: "Look at the device's page and at its history of enforcement.",
        AlarmKind.ROLLED_BACK: "Look at why the lost address is listed and allow it, or "
        "apply by hand.",
        AlarmKind.ENFORCER_AWAY: "See whether the enforcer runs on that machine. What its kernel "
        "held stays in force.",
        AlarmKind.KERNEL_DIFFERS: "Find out which other program changes the kernel's rules there.",
        AlarmKind.CLOCK: "Set up NTP (chrony or systemd-timesyncd): signatures and logs need the "
        "time.",
        AlarmKind.DATA_DISK: "Make room on the disk: without it no list can be published.",
        AlarmKind.CERTIFICATE: "Put a new certificate in its place and restart the receiver.",
        AlarmKind.ENTRY_SILENT: "See whether the device runs and reaches the portal's name server; "
        "'tsadmin show' on it says what it knows.",
        AlarmKind.ENTRY_TROUBLE: "Look at the device entry's page: it has what the device said.",
        AlarmKind.PORTAL_UNWRITTEN: "See whether the portal's name server runs and takes what the "
        "console writes. Devices keep the settings they have.",
        AlarmKind.LINK_FAILING: "Look at the device's page: it has what the portal answered. The "
        "last settings stay in force.",
        AlarmKind.TARGET_FAILING: "Look at the target's page and send a test once it is mended.",
    }
)
