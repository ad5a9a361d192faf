"""A machine registers itself: over HTTP with a real portal, whose primary is a real BIND."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import ApiToken, TokenRight
from accounts.services import create_token
from devices.models import Device
from fleet.cloud import metadata
from fleet.cloud.identity import AUTO
from fleet.models import Entry, Link
from fleet.services.entries import configure_entry, remove_entry
from fleet.services.entry_keys import rotate_key
from fleet.services.groups import set_group_settings
from fleet.services.publish import publish
from fleet.services.steering import Change as Steer
from policies.models import Change
from tests.factories import make_policy, publish as publish_snapshot
from tests.fakes.portal_servers import TLS_NAME, PortalBind
from tests.fleet.cloud.machines import PLAIN
from tests.fleet.edges.rows import make_group
from tests.fleet.portal.portals import make_portal
from tests.tsadmin.conftest import Answer, Tsadmin
from tests.tsadmin.enforcer import Enforcer
from tsadmin import register as flags
from tsadmin.commands import registering

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def primary() -> Iterator[PortalBind]:
    """The primary of these tests' portals, one after the other."""
    with PortalBind() as bind:
        yield bind


class Machine:
    """A gateway's machine, and the portal that it is to register with."""

    def __init__(self, tsadmin: Tsadmin, portal: LiveServer, folder: Path) -> None:
        self.tsadmin, self.portal = tsadmin, portal
        self.key, self.ca = folder / "api-key", folder / "ca.pem"
        self.data = folder / "data"

    def register(self, *more: str) -> Answer:
        """Run the command as a first boot does."""
        given = (
            "--url", self.portal.url, "--api-key-file", str(self.key), "--ca", str(self.ca), *more
        )  # fmt: skip
        return self.tsadmin("register", *given)

    @property
    def kept(self) -> dict[str, str]:
        """What it remembers of who it is."""
        found = json.loads((self.data / "secrets" / "registration").read_text())
        assert isinstance(found, dict)
        return found


@pytest.fixture
def images(db: None) -> User:
    """Whose tokens are in images: adds device entries, in one group, whose policy they follow."""
    now = timezone.now()
    user = User.objects.create_user("images")
    user.user_permissions.add(Permission.objects.get(codename="add_entry"))
    group = make_group("cloud", now=now)
    group.people.add(user)
    policy = make_policy(name="edge", now=now)
    publish_snapshot(policy, now=now)
    set_group_settings(
        group=group, settings={"log_size": "250k"}, policy=policy, actor="test", now=now
    )
    return user


