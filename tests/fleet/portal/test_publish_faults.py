"""What goes wrong while a portal is written stays where it is, is told, and is tried again."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from fleet.models import Entry, PolicyZone, PortalState, Publication
from fleet.primary.base import Primary, PrimaryError, PrimaryUnavailable, Served, ZoneContent
from fleet.primary.errors import SerialBehind
from fleet.services import publications, publish as publishing
from fleet.services.entries import configure_entry, remove_entry
from fleet.services.primary import portal_primary
from fleet.services.publications import publish_policy, unpublish_policy
from fleet.services.publish import Published, publish, publish_all_again
from fleet.services.statuses import read_statuses
from fleet.services.steering import Change
from policies.services import InUse, Refused
from policies.store import get_set
from tests.factories import make_policy, publish as publish_snapshot, republish
from tests.fakes.foreground import free_port
from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import ACTOR, add, fresh, got, publish_all
from tscm_site.env_fleet import Place

pytestmark = pytest.mark.django_db


@dataclass
class Interrupted:
    """The real primary, to which something happens just before or after it writes."""

    primary: Primary
    faults: Mapping[str, PrimaryError]
    edit: Entry | None = None
    remove: Entry | None = None
    kill: bool = False

    def configure(self, served: Served) -> bool:
        return self.primary.configure(served)

    def write(self, zones: Iterable[ZoneContent]) -> Mapping[str, PrimaryError]:
        contents = [zone for zone in zones if zone.name not in self.faults]
        written = self.primary.write(contents)
        if self.kill:
            raise KeyboardInterrupt
        if self.edit is not None:
            change = Change({"verdict": "reject"})
            configure_entry(entry=self.edit, change=change, actor=ACTOR, now=self.edit.created_at)
            self.edit = None
        if self.remove is not None:
            remove_entry(entry=self.remove, actor=ACTOR, now=self.remove.created_at)
            self.remove = None
        return {**written, **self.faults}


def interrupted(monkeypatch: pytest.MonkeyPatch, **how: object) -> None:
    """Let the next publish write to such a primary."""
    one = Interrupted(portal_primary(), **{"faults": {}, **how})  # type: ignore[arg-type]
    monkeypatch.setattr(publishing, "portal_primary", lambda: one)


def test_what_is_changed_while_it_is_written_is_written_again(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = add("gw-1", now=moment - timedelta(seconds=1))
    Entry.objects.update(due_at=moment)
    with monkeypatch.context() as patched:
        interrupted(patched, edit=fresh(made.entry))
        publish_all(now=moment)
    assert fresh(made.entry).due_at is not None
    publish_all(now=moment)
    assert got(server, made).settings.values["verdict"] == "reject"


def test_an_entry_that_is_removed_while_others_are_written_is_taken_off_with_the_next_publish(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, gone = add("gw-1", now=moment), add("gw-2", now=moment)
    with monkeypatch.context() as patched:
        interrupted(patched, remove=gone.entry)
        publish_all(now=moment)
    assert gone.entry.device_id in server.include.read_text()
    assert publish_all(now=moment).is_configured
    assert gone.entry.device_id not in server.include.read_text()
    assert got(server, made).settings.nickname == "gw-1"


def test_what_is_changed_while_a_policy_is_written_is_written_too(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy(now=moment, name="slow", block=["5.6.7.0/28"])
    publish_snapshot(policy, now=moment)
    made = add("gw-1", now=moment - timedelta(seconds=1), policy=policy)
    publish_all(now=moment)
    republish(policy, "5.6.7.0/28", "7.7.7.7", now=moment)
    with monkeypatch.context() as patched:
        interrupted(patched, edit=fresh(made.entry))
        publish_all(now=moment)
    publish_all(now=moment)
    assert got(server, made).settings.values["verdict"] == "reject"


def test_a_publish_that_was_killed_is_done_again_under_another_serial(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = add("gw-1", now=moment)
    publish_all(now=moment)
    change = Change({"verdict": "reject"})
    configure_entry(entry=made.entry, change=change, actor=ACTOR, now=moment)
    with monkeypatch.context() as patched:
        interrupted(patched, kill=True)
        with pytest.raises(KeyboardInterrupt):
            publish(now=moment)
    written = got(server, made)
    change = Change({"verdict": "drop"})  # back to what was known to be in the zone
    configure_entry(entry=made.entry, change=change, actor=ACTOR, now=moment)
    assert publish_all(now=moment).settings == 1
    now_there = got(server, made)
    assert now_there.serial > written.serial
    assert now_there.settings.values["verdict"] == "drop"


def test_a_zone_that_is_refused_is_told_and_tried_again(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = add("gw-1", now=moment), add("gw-2", now=moment)
    zone = f"{bad.entry.device_id}.device.tscm.internal"
    with monkeypatch.context() as patched:
        interrupted(patched, faults={zone: PrimaryUnavailable("zone x was not written")})
        done = publish(now=moment)
    assert done is not None
    assert (done.settings, done.faults) == (1, 1)
    assert fresh(good.entry).write_error == ""
    assert fresh(bad.entry).write_error == "zone x was not written"
    assert publish(now=moment + timedelta(seconds=30)) is None
    assert publish_all(now=moment + timedelta(minutes=2)).settings == 1
    assert (fresh(bad.entry).write_error, got(server, bad).settings.nickname) == ("", "gw-2")


def test_what_nobody_foresaw_is_told_and_tried_again_later(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("gw-1", now=moment)
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "write_settings_zones", _broken)
        with pytest.raises(OSError, match="No space"):
            publish(now=moment)
    state = PortalState.objects.get()
    assert "unexpected failure (OSError) in publishing" in state.error
    assert (state.failing_since, state.claimed_by) == (moment, "")
    assert publish(now=moment + timedelta(seconds=30)) is None
    assert publish_all(now=moment + timedelta(minutes=2)).settings == 1
    assert PortalState.objects.get().error == ""


def _broken(*_: object, **__: object) -> object:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_serial_that_is_behind_is_caught_up(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = add("gw-1", now=moment)
    zone = f"{made.entry.device_id}.device.tscm.internal"
    ahead = int(moment.timestamp()) + 5000
    with monkeypatch.context() as patched:
        behind = SerialBehind(zone, wanted=1, serial=ahead)
        interrupted(patched, faults={zone: behind})
        publish(now=moment)
    publish_all(now=moment + timedelta(minutes=2))
    assert fresh(made.entry).serial == got(server, made).serial == ahead + 1


def test_the_serial_of_a_zone_of_a_policy_is_caught_up_as_well(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy(now=moment, name="behind", block=["5.6.7.0/28"])
    publish_snapshot(policy, now=moment)
    publish_policy(policy=policy, forms=["apl"], actor=ACTOR, now=moment)
    zone, ahead = "behind-netb.tscm.internal", int(moment.timestamp()) + 5000
    with monkeypatch.context() as patched:
        interrupted(patched, faults={zone: SerialBehind(zone, wanted=1, serial=ahead)})
        done = publish(now=moment)
    assert done == Published(policies=1, faults=1, is_configured=True)
    assert "is at serial" in PolicyZone.objects.get(name=zone).error
    assert publish_all(now=moment + timedelta(minutes=2)).policies == 1
    assert PolicyZone.objects.get(name=zone).serial == ahead + 1


def test_one_worker_at_a_time_publishes(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("gw-1", now=moment)
    owner = PortalState.objects.claim(pk=1, now=moment, lease=timedelta(minutes=1))
    assert owner is not None
    assert publish(now=moment) is None
    PortalState.objects.release(pk=1, owner=owner)
    assert publish_all(now=moment).settings == 1


def test_while_statuses_cannot_be_read_what_is_known_stays(
    server: PortalBind, moment: datetime, settings: Settings
) -> None:
    add("gw-1", now=moment)
    publish_all(now=moment)
    assert read_statuses(now=moment) == 0
    told = settings.TSCM_PORTAL
    settings.TSCM_PORTAL = replace(told, primary=Place("127.0.0.1", free_port()))
    assert read_statuses(now=moment) == 0
    assert "could not be read" in PortalState.objects.get().status_error
    settings.TSCM_PORTAL = told
    read_statuses(now=moment)
    assert PortalState.objects.get().status_error == ""


def test_while_a_key_cannot_be_read_nothing_is_taken_off_the_primary(
    server: PortalBind, moment: datetime, settings: Settings
) -> None:
    made = add("gw-1", now=moment)
    publish_all(now=moment)
    held = settings.TSCM_FIELD_KEYS
    settings.TSCM_FIELD_KEYS = [Fernet.generate_key().decode()]
    other = add("gw-2", now=moment)
    Entry.objects.update(due_at=moment)
    done = publish(now=moment)
    assert done is not None
    assert "1 device entries cannot be read, such as gw-1" in done.error
    assert "TSCM_FIELD_KEYS" in PortalState.objects.get().error
    assert "TSCM_FIELD_KEYS" in fresh(made.entry).write_error
    settings.TSCM_FIELD_KEYS = [*settings.TSCM_FIELD_KEYS, *held]
    publish_all(now=moment + timedelta(minutes=2))
    assert got(server, made).settings.nickname == "gw-1"
    assert got(server, other).settings.nickname == "gw-2"


def test_a_form_that_cannot_hold_a_list_leaves_the_others_alone(
    server: PortalBind, moment: datetime
) -> None:
    policy = make_policy(now=moment, name="wide", block=["5.0.0.0/11"], max_share=90)
    publish_snapshot(policy, now=moment)
    publish_policy(policy=policy, forms=["apl", "a"], actor=ACTOR, now=moment)
    done = publish(now=moment)
    assert done is not None
    assert (done.policies, done.faults, done.error) == (3, 1, "")
    refused = PolicyZone.objects.get(name="wide-hostb.tscm.internal")
    assert "Publish the policy as APL" in refused.error
    assert refused.snapshot_number is None
    assert publish(now=moment + timedelta(hours=1)) is None  # it would be refused again
    republish(policy, "5.6.7.0/28", now=moment + timedelta(hours=1))
    assert publish_all(now=moment + timedelta(hours=1)).policies == 4
    assert PolicyZone.objects.get(pk=refused.pk).error == ""


def test_lists_that_cannot_be_read_are_told_and_tried_again(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy(now=moment, name="lost", block=["5.6.7.0/28"])
    snapshot = publish_snapshot(policy, now=moment)
    publish_policy(policy=policy, forms=["apl"], actor=ACTOR, now=moment)

    def lost(digest: str) -> object:
        raise FileNotFoundError(digest)

    with monkeypatch.context() as patched:
        patched.setattr("fleet.services.policy_zones.get_set", lost)
        done = publish(now=moment)
    assert done is not None
    assert (done.policies, done.faults) == (0, 2)
    zone = PolicyZone.objects.order_by("name").first()
    assert zone is not None
    assert f"the lists of {snapshot} cannot be read" in zone.error
    assert get_set(snapshot.block_digest)
    assert publish_all(now=moment + timedelta(minutes=2)).policies == 2


def test_all_is_written_anew_on_demand(server: PortalBind, moment: datetime) -> None:
    policy = make_policy(now=moment, name="again", block=["5.6.7.0/28"])
    publish_snapshot(policy, now=moment)
    made = add("gw-1", now=moment, policy=policy)
    publish_all(now=moment)
    serial = fresh(made.entry).serial
    publish_all_again(actor=ACTOR, now=moment)
    done = publish_all(now=moment)
    assert (done.settings, done.policies) == (1, 2)
    assert fresh(made.entry).serial > serial


def test_what_is_followed_stays_published_in_the_form_that_devices_read(
    server: PortalBind, moment: datetime
) -> None:
    policy = make_policy(now=moment, name="edge")
    made = add("gw-1", now=moment, policy=policy)
    publish_all(now=moment)
    with pytest.raises(Refused, match="followed by 1 device entry, which read the form apl"):
        publish_policy(policy=policy, forms=["rpz"], actor=ACTOR, now=moment)
    with pytest.raises(Refused, match="form 'xml' is not known"):
        publish_policy(policy=policy, forms=["xml"], actor=ACTOR, now=moment)
    row = publish_policy(
        policy=policy, forms=["apl", "rpz"], networks=["192.0.2.53"], actor=ACTOR, now=moment
    )
    with pytest.raises(InUse, match="followed by 1 device entry"):
        unpublish_policy(publication=row, actor=ACTOR, now=moment)
    publish_all(now=moment)
    assert "192.0.2.53" in server.include.read_text()
    configure_entry(entry=made.entry, change=Change(policy=None), actor=ACTOR, now=moment)
    unpublish_policy(publication=row, actor=ACTOR, now=moment)
    assert publish_all(now=moment).is_configured
    assert "edge.rpz" not in server.include.read_text()


def test_forms_that_a_person_chooses_at_that_moment_are_kept(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for name in ("one", "two"):
        policy = make_policy(now=moment, name=name)
        rows.append(publish_policy(policy=policy, forms=["rpz"], actor=ACTOR, now=moment))
        add(f"gw-{name}", now=moment, policy=policy)
    keep = publications._keep_zones

    def chosen_meanwhile(publication: Publication, *, domain: str) -> None:
        keep(publication, domain=domain)
        if publication == rows[0]:
            Publication.objects.filter(pk=rows[1].pk).update(forms=["rpz", "txt"])

    monkeypatch.setattr(publications, "_keep_zones", chosen_meanwhile)
    publications.keep_publications(domain="tscm.internal")
    assert Publication.objects.get(pk=rows[1].pk).forms == ["rpz", "txt", "apl"]
    assert rows[1].zones.filter(form="txt").exists()


def test_labels_of_policies_whose_names_are_alike_differ(
    server: PortalBind, moment: datetime
) -> None:
    names = ("Edge_1", "edge-1", "--")
    labels = [
        publish_policy(
            policy=make_policy(now=moment, name=name), forms=["apl"], actor=ACTOR, now=moment
        ).label
        for name in names
    ]
    assert labels == ["edge-1", "edge-1-2", "policy"]
    own = make_policy(now=moment, name="fmc-1", is_private=True)
    with pytest.raises(Refused, match="made from the lists of the device fmc-1"):
        publish_policy(policy=own, forms=["apl"], actor=ACTOR, now=moment)
    with pytest.raises(Refused, match="choose a form"):
        publish_policy(policy=make_policy(now=moment), forms=[], actor=ACTOR, now=moment)


def test_a_text_that_cannot_be_sent_stops_its_own_entry_alone(
    server: PortalBind, moment: datetime
) -> None:
    good, bad = add("gw-1", now=moment), add("gw-2", now=moment)
    Entry.objects.filter(pk=bad.entry.pk).update(settings={"log_limit": "half a \udcff"})
    done = publish(now=moment)
    assert done is not None
    assert (done.settings, done.faults) == (1, 1)
    assert "has half a character" in fresh(bad.entry).write_error
    assert got(server, good).settings.nickname == "gw-1"


def test_an_id_that_can_have_no_zone_stops_its_own_entry_alone(
    server: PortalBind, moment: datetime
) -> None:
    good, bad = add("gw-1", now=moment), add("gw-2", now=moment)
    publish_all(now=moment)
    Entry.objects.filter(pk=bad.entry.pk).update(device_id="g2-x")
    configure_entry(entry=good.entry, change=Change({"verdict": "reject"}), actor=ACTOR, now=moment)
    Entry.objects.update(due_at=moment)
    done = publish(now=moment)
    assert done is not None
    assert (done.settings, done.faults) == (1, 1)
    assert "cannot be a device ID" in done.error
    assert "cannot be a device ID" in fresh(bad.entry).write_error
    assert got(server, good).settings.values["verdict"] == "reject"
