"""The roles: what each may do, in one table, and how they come to stand in the database.

A role is a Django group. Its rights are patterns of permissions, so that what is added to the
appliance later falls to the role it belongs to; they are added after every migration, and what a
site gave a role besides is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from django.apps.registry import Apps
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Q

OWNER = "owner"
# Who may manage people: by the role, or as a superuser. Nobody else may open the console at all.
OWNERS = Q(is_active=True, is_staff=True) & (Q(is_superuser=True) | Q(groups__name=OWNER))
# Django's own tables: nobody works on them by hand.
_OURS = ("policies", "devices", "enforcement", "logs", "accounts", "fleet")
# Where a right beyond that to look decides what is blocked, or who may say so.
_ADMINISTERED = frozenset({"auth", "policies", "devices", "enforcement", "fleet"})
_NOT_OURS = ("accounts.*_session", "accounts.*_secondfactor", "accounts.*_recoverycode")


@dataclass(frozen=True, slots=True)
class Role:
    """What people of one kind may do: patterns of rights, and those taken out again."""

    name: str
    sentence: str
    rights: tuple[str, ...]
    but: tuple[str, ...] = ()

    def has(self, right: str) -> bool:
        """Tell whether it has a right, such as 'devices.view_device'."""
        return _fits(right, self.rights) and not _fits(right, self.but)


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role(
            OWNER,
            "Everything, people and their roles included.",
            ("auth.*_user", "auth.*_group", *(f"{app}.*" for app in _OURS)),
        ),
        Role(
            "operator",
            "Devices, policies, sources and logs: adds, changes, applies. No people, no groups of "
            "devices, and not the record of changes.",
            ("policies.*", "devices.*", "enforcement.*", "logs.*", "fleet.*"),
            (
                "policies.*_change",
                "devices.add_devicegroup", "devices.change_devicegroup",
                "devices.delete_devicegroup",
            ),
        ),
        Role(
            "report manager",
            "Makes, saves and mails reports, and sees what they are about.",
            ("logs.*_savedreport", "logs.view_*", "devices.view_*", "policies.view_*"),
            (
                "policies.view_change", "policies.view_alarmtarget", "policies.view_listrecord",
                "policies.view_protectedaddress", "logs.view_sender", "logs.view_receiver",
            ),
        ),
        Role(
            "report viewer",
            "Sees the overview and the reports.",
            (
                "logs.view_hits", "logs.view_savedreport", "devices.view_device",
                "policies.view_policy", "policies.view_source", "policies.view_snapshot",
                "policies.view_alarm",
            ),
        ),
        Role(
            "auditor",
            "Sees everything, the record of changes and the people included; changes nothing.",
            ("auth.view_user", "auth.view_group", *(f"{app}.view_*" for app in _OURS)),
            _NOT_OURS,
        ),
    )
}  # fmt: skip


def keep_roles(apps: Apps | None = None, **_signal: object) -> None:
    """Make the roles that are missing, and give each the rights of the table that it lacks.

    Connected to `post_migrate`, after Django has made the permissions; `apps` is what there is
    then, which may be less than all.
    """
    if apps is not None and "auth" not in apps.app_configs:
        return
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    links = Group.permissions.through.objects
    with transaction.atomic():
        for role in ROLES.values():
            group, _ = Group.objects.get_or_create(name=role.name)
            held = set(links.filter(group_id=group.pk).values_list("permission_id", flat=True))
            wanted = {pk for right, pk in known.items() if role.has(right)} - held
            links.bulk_create(
                Group.permissions.through(group_id=group.pk, permission_id=pk)
                for pk in sorted(wanted)
            )


def role_names(groups: Iterable[Group]) -> list[str]:
    """Return the names of groups that are roles, in the order of the table."""
    held = {group.name for group in groups}
    return [name for name in ROLES if name in held]


def is_administrator(user: User) -> bool:
    """Tell whether a person may do more than look at things, and make reports of them."""
    rights = (right.partition(".") for right in user.get_all_permissions())
    return any(app in _ADMINISTERED and not name.startswith("view_") for app, _, name in rights)


def _fits(right: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(right, pattern) for pattern in patterns)