@pytest.fixture(autouse=True)
def elsewhere(
    primary: PortalBind, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portal that publishes while somebody waits for it, and a machine that is in no cloud."""
    cache.clear()
    make_portal(settings, primary)
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(metadata, "ORIGIN", "http://127.0.0.1:1")
    monkeypatch.setattr(registering, "read_machine", lambda: PLAIN)
    publishing = SimpleNamespace(sleep=lambda _: publish(now=timezone.now()))
    monkeypatch.setattr(registering, "time", publishing)


@pytest.fixture
def machine(
    tsadmin: Tsadmin,
    enforcer: Enforcer,
    live_server: LiveServer,
    primary: PortalBind,
    images: User,
    tmp_path: Path,
) -> Machine:
    """A machine with an API key of the portal."""
    made = create_token(
        user=images, name="image", right=TokenRight.ADD_ENTRIES, actor="test", now=timezone.now()
    )
    one = Machine(tsadmin, live_server, tmp_path)
    one.key.write_text(f"{made.text}\n")
    one.ca.write_text(primary.ca)
    return one


def test_a_machine_registers_links_enforces_and_checks(machine: Machine) -> None:
    answer = machine.register("--cloud", "azure")
    assert answer.code == 0, answer.stderr
    entry = Entry.objects.get()
    assert entry.nickname.startswith("azure_ip_")
    assert (entry.manufacturer, entry.model) == ("Microsoft", "Azure IP Firewall")
    assert entry.group is not None
    device = Device.objects.get()
    assert (device.nickname, device.device_id) == (entry.nickname, entry.device_id)
    assert device.log_size == 250_000
    assert f"{device} ({device.device_id}) is linked to 127.0.0.1" in answer.stdout
    assert "198.51.100.7 is dropped and 192.0.2.1 is not." in answer.stdout
    link = Link.objects.get()
    assert (link.device, link.tls_name) == (device, TLS_NAME)
    change = Change.objects.get(subject=f"entry {entry.nickname}", verb="add")
    assert (change.actor, change.channel) == ("api:images", "API, token image")
    everything = str(list(Change.objects.values())) + answer.stdout + answer.stderr
    assert machine.kept["secret"] not in everything
    assert machine.key.read_text().strip() not in everything
    assert "tscmdk1_" not in everything


def test_again_it_is_already_linked_and_asks_for_no_entry(machine: Machine) -> None:
    machine.register()
    kept = machine.kept
    ApiToken.objects.all().delete()
    machine.key.unlink()
    for _ in range(2):
        answer = machine.register()
        assert answer.code == 0, answer.stderr
        assert "is already linked to 127.0.0.1" in answer.stdout
    assert (Entry.objects.count(), Device.objects.count()) == (1, 1)
    assert machine.kept == kept


def test_a_machine_that_lost_its_link_gets_its_entry_again(machine: Machine) -> None:
    assert machine.register().code == 0
    entry = Entry.objects.get()
    name = entry.nickname
    assert machine.tsadmin("remove", name, "--yes").code == 0
    assert machine.register().code == 0
    assert Entry.objects.get() == entry
    assert Device.objects.get().device_id == entry.device_id


def test_again_it_has_what_the_portal_says_meanwhile(machine: Machine) -> None:
    machine.register()
    change = Steer({"log_size": "500k"})
    now = timezone.now()
    configure_entry(entry=Entry.objects.get(), change=change, actor="test", now=now)
    publish(now=now)
    assert machine.register().code == 0
    assert Device.objects.get().log_size == 500_000


def test_a_machine_whose_key_was_taken_back_gets_the_one_that_is_good(machine: Machine) -> None:
    machine.register()
    rotate_key(entry=Entry.objects.get(), hours=0, actor="test", now=timezone.now())
    publish(now=timezone.now())
    answer = machine.register()
    assert answer.code == 0, answer.stderr
    assert "already" not in answer.stdout
    assert (Link.objects.get().error, Entry.objects.count()) == ("", 1)


def test_a_machine_registers_again_while_its_key_and_the_next_one_are_both_good(
    machine: Machine,
) -> None:
    machine.register()
    entry = Entry.objects.get()
    secret = Steer({"upload_proxy_password": "sesame"})
    configure_entry(entry=entry, change=secret, actor="test", now=timezone.now())
    new = rotate_key(entry=entry, hours=24, actor="test", now=timezone.now())
    publish(now=timezone.now())
    assert machine.tsadmin("remove", entry.nickname, "--yes").code == 0
    answer = machine.register()
    assert answer.code == 0, answer.stderr
    assert Link.objects.get().key == new.text
    assert Device.objects.get().upload_proxy_password == "sesame"


def test_a_portal_that_is_away_is_told_and_no_other_entry_is_asked_for(machine: Machine) -> None:
    machine.register()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nobody = listening.getsockname()[1]
    Link.objects.update(port=nobody)
    machine.key.unlink()
    assert machine.register().error.startswith("Failed to connect to Web Automation services")


def test_an_entry_made_anew_at_the_portal_is_told_from_the_device_here(machine: Machine) -> None:
    machine.register()
    remove_entry(entry=Entry.objects.get(), actor="test", now=timezone.now())
    publish(now=timezone.now())
    name = Device.objects.get().nickname
    assert f"remove that with 'tsadmin remove {name}'" in machine.register().error
    assert machine.tsadmin("remove", name, "--yes").code == 0
    assert machine.register().code == 0


def test_the_name_of_another_machine_is_not_given_away(machine: Machine) -> None:
    machine.register()
    (machine.data / "secrets" / "registration").unlink()
    name = Device.objects.get().nickname
    assert machine.tsadmin("remove", name, "--yes").code == 0
    error = machine.register().error
    assert "answered 409" in error
    assert f"{name} belongs to a machine that registered with another secret" in error
    assert not Device.objects.exists()


def test_without_a_good_key_nothing_is_made(machine: Machine) -> None:
    machine.key.write_text("tscm_no-such-key")
    assert "answered 401" in machine.register().error
    assert "The API key is not known there" in machine.register().error
    machine.key.unlink()
    assert "--api-key-file" in machine.register().error
    assert not Entry.objects.exists()


def test_a_user_who_may_not_add_entries_has_keys_that_do_not_either(
    machine: Machine, images: User
) -> None:
    images.user_permissions.clear()
    error = machine.register().error
    assert "answered 403" in error
    assert "its user needs that right" in error


def test_a_console_that_is_no_portal_says_so(machine: Machine, settings: Settings) -> None:
    settings.TSCM_PORTAL = SimpleNamespace(primary=None)
    assert "This console is no portal" in machine.register().error


def test_url_and_key_may_come_from_the_environment(machine: Machine, settings: Settings) -> None:
    settings.TSCM_REGISTER_URL = machine.portal.url
    settings.TSCM_REGISTER_KEY = machine.key.read_text().strip()
    settings.TSCM_LINK_CA = machine.ca
    answer = machine.tsadmin("register", "--json")
    assert answer.code == 0, answer.stderr
    told = answer.json
    assert told["name"].startswith("linux_ip_")
    assert not told["was_linked"]
    assert told["check"]["ok"]
    assert machine.tsadmin("register", "--json").json["was_linked"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "say which portal: --url"),
        (("--url", "http://portal.example.net"), 2, "must begin with https://"),
        (
            ("--url", "https://portal.example.net", "--cloud", "moon"),
            2,
            "--cloud moon is not known",
        ),
        (("--url", "https://portal.example.net"), 2, "there is no API key"),
        (
            ("--url", "https://portal.example.net", "--api-key-file", "/etc/no-such-key"),
            1,
            "--api-key-file /etc/no-such-key cannot be read: No such file or directory",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    machine: Machine, arguments: tuple[str, ...], code: int, told: str
) -> None:
    answer = machine.tsadmin("register", *arguments)
    assert (answer.code, told in answer.error) == (code, True), answer.error


def test_flags_and_work_agree_on_what_stands_for_any_cloud() -> None:
    assert flags.AUTO == AUTO
