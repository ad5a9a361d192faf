"""add --type auto, poll, override, overrides, unlink: devices that a portal steers."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from devices.kinds import KINDS
from devices.models import Device
from devices.services import own_node, settings_of
from devices.services.refused import POLICY
from fleet.models import Link
from fleet.reports.links import laid_down
from fleet.services.link import Here, Linked, link_device, unlink_device
from fleet.services.link_overrides import override_setting, release_override
from fleet.services.link_poll import poll_link
from fleet.services.link_portal import portal_named
from fleet.services.link_refused import LinkRefused
from fleet.services.link_report import report_status
from policies.services import Busy
from policies.tasks import nudge
from tsadmin import ask
from tsadmin.commands.facts import device_urls, facts_of, url_lines
from tsadmin.commands.finding import find_device
from tsadmin.commands.gateways import check, checked_json
from tsadmin.commands.link_facts import link_json, link_of
from tsadmin.commands.updating import update_device, updated_json, wait_while_busy
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_hint, print_json, print_line, print_table, progress
from tsadmin.site import actor
from tsadmin.words import as_text, empty_word, label, shown

SECONDS = 20.0
_MOST_KEY_FILE = 1000  # bytes; of certificates more
_MOST_CA_FILE = 100_000


def add_linked(
    *,
    nickname: str | None,
    given: Mapping[str, object],
    told: Mapping[str, str],
    asking: bool,
    as_json: bool,
) -> None:
    """Link a device to its portal, retrieve its policy, and print all of it.

    Raises Refused when not all of it was done.
    """
    device_id = _device_id(given, asking=asking)
    portal = portal_named(
        place=told.get("portal"),
        domain=told.get("domain"),
        ca=_ca(told.get("portal_ca")),
        tls_name=told.get("portal_name", ""),
    )
    key = _key(told.get("auto_key"), asking=asking)
    with progress(quiet=as_json) as on_progress:
        on_progress(f"ask {portal} for the settings of {device_id}")
        linked = link_device(
            portal=portal, device_id=device_id, key_text=key, here=Here(nickname),
            actor=actor(), now=timezone.now(), seconds=SECONDS,
        )  # fmt: skip
    if as_json:
        _finish_json(linked)
        return
    _print_linked(linked)
    _finish(linked)


def poll(*, nickname: str, now: datetime, as_json: bool) -> None:
    """Ask the portal of a device, and print what came; raises Refused when not all is well."""
    link = _link(nickname)
    with progress(quiet=as_json) as on_progress:
        on_progress(f"ask {link.portal}")
        wait_while_busy(lambda: _poll(link), on_progress=on_progress)
    report_status(link_id=link.pk, now=now, seconds=SECONDS)
    nudge()
    before, link = link, _link(nickname)
    is_changed = link.serial != before.serial
    if as_json:
        print_json({"name": nickname, "is_changed": is_changed, **link_json(link)})
    elif not link.error:
        came = "New settings came and are in force" if is_changed else "Nothing has changed"
        print_line(f"{came}: serial {link.serial}.", tone="success")
    if link.error or link.refused:
        raise Refused(link.error or " ".join(link.refused))
    if link.report_error and not as_json:
        print_hint(link.report_error)


def override(*, nickname: str, text: str, release: bool, now: datetime, as_json: bool) -> None:
    """Set something over what the portal says, or release it, and print what is in force."""
    device = find_device(nickname)
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if release == bool(equals):
        raise Misused(
            "name SETTING=VALUE to override one, or SETTING with --release to give it back"
        )
    if release:
        release_override(device=device, name=name, actor=actor(), now=now)
    else:
        override_setting(device=device, name=name, value=value, actor=actor(), now=now)
    nudge()
    if as_json:
        link = _link(nickname)
        print_json({"name": nickname, **link_json(link)})
        return
    done = "as the portal says again" if release else "set here"
    print_line(f"{name} of {nickname} is {done}: {_in_force(find_device(nickname), name)}.")


def list_overrides(*, nickname: str, as_json: bool) -> None:
    """Print what the portal lays down, and what is set here instead."""
    link = _link(nickname)
    rows = [_row(link, name) for name in link.device.set_by_portal]
    if as_json:
        titles = ("setting", "portal", "here", "is_overridden")
        told = [dict(zip(titles, (*row[:3], row[3] == "yes"), strict=True)) for row in rows]
        print_json({"name": nickname, "settings": told})
        return
    print_table(("Setting", "The portal says", "In force here", "Overridden"), rows)


def unlink(*, nickname: str, yes: bool, asking: bool, now: datetime, as_json: bool) -> None:
    """Let a device go from its portal, after a question."""
    link = _link(nickname)
    if not yes:
        consequence = f"The portal {link.portal} changes nothing of it any more."
        ask.confirm_removal(f"the link of {nickname}", consequence=consequence, asking=asking)
    unlink_device(device=link.device, actor=actor(), now=now)
    if as_json:
        print_json({"unlinked": nickname, "portal": link.portal})
    else:
        print_line(
            f"{nickname} is linked no more; its settings stay as they are and are changed here.",
            tone="success",
        )


def _device_id(given: Mapping[str, object], *, asking: bool) -> str:
    """Return the ID that was given, or is asked; raises Misused for other settings beside it."""
    others = [f"--{name}" for name in given if name != "device_id"]
    if others:
        raise Misused(f"the portal lays the settings down: leave out {', '.join(others)}")
    if "device_id" in given:
        return str(given["device_id"])
    if not asking:
        raise Misused("--device_id is required: it is on the device's page on the portal")
    setting = next(iter(KINDS.values())).settings[0]
    return str(ask.ask_setting(setting, offered=""))


def _key(text: str | None, *, asking: bool) -> str:
    if text is None:
        if not asking:
            raise Misused("--auto_key is required: it is on the device's page on the portal")
        return getpass.getpass("Device key : ").strip()
    if not text.startswith("@"):
        return text
    return _text_of(text[1:], "--auto_key", most=_MOST_KEY_FILE)


def _ca(path: str | None) -> str | None:
    return _text_of(path, "--portal-ca", most=_MOST_CA_FILE) if path else None


def _text_of(path: str, flag: str, *, most: int) -> str:
    """Return what a file of up to `most` bytes holds; raises Refused."""
    try:
        with Path(path).open(encoding="ascii") as file:
            text = file.read(most + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise Refused(f"{flag} {path} cannot be read: {reason}") from error
    if len(text) > most:
        raise Refused(f"{flag} {path} has more than {most:,} bytes: it is another file")
    return text


def _print_linked(linked: Linked) -> None:
    """Print what was linked, every setting that the portal lays down, and what it refuses."""
    device = linked.device
    did = "Added" if linked.is_new else "Took over"
    print_line(f"{did} {device}: linked to the portal {device.portal}.", tone="success")
    values = settings_of(device)
    print_facts(
        [
            ("Type", device.kind),
            ("Device ID", device.device_id),
            *(
                (label(setting), shown(setting, values[setting.name]))
                for setting in KINDS[device.kind].settings
                if setting.name in device.set_by_portal
            ),
            ("Policy", _policy_of(linked.link) or device.policy.name),
        ]
    )
    for sentence in linked.refused:
        print_line(sentence, tone="warning")


def _finish(linked: Linked) -> None:
    """Retrieve the lists; then show a firewall's feeds, or try a gateway that is this machine."""
    device = linked.device
    update_device(nickname=device.nickname, accept_change=False, as_json=False)
    if urls := device_urls(device):
        print_facts(url_lines(urls))
    elif _enforces(device):
        check(nickname=device.nickname, address="", as_json=False)


