"""Make, change and delete the targets that are told of alarms.

    create_target(*, name, kind, settings, options={}, actor, now) -> Made
    change_target(*, target, changes, actor, now) -> AlarmTarget
    renew_secret(*, target, actor, now) -> Made
    delete_target(*, target, actor, now) -> None

A webhook is signed with a secret that is made here and shown once, in what `create_target` and
`renew_secret` return. Everything raises Refused, and then nothing was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from policies.fields import DecryptionFailed
from policies.models import AlarmNews, AlarmNotice, AlarmTarget, TargetKind
from policies.notices.base import NotifierMisconfigured
from policies.notices.signing import new_secret
from policies.services.alarm_notifiers import Secrets, build_notifier
from policies.services.changes import record_change
from policies.services.rows import Refused, check_columns, save_row, set_columns
from policies.sources.http_url import Url
from policies.states import AlarmKind, NoticeState

TARGET_COLUMNS = ("name", "kind", "settings", "kinds", "least_severity", "is_enabled")
# So long who checks signatures may take to learn of a new secret.
BOTH_ARE_GOOD = timedelta(days=1)
MOST_TARGETS = 100
# Who is not reached cannot be told so.
TOLD_KINDS = tuple(kind for kind in AlarmKind if kind != AlarmKind.TARGET_FAILING)


@dataclass(frozen=True, slots=True)
class Made:
    """A target, and the secret that was made for it: "" where its kind has none."""

    target: AlarmTarget
    secret: str = ""


def create_target(
    *,
    name: str,
    kind: str,
    settings: Mapping[str, object],
    options: Mapping[str, object] | None = None,
    actor: str,
    now: datetime,
) -> Made:
    """Make a target; it is told of what begins from now on. Raises Refused."""
    if AlarmTarget.objects.count() >= MOST_TARGETS:
        raise Refused(f"there are {MOST_TARGETS} targets, which is the most; remove one first")
    secret = new_secret() if kind == TargetKind.WEBHOOK else ""
    target = AlarmTarget(created_at=now)
    given = {"name": name, "kind": kind, "settings": dict(settings), **(options or {})}
    set_columns(target, given, known=TARGET_COLUMNS)
    target.secrets = Secrets(current=secret).text() if secret else ""
    _check(target)
    with transaction.atomic():
        save_row(target)
        record_change(
            actor=actor, verb="create", subject=_subject(target), now=now, after=_recorded(target)
        )
    return Made(target, secret)


def change_target(
    *, target: AlarmTarget, changes: Mapping[str, object], actor: str, now: datetime
) -> AlarmTarget:
    """Change columns of a target; what waits for it is tried at once. Raises Refused.

    What a target was not told while it was turned off, it is not told later.
    """
    with transaction.atomic():
        row = AlarmTarget.objects.select_for_update().get(pk=target.pk)
        before, held = _recorded(row), row.settings
        if changes.get("kind", row.kind) != row.kind:
            raise Refused("the kind of a target stays; make another one", setting="kind")
        set_columns(row, changes, known=TARGET_COLUMNS)
        _check(row)
        row.retry_at = None
        save_row(row)
        _wait_again(row, now=now)
        if not row.is_enabled:
            _forget_waiting(row)
        record_change(
            actor=actor, verb="change", subject=_subject(row), now=now, before=before,
            after=_recorded(row, held=held),
        )  # fmt: skip
    return row


def renew_secret(*, target: AlarmTarget, actor: str, now: datetime) -> Made:
    """Give a webhook another secret; for a day messages are signed with both. Raises Refused."""
    if target.kind != TargetKind.WEBHOOK:
        raise Refused("only webhooks are signed with a secret")
    secret = new_secret()
    with transaction.atomic():
        row = AlarmTarget.objects.select_for_update().get(pk=target.pk)
        row.secrets = Secrets(secret, _held_secret(row), (now + BOTH_ARE_GOOD).isoformat()).text()
        row.save(update_fields=["secrets"])
        record_change(actor=actor, verb="renew the secret of", subject=_subject(row), now=now)
    return Made(row, secret)


def delete_target(*, target: AlarmTarget, actor: str, now: datetime) -> None:
    """Delete a target, with what it was told and what waits for it."""
    with transaction.atomic():
        row = AlarmTarget.objects.select_for_update().filter(pk=target.pk).first()
        if row is None:
            return
        row.delete()
        record_change(
            actor=actor, verb="delete", subject=_subject(row), now=now, before=_recorded(row)
        )


def _check(target: AlarmTarget) -> None:
    """Hold a target to its rules; raises Refused."""
    check_columns(target, ("name", "kind", "least_severity", "is_enabled"))
    if not isinstance(target.kinds, list) or not set(target.kinds) <= set(TOLD_KINDS):
        known = ", ".join(TOLD_KINDS)
        raise Refused(f"kinds must be a list of these: {known}", setting="kinds")
    target.kinds = [kind.value for kind in TOLD_KINDS if kind in target.kinds]
    if not isinstance(target.settings, dict):
        raise Refused("settings must be a JSON object", setting="settings")
    try:
        build_notifier(kind=target.kind, settings=target.settings)
    except NotifierMisconfigured as error:
        raise Refused(str(error), setting="settings") from error


def _held_secret(target: AlarmTarget) -> str:
    """Return the secret in force, "" where the keys at hand cannot read it."""
    try:
        return Secrets.of(target).current
    except DecryptionFailed:
        return ""


def _wait_again(target: AlarmTarget, *, now: datetime) -> None:
    waiting = AlarmNotice.objects.filter(target=target, state=NoticeState.WAITING)
    waiting.update(due_at=now)


def _forget_waiting(target: AlarmTarget) -> None:
    AlarmNews.objects.filter(target=target, notice=None).delete()
    AlarmNotice.objects.filter(target=target, state=NoticeState.WAITING).delete()


def _subject(target: AlarmTarget) -> str:
    return f"alarm target {target.name}"


def _recorded(
    target: AlarmTarget, *, held: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return what the record of changes tells of a target that had the settings `held` before."""
    columns = {name: getattr(target, name) for name in TARGET_COLUMNS if name != "settings"}
    told = {**columns, **target.settings}
    if target.kind == TargetKind.WEBHOOK:
        told["url"] = _without_key(target.settings, held or {})
    return told


def _without_key(settings: Mapping[str, object], held: Mapping[str, object]) -> str:
    """Return the URL of a webhook without its path and query, which may be a key."""
    url = Url.parse(str(settings["url"]))
    shown = f"{url.origin}/{'…' if len(url.target) > 1 else ''}"
    was = held.get("url")
    is_other = was is not None and was != settings["url"]
    is_there = is_other and Url.parse(str(was)).origin == url.origin
    return f"{shown} (changed)" if is_there else shown
