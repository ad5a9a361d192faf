"""Every page of the console, for the tests that hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.urls import reverse

from devices.kinds import KINDS
from devices.models import Device, Pull
from devices.services import PullRecord, record_pulls
from enforcement.models import Application, Inquiry, Question
from enforcement.services import ask, inquiries
from logs.models import Batch, Forward, Receiver, SavedReport, Sender, Spool
from policies.models import (
    Alarm,
    AlarmTarget,
    Change,
    ListRecord,
    Policy,
    ProtectedAddress,
    Retrieval,
    Snapshot,
    Source,
)
from policies.services import add_record, create_user_list, keep_alarms
from policies.states import AlarmKind
from tests.enforcement.rows import CHECK, PLAN, applied, enforce
from tests.factories import make_device, make_gateway, make_policy, publish
from tests.logs.rows import make_logs
from tests.policies.services.targets import make_mailbox

MODELS = (
    Device, Pull, Application, Spool, Batch, Forward, SavedReport, Sender, Receiver, Policy,
    Source, ListRecord, Snapshot, Retrieval, Alarm, AlarmTarget, ProtectedAddress, Change,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """A small site: one device that pulled once and sent logs, a gateway, a list kept here."""

    device: Device
    policy: Policy
    snapshot: Snapshot
    gateway: Device


def make_site(*, now: datetime) -> Site:
    """Make a device with a published policy, a pull and logs, and a list of one record."""
    policy = make_policy(now=now, block=["8.8.4.0/24", "9.9.9.9", "10.0.0.0/8"], allow=["8.8.4.4"])
    snapshot = publish(policy, now=now)
    device = make_device(policy=policy, now=now, nickname="fmc-1")
    record_pulls(records=[pull_of(device, at=now)])
    device.refresh_from_db()
    make_logs(device, now=now)
    ours = create_user_list(name="ours", type="block", actor="test", now=now)
    add_record(source=ours, entry="203.0.113.7", note="scanner", actor="test", now=now)
    make_mailbox(now=now)
    rita = User.objects.create_user("rita")
    SavedReport.objects.create(name="weekly", owner=rita, query="last=7d", is_shared=True)
    keep_alarms(
        kinds=[AlarmKind.STALE], wanted={(AlarmKind.STALE, "source a"): "It is old."}, now=now
    )
    return Site(device, policy, snapshot, _gateway(policy, now=now))


def _gateway(policy: Policy, *, now: datetime) -> Device:
    """Make a gateway that was applied to once, and asked three things of which one is open."""
    gateway = make_gateway(policy=policy, now=now, nickname="gw-1")
    kernel = enforce(gateway, now=now, warnings=["Docker is here."])
    applied(kernel, now=now)
    for question, found in ((Question.PLAN, PLAN.json()), (Question.CHECK, CHECK.json())):
        asked = ask(gateway=kernel, question=question, actor="test", now=now)
        inquiries.answer(asked, found=found, error="", now=now)
    ask(gateway=kernel, question=Question.PLAN, actor="test", now=now)
    return gateway


def pull_of(device: Device, *, at: datetime) -> PullRecord:
    return PullRecord(
        device_pk=device.pk,
        at=at,
        client="198.51.100.9",
        agent="curl/8",
        file="threatstop-block.txt",
        method="GET",
        status=200,
        snapshot_number=1,
        sent=1234,
        is_complete=True,
    )


def address(model: type, page: str, *args: object) -> str:
    meta = model._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def all_pages(site: Site) -> list[str]:
    """Return the address of every page that can be looked at."""
    pages = [reverse("admin:index"), address(Device, "feed", site.device.pk), *reports(site)]
    kept = Source.objects.get(kind="user")
    pages += [
        address(Source, "change", kept.pk),
        f"{address(ListRecord, 'changelist')}?list={kept.pk}",
        address(Device, "change", site.gateway.pk),
    ]
    pages += [
        address(Device, "inquiry", site.gateway.pk, inquiry.pk)
        for inquiry in Inquiry.objects.order_by("pk")
    ]
    for model in MODELS:
        row = model.objects.order_by("pk").first()
        assert row is not None, f"no {model.__name__} to show"
        pages += [address(model, "changelist"), address(model, "change", row.pk)]
        pages += [address(model, "history", row.pk)]
    return pages


def reports(site: Site) -> list[str]:
    source = site.policy.sources.order_by("pk").first()
    assert source is not None
    asked = (
        ("why", ()),
        ("difference", (site.snapshot.pk,)),
        ("effects", (site.snapshot.pk,)),
        ("replay", (site.policy.pk,)),
        ("worth", (source.pk,)),
        ("overview-hits", ()),
        ("report", ()),
        ("report-connections", ()),
        ("report-line", ("1-2-3",)),
        ("first-run", ()),
        ("set-up", (site.device.pk,)),
        ("set-up", (site.gateway.pk,)),
        ("set-up-now", (site.device.pk,)),
    )
    return [reverse(f"console:{name}", args=args) for name, args in asked]


def add_pages() -> list[str]:
    """Return the address of every page that is only for who may write."""
    models = (Device, Policy, Source, ListRecord, AlarmTarget, ProtectedAddress)
    kept = Source.objects.get(kind="user")
    own = [address(ListRecord, "newlist"), address(ListRecord, "paste", kept.pk)]
    back = address(Snapshot, "return", Snapshot.objects.order_by("pk")[0].pk)
    other_kind = f"{address(Device, 'add')}?kind=iptables"
    first = [reverse("console:first-device", args=[kind]) for kind in KINDS]
    return [*(address(model, "add") for model in models), other_kind, *own, *first, back]
