"""The writes of devices: keyword-only verbs."""

from __future__ import annotations

from devices.services.alarms import review_device_alarms
from devices.services.begin import begin_device
from devices.services.demo import add_sample, remove_sample
from devices.services.feeds import PublishedDevice, PublishedFeed, feed_urls, published_device
from devices.services.gateways import (
    GatewayRefused,
    gateway_of,
    make_due,
    own_node,
    pause_gateway,
    request_enforcement,
    resume_gateway,
)
from devices.services.groups import (
    GroupRefused,
    assign_group,
    change_group,
    change_people,
    create_group,
    delete_group,
    group_for,
)
from devices.services.manage import (
    UNREADABLE,
    add_device,
    assign_policy,
    configure_device,
    follow_zones,
    has_own_policy,
    own_lists,
    remove_device,
    settings_of,
)
from devices.services.own_policy import ZoneList, lists_of, zone_policy
from devices.services.packing import pack_for_devices
from devices.services.protected import protect_devices
from devices.services.pulls import PullRecord, prune_pulls, record_pulls
from devices.services.refused import DeviceRefused, SetByPortal

__all__ = [
    "UNREADABLE",
    "DeviceRefused",
    "GatewayRefused",
    "GroupRefused",
    "PublishedDevice",
    "PublishedFeed",
    "PullRecord",
    "SetByPortal",
    "ZoneList",
    "add_device",
    "add_sample",
    "assign_group",
    "assign_policy",
    "begin_device",
    "change_group",
    "change_people",
    "configure_device",
    "create_group",
    "delete_group",
    "feed_urls",
    "follow_zones",
    "gateway_of",
    "group_for",
    "has_own_policy",
    "lists_of",
    "make_due",
    "own_lists",
    "own_node",
    "pack_for_devices",
    "pause_gateway",
    "protect_devices",
    "prune_pulls",
    "published_device",
    "record_pulls",
    "remove_device",
    "remove_sample",
    "request_enforcement",
    "resume_gateway",
    "review_device_alarms",
    "settings_of",
    "zone_policy",
]
