"""Which rows of a fleet a person sees: those of his groups, all where he is in none."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from devices.models import DeviceGroup
from devices.reports.visible import is_limited
from fleet.models import Entry, GroupSettings, Rollout
from policies.models import Policy
from policies.visible import Person, Rule, visible

_Rows = QuerySet[Any]


def entries(rows: _Rows, user: Person) -> _Rows:
    """Return the entries that `user` sees, or other rows that hang on a group by `group`."""
    return _seen(rows, user, "group")


def names_of_entries(user: Person) -> QuerySet[Entry, str]:
    """Return the names of the entries that `user` sees, which alarms and the record name."""
    return entries(Entry.objects.all(), user).values_list("nickname", flat=True)


def names_of_rollouts(user: Person) -> QuerySet[Rollout, str]:
    """Return the names of the rollouts that `user` sees, which the record names."""
    return rollouts(Rollout.objects.all(), user).values_list("name", flat=True)


def of_entry(rows: _Rows, user: Person) -> _Rows:
    """Return the rows of entries that `user` sees."""
    return _seen(rows, user, "entry__group")


def rollouts(rows: _Rows, user: Person) -> _Rows:
    """Return the rollouts that change only groups that `user` sees."""
    if user.pk is None:
        return rows.none()
    if not is_limited(user):
        return rows
    others = DeviceGroup.objects.exclude(people=user.pk).values("pk")
    beyond = Rollout.onward.through.objects.filter(devicegroup__in=others).values("rollout")
    return rows.filter(canary__people=user.pk).exclude(pk__in=beyond)


def of_policy(path: str) -> Rule:
    """Return the rule for rows that belong to a policy, which is reached by `path`."""

    def rule(rows: _Rows, user: Person) -> _Rows:
        if user.pk is not None and not is_limited(user):
            return rows
        return rows.filter(**{f"{path}__in": visible(Policy.objects.all(), user).values("pk")})

    return rule


def follows(policy: Policy) -> Q:
    """Return what tells the entries that may follow a policy, by themselves or by their group."""
    return Q(policy=policy) | Q(policy=None, group__fleet_settings__policy=policy)


def is_shared_beyond(policy: Policy, user: Person) -> bool:
    """Tell whether entries or groups follow a policy that `user` does not see."""
    if not is_limited(user):
        return False
    followed = Entry.objects.filter(follows(policy))
    groups = GroupSettings.objects.filter(policy=policy)
    return any(
        rows.exclude(pk__in=entries(rows, user).order_by().values("pk")).exists()
        for rows in (followed, groups)
    )


def _seen(rows: _Rows, user: Person, path: str) -> _Rows:
    if user.pk is None:
        return rows.none()
    return rows.filter(**{f"{path}__people": user.pk}) if is_limited(user) else rows
