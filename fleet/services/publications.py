"""Policies as zones: which are published, in what forms, and for whom.

    publish_policy(*, policy, forms, by_address=True, networks=(), actor, now) -> Publication
    unpublish_policy(*, publication, actor, now) -> None

A policy that device entries follow is published by itself, in the form that devices read.
Everything raises Refused and SettingRefused; then nothing was changed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from devices.kinds import rules
from fleet.models import Entry, GroupSettings, PolicyZone, Publication
from fleet.reports.due import renamed_publications
from fleet.reports.visible import follows
from fleet.reports.wanted import DEVICE_FORM
from fleet.services.portal_state import make_due, mark_configuration_due
from fleet.services.steering import refuse_private
from fleet.zones import FORMS
from policies.models import Policy
from policies.services import InUse, Refused, record_change

LONGEST_LABEL = 50
_WIDEST = {4: 8, 6: 16}  # of a network that may transfer
_NOT_IN_LABEL = re.compile(r"[^a-z0-9]+")


def publish_policy(
    *,
    policy: Policy,
    forms: Sequence[str],
    by_address: bool = True,
    networks: Sequence[str] = (),
    actor: str,
    now: datetime,
) -> Publication:
    """Publish a policy in these forms and no others, or change how it is published."""
    wanted = _forms(policy, forms)
    allowed = _networks(networks)
    refuse_private(policy)
    with transaction.atomic():
        row = Publication.objects.select_for_update().filter(policy=policy).first()
        before = _facts(row)
        row = row or Publication(policy=policy, label=free_label(policy.name))
        row.forms, row.by_address, row.networks = wanted, by_address, allowed
        row.save()
        make_due(followers(policy), now=now)
        mark_configuration_due()
        record_change(
            actor=actor, verb="publish", subject=f"policy {policy.name}", now=now,
            before=before, after=_facts(row),
        )  # fmt: skip
    return row


def unpublish_policy(*, publication: Publication, actor: str, now: datetime) -> None:
    """Take a policy's zones off the primary. Raises InUse where device entries follow it."""
    policy = publication.policy
    if told := _followed_by(policy):
        raise InUse(f"policy {policy.name} is followed by {told}; let them follow another first")
    with transaction.atomic():
        before = _facts(publication)
        publication.delete()
        mark_configuration_due()
        record_change(
            actor=actor, verb="unpublish", subject=f"policy {policy.name}", now=now, before=before
        )


def followers(policy: Policy) -> QuerySet[Entry]:
    """Return the entries that may follow a policy: by themselves, or because their group does."""
    return Entry.objects.filter(follows(policy))


def keep_publications(*, domain: str) -> None:
    """Publish the policies that are followed, and give each publication the rows of its zones."""
    followed = [
        *Entry.objects.exclude(policy=None).values_list("policy", flat=True).distinct(),
        *GroupSettings.objects.exclude(policy=None).values_list("policy", flat=True).distinct(),
    ]
    published = Publication.objects.values_list("policy", flat=True)
    for policy in Policy.objects.filter(pk__in=followed).exclude(pk__in=published):
        Publication.objects.get_or_create(
            policy=policy, defaults={"label": free_label(policy.name), "forms": [DEVICE_FORM]}
        )
    for pk in list(Publication.objects.order_by("id").values_list("pk", flat=True)):
        with transaction.atomic():
            # Locked, and read then: a person may choose other forms at this moment.
            rows = Publication.objects.select_for_update().filter(pk=pk).order_by("pk")
            for publication in rows:
                if DEVICE_FORM not in publication.forms and publication.policy_id in followed:
                    publication.forms = [*publication.forms, DEVICE_FORM]
                    publication.save(update_fields=["forms"])
                _keep_zones(publication, domain=domain)


def take_up_renamed(*, now: datetime) -> None:
    """Leave the entries due that follow a policy by another name than it has now."""
    for publication in renamed_publications().select_related("policy"):
        publication.told_name = publication.policy.name
        with transaction.atomic():
            publication.save(update_fields=["told_name"])
            make_due(followers(publication.policy), now=now)


def _keep_zones(publication: Publication, *, domain: str) -> None:
    wanted = {
        name: (form, lists)
        for form in publication.forms
        for lists, name in FORMS[form].zones(publication.label, domain)
    }
    held = {zone.name for zone in publication.zones.all()}
    publication.zones.exclude(name__in=wanted).delete()
    for name in sorted(wanted.keys() - held):
        form, lists = wanted[name]
        PolicyZone.objects.create(publication=publication, form=form, role=lists, name=name)


def free_label(name: str) -> str:
    """Return what the zones of the policy `name` are to be called: a label that is not taken."""
    plain = _NOT_IN_LABEL.sub("-", name.lower()).strip("-")[:LONGEST_LABEL].strip("-") or "policy"
    taken = {label.lower() for label in Publication.objects.values_list("label", flat=True)}
    numbered = (f"{plain[: LONGEST_LABEL - 6]}-{number}" for number in range(2, 100_000))
    return next(label for label in (plain, *numbered) if label not in taken)


def _forms(policy: Policy, forms: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(forms))
    for form in wanted:
        if form not in FORMS:
            raise Refused(
                f"form {form!r} is not known; known are {', '.join(FORMS)}", setting="forms"
            )
    if not wanted:
        raise Refused(f"choose a form: {', '.join(FORMS)}", setting="forms")
    told = _followed_by(policy)
    if DEVICE_FORM not in wanted and told:
        raise Refused(
            f"policy {policy.name} is followed by {told}, which read the form {DEVICE_FORM}; "
            f"keep it",
            setting="forms",
        )
    return wanted


def _networks(networks: Sequence[str]) -> list[str]:
    """Return networks that may transfer; raises SettingRefused and Refused."""
    allowed = rules.networks("networks", list(networks))
    for network in map(ipaddress.ip_network, allowed):
        if network.prefixlen < _WIDEST[network.version]:
            raise Refused(
                f"{network} is nearly everybody; name networks of /{_WIDEST[4]} or narrower "
                f"(IPv6: /{_WIDEST[6]})",
                setting="networks",
            )
    return allowed


def _followed_by(policy: Policy) -> str:
    """Return how many follow a policy, without names: not everybody may see all of them."""
    groups = GroupSettings.objects.filter(policy=policy).count()
    numbers = (
        (followers(policy).count(), "device entry", "device entries"), (groups, "group", "groups"),
    )  # fmt: skip
    return " and ".join(
        f"{number:,} {one if number == 1 else many}" for number, one, many in numbers if number
    )


def _facts(row: Publication | None) -> dict[str, object]:
    if row is None:
        return {}
    return {"forms": row.forms, "by_address": row.by_address, "networks": row.networks}