def _finish_json(linked: Linked) -> None:
    """Do the same, and print it as one object; raises Refused when not all of it was done."""
    name = linked.device.nickname
    update, trouble = updated_json(find_device(name))
    tried = None
    if _enforces(linked.device) and not trouble:
        tried, trouble = checked_json(linked.device)
    facts = facts_of(find_device(name), now=timezone.now()).json()
    print_json({**facts, "is_new": linked.is_new, "update": update, "check": tried})
    if trouble:
        raise Refused(trouble)


def _enforces(device: Device) -> bool:
    """Tell whether this machine enforces the device, so that it can be tried here."""
    return device.is_gateway and device.node == own_node() and device.policy_updates


def _policy_of(link: Link) -> str:
    place = laid_down(link).place
    return place.name if place else ""


def _link(nickname: str) -> Link:
    device = find_device(nickname)
    link = link_of(device)
    if link is None:
        raise LinkRefused(f"{device} is linked to no portal: see 'tsadmin add --type auto'")
    return link


def _poll(link: Link) -> None:
    if poll_link(link_id=link.pk, now=timezone.now(), seconds=SECONDS) is None:
        raise Busy(f"{link.portal} is being asked by a worker; try again in a minute")


def _row(link: Link, name: str) -> tuple[str, str, str, str]:
    """Return a setting, what the portal says, what is in force, and whether that is set here."""
    said = "yes" if name in link.overrides else "no"
    return (name, _laid_down(link, name), _in_force(link.device, name), said)


def _laid_down(link: Link, name: str) -> str:
    held = laid_down(link)
    if name == POLICY:
        return held.place.name if held.place else "its lists"
    setting = {one.name: one for one in KINDS[link.device.kind].settings}[name]
    return shown(setting, held.values.get(name, held.secrets.get(name)))


def _in_force(device: Device, name: str) -> str:
    if name == POLICY:
        return device.policy.name
    setting = {one.name: one for one in KINDS[device.kind].settings}[name]
    value = settings_of(device)[name]
    if setting.is_secret:
        return shown(setting, value)
    return as_text(setting, value) or empty_word(setting)
