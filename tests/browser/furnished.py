"""A site that looks like one, for pictures: what a few branches have after a month."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.utils import timezone

from devices.models import Device, DeviceGroup
from devices.services import PullRecord, record_pulls
from enforcement.models import Question
from enforcement.services import ask, inquiries
from logs.models import Forward, SavedReport
from logs.reports.places import closed_batch
from logs.states import ForwardState
from policies.models import Policy, Source
from policies.services import Member, create_policy, create_source, keep_alarms, refresh_policy
from policies.states import AlarmKind, Role
from tests.browser.site import drop, let_through
from tests.enforcement.rows import PLAN, applied, enforce
from tests.factories import make_device, make_gateway, make_policy, publish, republish
from tests.fakes.events import Made, write_events
from tests.logs.rows import failed, make_batch, make_receiver, make_sender, make_spool, uploaded
from tests.policies.services.targets import make_mailbox

BRANCHES = ("berlin", "lisbon", "oslo")
_LINE = (
    "<113>Nov 21 11:04:36 fmc-oslo %FTD-1-430002: EventPriority: High, DeviceUUID: 2f1d5b3c-7a, "
    "AccessControlRuleAction: Block, AccessControlRuleReason: IP Block, SrcIP: 93.184.9.7, "
    "DstIP: 10.20.1.14, SrcPort: 50231, DstPort: 3389, Protocol: tcp, "
    "IPReputationSICategory: TSblock, ACPolicy: Edge"
)


def _source(name: str, *entries: str) -> Source:
    return create_source(
        name=name,
        kind="memory",
        settings={"entries": list(entries)},
        actor="console:alice",
        now=timezone.now(),
    )


def furnish() -> None:
    """Make a site: policies, two of them held by their guard, four firewalls and a gateway."""
    networks = [f"93.185.{n}.0/24" for n in range(0, 256, 2)]
    blocked = [*networks, *(f"93.184.{n}.7" for n in range(250)), "10.1.0.0/16"]
    edge = _policy(
        "edge-block", _source("known scanners", *blocked), _source("partners", "93.184.9.0/24")
    )
    wide = _policy("wide-block", _source("too much", "93.0.0.0/7"), None)
    _grow(_policy("guest-block", _source("open proxies", *_networks(20)), None))
    now = timezone.now()
    for number, name in enumerate(BRANCHES):
        device = make_device(policy=edge, now=now - timedelta(days=3), nickname=f"fmc-{name}")
        _pull(device, minutes=(12, 27, 260)[number])
    make_device(policy=wide, now=now, nickname="fmc-madrid")
    _enforce(make_policy(now=now, name="dmz-block", block=_networks(60)))
    _log()
    scanners = Source.objects.get(name="known scanners")
    for seed, name in enumerate(BRANCHES[:2]):
        drop(device_named(name), by=scanners, now=now, events=1_500, seed=seed)
    wanted = [f"93.{2 * n}.7.9" for n in range(45, 60)]
    let_through(device_named("berlin"), wanted, now=now, events=400)
    _tell_one_line(scanners, now=now)
    _alarm(now=now)
    _people(now=now)


def device_named(branch: str) -> Device:
    """Return the firewall of a branch."""
    return Device.objects.get(nickname=f"fmc-{branch}")


def _tell_one_line(source: Source, *, now: datetime) -> None:
    """Let a firewall have told of one connection, with the line that it sent."""
    batch = make_batch(make_spool(device_named("oslo"), now=now), 1, 1, at=now)
    path = closed_batch(batch).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{_LINE}\n")
    made = Made(
        now - timedelta(minutes=4), inside="10.20.1.14", outside="93.184.9.7", list=source,
        entry="93.184.9.7/32", snapshot=device_named("oslo").published, batch=batch, offset=0,
        size=len(_LINE), source_port=50_231, destination_port=3389, said="TSblock",
    )  # fmt: skip
    write_events(device_named("oslo"), [made])


def _alarm(*, now: datetime) -> None:
    """Let a few things be wrong, and somebody be told of them."""
    make_mailbox(now=now)
    silent, held = "device fmc-oslo", "policy guest-block"
    wanted = {
        (AlarmKind.STOPPED_PULLING, silent): "fmc-oslo pulled last four hours ago.",
        (AlarmKind.HELD, held): "The guard holds a change of guest-block: it would grow threefold.",
        (AlarmKind.UPLOAD_FAILING, "device fmc-lisbon"): "Two batches of fmc-lisbon wait; the log "
        "service refuses connections.",
    }
    kinds = sorted({kind for kind, _ in wanted})
    keep_alarms(kinds=kinds, wanted=wanted, now=now - timedelta(minutes=20))


def _people(*, now: datetime) -> None:
    """Let there be people with roles, one of whom sees the devices of Berlin only."""
    group = DeviceGroup.objects.create(name="Berlin", note="The branch at Berlin")
    Device.objects.filter(nickname="fmc-berlin").update(group=group)
    for name, role in (("omar", "operator"), ("rita", "report viewer"), ("ada", "auditor")):
        person = User.objects.create_user(name, password="correct-horse-battery", is_staff=True)
        person.groups.add(Group.objects.get_or_create(name=role)[0])
        person.last_login = now - timedelta(hours=5)
        person.save(update_fields=["last_login"])
    group.people.add(User.objects.get(username="rita"))
    SavedReport.objects.create(
        name="What came in, weekly", owner=User.objects.get(username="alice"), is_shared=True,
        query="last=7d&direction=in", every="weekly", recipients=["soc@example.net"],
    )  # fmt: skip


def _enforce(policy: Policy) -> None:
    """Make a gateway that enforces a policy since three days, and was asked for a plan just now."""
    now = timezone.now()
    since = now - timedelta(days=3)
    first = publish(policy, now=since)
    digests = {name: getattr(first, name) for name in ("block_digest", "allow_digest")}
    settings = {"node": "gw-vienna", "canaries": "192.0.2.1, 192.0.2.53:53"}
    gateway = make_gateway(policy=policy, now=since, nickname="gw-vienna", **settings)
    sets = {"TSblockaddr": [0, 512], "TSblocknet": [60, 9_216]}
    kernel = enforce(gateway, now=now, sets=sets, applied_at=since, dropped_since=since, **digests)
    applied(kernel, now=since, added=60, removed=0, cut=4)
    applied(kernel, now=now - timedelta(hours=5), trigger="difference", outcome="healed", added=0,
            removed=0, cut=0, detail="the chain TSblock was not hooked into FORWARD")  # fmt: skip
    republish(policy, *_networks(66)[2:], now=now)
    asked = ask(gateway=kernel, question=Question.PLAN, actor="console:alice", now=now)
    plan = replace(
        PLAN, label="dmz-block #2", snapshot=2, in_force=1, added=6, removed=2, allow_added=0,
        first_added=_networks(66)[60:], first_removed=_networks(2), entries=64, memory=0, cost="",
        rules=[],
    )  # fmt: skip
    inquiries.answer(asked, found=plan.json(), error="", now=now)


def _log() -> None:
    """Let two firewalls send: one whose logs are uploaded, one whose log service is away."""
    now, quarter = timezone.now(), timedelta(minutes=15)
    well, troubled = (Device.objects.get(nickname=f"fmc-{name}") for name in BRANCHES[:2])
    make_receiver(now=now)
    spool = make_spool(
        well, now=now, received=61_250, spooled=61_250, refused=0, over_quota=0, lost=0,
        open_lines=1_250, open_bytes=375_000,
    )  # fmt: skip
    for number in range(1, 13):
        at = now - (12 - number) * quarter
        uploaded(make_batch(spool, number, 5_000, at=at), at=at)
    spool = make_spool(troubled, now=now, received=9_030, spooled=9_000, refused=0, over_quota=30,
                       lost=0, open_lines=0, open_bytes=0, open_since=None)  # fmt: skip
    for number in (1, 2, 4):
        made = make_batch(spool, number, 3_000, at=now - (5 - number) * quarter)
        if number == 1:
            uploaded(made, at=made.closed_at)
        if number == 2:
            failed(made, at=now - timedelta(minutes=3), times=14)
    Forward.objects.create(
        device=well, target="192.0.2.90:6514/tls", state=ForwardState.FORWARDING, sent=61_238,
        lag_lines=12, lag_bytes=3_600, oldest_at=now, reported_at=now, connected_at=now,
    )  # fmt: skip
    Device.objects.filter(pk=well.pk).update(syslog_forward="192.0.2.90:6514/tls")
    make_sender(now=now, sample="<113>Mar  1 01:02:36 fmc-oslo %FTD-1-430002: SrcIP: 192.0.2.7")
    make_sender("203.0.113.40", now=now, sample="<13>Mar  1 01:02:36 printer-3 toner low")


def _policy(name: str, block: Source, allow: Source | None) -> Policy:
    members = [Member(block, Role.BLOCK), *([Member(allow, Role.ALLOW)] if allow else [])]
    policy = create_policy(name=name, members=members, actor="console:alice", now=timezone.now())
    refresh_policy(policy=policy, clock=timezone.now)
    return policy


def _networks(count: int) -> list[str]:
    return [f"93.{2 * n}.0.0/16" for n in range(count)]


def _grow(policy: Policy) -> None:
    """Let the list of a policy become so much longer that the guard holds it."""
    policy.sources.update(settings={"entries": _networks(60)})
    refresh_policy(policy=policy, clock=timezone.now)


def _pull(device: Device, *, minutes: int) -> None:
    now = timezone.now()
    records = [
        PullRecord(
            device_pk=device.pk,
            at=now - timedelta(minutes=minutes + 30 * times),
            client="192.0.2.250",
            agent="curl/7.88",
            file=f"threatstop-{role}.txt",
            method="GET",
            status=200 if times == 2 else 304,
            snapshot_number=1,
            sent=3_911 if times == 2 else 0,
            is_complete=True,
        )
        for times in range(3)
        for role in Role
    ]
    record_pulls(records=records)
