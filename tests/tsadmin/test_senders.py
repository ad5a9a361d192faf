"""senders: what no device is known by, and whose it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices.models import Device
from logs.models import Sender
from policies.models import Change
from tests.factories import make_device, make_policy
from tests.tsadmin.conftest import Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db
LINE = "<113>2026-03-01T01:02:36Z fw-b %FTD-1-430002: AccessControlRuleAction: Block"


def make_sender(address: str, *, now: datetime, minutes: int = 0, **columns: object) -> Sender:
    at = now - timedelta(minutes=minutes)
    values = {"lines": 1200, "bytes": 90_000, "transports": ["tcp"], "sample": LINE, **columns}
    return Sender.objects.create(address=address, first_at=at, last_at=at, **values)


def make_devices(*names: str, now: datetime) -> list[Device]:
    policy = make_policy(now=now)
    return [make_device(policy=policy, now=now, nickname=name) for name in names]


def test_who_sends_without_being_known_is_listed_with_what_to_do(
    tsadmin: Tsadmin, now: datetime
) -> None:
    make_devices("fw-a", "fw-b", now=now)
    make_sender("198.51.100.9", now=now, minutes=2)
    make_sender("2001:db8::9", now=now, sample="no name in it", transports=["tcp", "udp"])
    make_sender("203.0.113.9", now=now, is_ignored=True)
    answer = tsadmin("senders")
    titles, *rows = answer.stdout.splitlines()
    assert titles.split()[:4] == ["Address", "Lines", "By", "Last"]
    assert [row.split()[0] for row in rows] == ["2001:db8::9", "198.51.100.9", "203.0.113.9"]
    assert "1,200  tcp, udp  2026-11-21 12:00  tsadmin senders adopt 2001:db8::9 NAME" in rows[0]
    assert "tsadmin senders adopt 198.51.100.9 fw-b (its lines say fw-b)" in rows[1]
    assert rows[1].endswith(LINE)
    assert "  ignored  " in rows[2]
    assert "tsadmin senders adopt ADDRESS NAME" in answer.stderr
    told = tsadmin("senders", "--json").json["senders"]
    assert [(one["suggested"], one["is_ignored"]) for one in told] == [
        (None, False),
        ("fw-b", False),
        (told[2]["suggested"], True),
    ]


def test_nobody_refused_is_said(tsadmin: Tsadmin) -> None:
    answer = tsadmin("senders")
    assert (answer.code, answer.stdout) == (0, "No sender is refused.\n")
    assert tsadmin("senders", "--json").json == {"senders": []}


def test_very_many_are_cut_short_on_the_screen_only(tsadmin: Tsadmin, now: datetime) -> None:
    for number in range(101):
        make_sender(f"198.51.100.{number}", now=now, minutes=number)
    answer = tsadmin("senders")
    assert len(answer.stdout.splitlines()) == 101
    assert "100 of 101 are shown" in answer.stderr
    assert len(tsadmin("senders", "--json").json["senders"]) == 101


def test_an_address_is_adopted_by_a_device_and_it_is_recorded(
    tsadmin: Tsadmin, now: datetime
) -> None:
    (device,) = make_devices("fw-a", now=now)
    make_sender("2001:db8::9", now=now)
    answer = tsadmin("senders", "adopt", "2001:DB8:0::9", "fw-a")
    assert answer.stdout == "2001:db8::9 is a syslog source of fw-a.\n", answer.stderr
    device.refresh_from_db()
    assert device.syslog_sources == ["2001:db8::9"]
    assert not Sender.objects.exists()
    assert Change.objects.filter(actor__startswith="tsadmin:", verb="configure").exists()


def test_an_address_is_ignored_and_shown_again(tsadmin: Tsadmin, now: datetime) -> None:
    make_sender("198.51.100.9", now=now)
    answer = tsadmin("senders", "ignore", "::ffff:198.51.100.9")
    assert answer.stdout == "198.51.100.9 is ignored; its lines stay refused.\n"
    assert Sender.objects.get().is_ignored
    answer = tsadmin("senders", "ignore", "198.51.100.9", "--undo")
    assert answer.stdout == "198.51.100.9 is shown again.\n"
    assert not Sender.objects.get().is_ignored


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("adopt", "198.51.100.9"), 2, "Missing argument 'NAME'"),
        (("adopt", "fw-a", "198.51.100.9"), 2, "fw-a is no address, such as 192.0.2.9"),
        (("adopt", "198.51.100.8", "fw-a"), 1, "no lines of 198.51.100.8 were refused lately"),
        (("adopt", "198.51.100.9", "fw-z"), 1, "no device is named fw-z; there are: fw-a"),
        (("adopt", "192.0.2.250", "fw-a"), 1, "192.0.2.250 is a source of fw-a already"),
        (("ignore", "198.51.100.8"), 1, "no lines of 198.51.100.8 were refused lately"),
        (("ignore", "198.51.100.0/24"), 2, "198.51.100.0/24 is no address"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    tsadmin: Tsadmin, now: datetime, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    make_devices("fw-a", now=now)
    make_sender("198.51.100.9", now=now)
    make_sender("192.0.2.250", now=now)
    answer = tsadmin("senders", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert Sender.objects.filter(is_ignored=False).count() == 2
    assert Device.objects.get().syslog_sources == []


def test_a_sample_cannot_command_the_terminal(tsadmin: Tsadmin, now: datetime) -> None:
    make_sender("198.51.100.9", now=now, sample="\x1b[31mred\x07")
    assert "\x1b" not in tsadmin("senders").stdout


def test_every_key_of_every_json_answer_is_documented(tsadmin: Tsadmin, now: datetime) -> None:
    make_devices("fw-a", now=now)
    make_sender("198.51.100.9", now=now)
    answers = (
        tsadmin("senders", "--json").json,
        tsadmin("senders", "--json").json["senders"][0],
        tsadmin("senders", "ignore", "198.51.100.9", "--json").json,
        tsadmin("senders", "adopt", "198.51.100.9", "fw-a", "--json").json,
    )
    page = PAGE.read_text(encoding="utf-8")
    chapter = page.partition("\n## senders\n")[2].partition("\n## token create\n")[0]
    assert not {key for answer in answers for key in answer if f"`{key}`" not in chapter}
