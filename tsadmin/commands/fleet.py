"""fleet list, show, add, configure, remove, rotate-key, revoke-key: the entries of a portal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from fleet.api.serializers import EffectiveSerializer, EntrySerializer
from fleet.models import Entry
from fleet.reports.effective import Effective, effective_of, inherited_by
from fleet.reports.health import EntryHealth, health_of, status_of
from fleet.reports.linking import Linking, linking_of
from fleet.reports.listed import of_health
from fleet.reports.place import PortalPlace, portal_place
from fleet.services import entries as services, entry_keys
from fleet.services.publish import publish_all_again
from fleet.services.steering import Unset
from fleet.tasks import nudge
from policies.words import said
from tsadmin import ask
from tsadmin.commands.device_groups import find_group
from tsadmin.commands.steering import Wanted, find_entry
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Name", "Type", "Device ID", "Group", "Health", "Version", "Snapshot", "Last report")
SETTINGS = ("Setting", "In force", "Says who")


def list_entries(*, group: str | None, health: str | None, now: datetime, as_json: bool) -> None:
    """Print the device entries."""
    rows = Entry.objects.select_related("policy", "group", "status").prefetch_related("keys")
    if group is not None:
        rows = rows.filter(group=find_group(group))
    if health is not None:
        known = [str(state) for state in EntryHealth]
        if health not in known:
            raise Misused(f"--health {health} is not known; known are {', '.join(known)}")
        rows = of_health(rows, health, now=now)
    found = list(rows.defer("secrets").order_by("nickname", "id"))
    if as_json:
        print_json({"entries": [entry_json(one, now=now) for one in found]})
    elif found:
        print_table(COLUMNS, [_row(one, now=now) for one in found])
    else:
        print_hint("No such device entries. See 'tsadmin fleet add --help'.")


def show_entry(*, name: str, now: datetime, as_json: bool) -> None:
    """Print everything about one entry but its secrets and its keys."""
    entry = find_entry(name)
    effective = effective_of(entry, inherited_by(entry))
    if as_json:
        print_json({**entry_json(entry, now=now), "effective": EffectiveSerializer(effective).data})
        return
    print_facts(_facts(entry, effective, now=now))
    print_line("")
    rows = [(one.name, said(one.value), effective.said_by(one)) for one in effective.settings]
    print_table(SETTINGS, rows)


def add_entry(
    *,
    name: str,
    kind: str,
    wanted: Wanted,
    about: Mapping[str, str],
    now: datetime,
    as_json: bool,
) -> None:
    """Add an entry, and print how its device links: the key is shown this once."""
    place = the_portal()
    change, group = wanted.change(), wanted.group()
    newcomer = services.Newcomer(
        nickname=name,
        kind=kind,
        settings=change.settings,
        policy=None if isinstance(change.policy, Unset) else change.policy,
        group=None if isinstance(group, Unset) else group,
        **_about(about),
    )
    made = services.add_entry(newcomer=newcomer, actor=actor(), now=now)
    linking = linking_of(made.entry, made.key_text, place)
    _tell_key(made.entry, linking, f"Added {name}.", now=now, as_json=as_json)


def configure_entry(
    *, name: str, wanted: Wanted, about: Mapping[str, str], now: datetime, as_json: bool
) -> None:
    """Change what flags name."""
    if wanted.is_nothing and not about:
        raise Misused("nothing to change: name a flag, see 'tsadmin fleet configure --help'")
    entry, group = find_entry(name), wanted.group()
    with transaction.atomic():
        services.configure_entry(
            entry=entry, change=wanted.change(), about=_about(about), actor=actor(), now=now
        )
        if not isinstance(group, Unset):
            services.move_entry(entry=entry, group=group, actor=actor(), now=now)
    nudge()
    if as_json:
        print_json(entry_json(find_entry(name), now=now))
    else:
        print_line(f"Changed {name}.", tone="success")
        print_hint("In force on the device within five minutes.")


def remove_entry(*, name: str, yes: bool, asking: bool, now: datetime, as_json: bool) -> None:
    """Remove an entry after a question."""
    entry = find_entry(name)
    if not yes:
        consequence = "Its device keeps what it has, and is steered no more."
        ask.confirm_removal(name, consequence=consequence, asking=asking)
    services.remove_entry(entry=entry, actor=actor(), now=now)
    nudge()
    if as_json:
        print_json({"removed": name})
    else:
        print_line(f"Removed {name}.", tone="success")


def rotate_key(*, name: str, hours: int, now: datetime, as_json: bool) -> None:
    """Make another key and print how the device links with it, this once."""
    place, entry = the_portal(), find_entry(name)
    made = entry_keys.rotate_key(entry=entry, hours=hours, actor=actor(), now=now)
    linking = linking_of(entry, made.text, place)
    sentence = f"Made key {made.key.generation} of {name}."
    _tell_key(find_entry(name), linking, sentence, now=now, as_json=as_json)


def revoke_key(*, name: str, generation: int, now: datetime, as_json: bool) -> None:
    """Let a key be good no more."""
    entry = find_entry(name)
    entry_keys.revoke_key(entry=entry, generation=generation, actor=actor(), now=now)
    nudge()
    if as_json:
        print_json(entry_json(find_entry(name), now=now))
    else:
        print_line(f"Key {generation} of {name} is good no more.", tone="success")


def republish(*, name: str | None, now: datetime, as_json: bool) -> None:
    """Have the zone of an entry, or everything, written to the primary anew."""
    the_portal()
    if name is None:
        publish_all_again(actor=actor(), now=now)
    else:
        services.publish_again(entry=find_entry(name), actor=actor(), now=now)
    nudge()
    if as_json:
        print_json({"republished": name})
    else:
        print_line(f"{name or 'Everything'} is written anew within half a minute.", tone="success")


def entry_json(entry: Entry, *, now: datetime) -> dict[str, object]:
    """Return an entry as the API does."""
    return dict(EntrySerializer(entry, context={"now": now}).data)


def the_portal() -> PortalPlace:
    """Return where this portal is served; raises Refused where this console is none."""
    place = portal_place()
    if place is None:
        raise Refused("this console is no portal: name its primary in TSCM_PORTAL_PRIMARY")
    return place


def _about(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in columns.items() if name in services.ABOUT}


def _tell_key(
    entry: Entry, linking: Linking, sentence: str, *, now: datetime, as_json: bool
) -> None:
    nudge()
    if as_json:
        key = {"device_key": linking.key_text, "portal": linking.portal, "domain": linking.domain}
        print_json({**entry_json(entry, now=now), **key, "command": linking.command})
        return
    print_line(sentence, tone="success")
    print_line("Type on the device:")
    print_line(f"  {linking.command}")
    print_hint("The key is shown this once.")


def _row(entry: Entry, *, now: datetime) -> tuple[str, ...]:
    status = status_of(entry)
    snapshot = status.snapshot_number if status else None
    return (
        entry.nickname,
        entry.kind,
        entry.device_id,
        entry.group.name if entry.group else "",
        str(health_of(entry, now=now).label),
        status.version if status else "",
        "" if snapshot is None else str(snapshot),
        _moment(status.received_at if status else None),
    )


def _facts(entry: Entry, effective: Effective, *, now: datetime) -> list[tuple[str, str]]:
    health, status = health_of(entry, now=now), status_of(entry)
    offset = status.clock_offset if status else None
    policy = effective.policy.name if effective.policy else "its lists"
    return [
        ("Name", entry.nickname),
        ("Type", entry.kind),
        ("Device ID", entry.device_id),
        ("Made by", " / ".join(part for part in (entry.manufacturer, entry.model) if part)),
        ("Group", entry.group.name if entry.group else "none"),
        ("Policy", f"{policy} ({effective.policy_origin})"),
        ("Health", f"{health.label}. {health.detail}"),
        ("Settings", f"{entry.serial} published {_moment(entry.written_at)}"),
        ("In force", f"{status.serial if status else 'none'}"),
        ("Version", status.version if status else ""),
        ("Last report", _moment(status.received_at if status else None)),
        ("Clock", "unknown" if offset is None else f"{offset:+.1f} s"),
        ("Overrides", ", ".join(status.overrides) if status and status.overrides else "none"),
        ("Keys", ", ".join(_key(one.generation, one.retires_at) for one in entry.keys.all())),
        ("Note", entry.note),
    ]


def _key(generation: int, retires_at: datetime | None) -> str:
    return f"{generation} (until {_moment(retires_at)})" if retires_at else str(generation)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"
