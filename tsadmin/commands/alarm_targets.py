"""alarms targets list, add, configure, test, renew-secret, remove: who is told of alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from policies import services
from policies.api.alarm_targets import TargetSerializer
from policies.models import AlarmTarget
from policies.services.alarm_targets import TARGET_COLUMNS
from policies.tasks import nudge_notices
from tsadmin import ask
from tsadmin.commands.columns import read_columns
from tsadmin.commands.given import read_settings
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Target", "Kind", "State", "Told of", "Last message", "Error")


def list_targets(*, as_json: bool) -> None:
    """Print every target."""
    rows = list(AlarmTarget.objects.defer("secrets").order_by("name", "id"))
    if as_json:
        print_json({"targets": [_json(one) for one in rows]})
    elif rows:
        print_table(COLUMNS, [_row(one) for one in rows])
    else:
        print_hint("Nobody is told of alarms. See 'tsadmin alarms targets add --help'.")


def add_target(
    *,
    name: str,
    kind: str,
    given: Sequence[str],
    columns: Mapping[str, str],
    now: datetime,
    as_json: bool,
) -> None:
    """Make a target from flags, and print the secret of a webhook, this once."""
    made = services.create_target(
        name=name,
        kind=kind,
        settings=read_settings(given),
        options=_columns(columns),
        actor=actor(),
        now=now,
    )
    _print_made(made, f"Added {made.target.name}.", as_json=as_json)
    if not as_json:
        print_hint(f"Send a test: tsadmin alarms targets test {made.target.name}")


def configure_target(
    *,
    name: str,
    given: Sequence[str],
    columns: Mapping[str, str],
    now: datetime,
    as_json: bool,
) -> None:
    """Change the settings and the columns that flags name."""
    if not given and not columns:
        raise Misused("nothing to change: see 'tsadmin alarms targets configure --help'")
    target = _find(name)
    changes = _columns(columns)
    if given:
        merged = {**target.settings, **read_settings(given)}
        changes["settings"] = {key: value for key, value in merged.items() if value != ""}
    changed = services.change_target(target=target, changes=changes, actor=actor(), now=now)
    nudge_notices()
    if as_json:
        print_json(_json(changed))
    else:
        print_line(f"Changed {changed.name}.", tone="success")


def try_target(*, name: str, now: datetime, as_json: bool) -> None:
    """Send a test; raises Refused where it did not arrive."""
    target = _find(name)
    tried = services.send_test(target=target, now=now)
    nudge_notices()
    if not tried.arrived:
        raise Refused(f"the test did not arrive: {tried.detail}")
    if as_json:
        print_json({"arrived": True, "detail": tried.detail})
    else:
        print_line(f"The test arrived: {tried.detail}.", tone="success")


def renew_secret(*, name: str, now: datetime, as_json: bool) -> None:
    """Give a webhook another secret and print it."""
    made = services.renew_secret(target=_find(name), actor=actor(), now=now)
    _print_made(made, f"The secret of {made.target.name} is new.", as_json=as_json)


def remove_target(*, name: str, yes: bool, asking: bool, now: datetime, as_json: bool) -> None:
    """Remove a target after a question."""
    target = _find(name)
    if not yes:
        ask.confirm_removal(name, consequence="It is told of nothing any more.", asking=asking)
    services.delete_target(target=target, actor=actor(), now=now)
    if as_json:
        print_json({"removed": name})
    else:
        print_line(f"Removed {name}.", tone="success")


def _columns(columns: Mapping[str, str]) -> dict[str, object]:
    """Return the columns that flags name; raises Misused."""
    given = dict(columns)
    kinds = given.pop("kinds", None)
    values = read_columns(given, model=AlarmTarget, known=TARGET_COLUMNS)
    if kinds is not None:
        values["kinds"] = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    return values


def _find(name: str) -> AlarmTarget:
    target = AlarmTarget.objects.filter(name=name).first()
    if target is None:
        raise Refused(f"no target is named {name}; see 'tsadmin alarms targets list'")
    return target


def _print_made(made: services.Made, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**_json(made.target), "secret": made.secret})
        return
    print_line(done, tone="success")
    if made.secret:
        print_line(made.secret)
        print_hint("Shown this once: the receiver checks the signatures of messages with it.")


def _row(target: AlarmTarget) -> tuple[str, ...]:
    state = "failing" if target.failing_since else "reached" if target.sent_at else "not told yet"
    kinds = ", ".join(target.kinds) or "all kinds"
    return (
        target.name,
        target.kind_label,
        state if target.is_enabled else "turned off",
        f"{kinds}, {target.least_severity}",
        f"{target.sent_at:%Y-%m-%d %H:%M}" if target.sent_at else "never",
        target.error,
    )


def _json(target: AlarmTarget) -> dict[str, object]:
    return dict(TargetSerializer(target).data)
