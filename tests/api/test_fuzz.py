"""Whatever the schema allows, and much that it does not: no 5xx, and nothing outside the schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings as bounded
from pytest_django import Settings
from rest_framework.throttling import SimpleRateThrottle
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from accounts.models import Session
from accounts.services import create_token
from devices.models import DeviceGroup, GatewayRelease, Pull
from enforcement.models import Question
from enforcement.services import ask, inquiries
from fleet.models import GroupSettings, PolicyZone, Publication, Rollout
from logs.models import Batch, Delivery, Forward, LineShape, Receiver, SavedReport, Sender
from policies.models import Alarm, AlarmNews, AlarmNotice, Change, Retrieval, Snapshot
from policies.presets import PRESETS
from policies.services import add_records, create_user_list, protect_network
from policies.services.record_text import read_lines
from tests.enforcement.rows import PLAN, applied, enforce
from tests.factories import hold, make_device, make_gateway, make_source
from tests.fleet.edges.portal import be_portal
from tests.fleet.edges.rows import make_fleet
from tests.fleet.link.rows import make_link
from tests.logs.rows import make_logs
from tests.policies.services.targets import make_mailbox
from tscm_site.wsgi import application

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OPENAPI = Path(__file__).parents[2] / "docs" / "api" / "openapi.yaml"
# What OpenAPI cannot say (a DNS name, a list of another kind, a name that is taken) is refused with
# a 400 that names the field; so "valid by the schema" is not yet "accepted". Requests without a
# token have a test of their own: here they would treble the requests.
LEFT_OUT: list[Any] = [positive_data_acceptance, ignored_auth]

# What chance would never find, so that some rows are really made.
SOUND: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/devices/"): {
        "nickname": "fuzzed", "device_id": "tdid_fuzzed", "management_ip": "192.0.2.9"
    },
    # Nobody answers there; a portal that chance named would be asked too.
    ("POST", "/api/v1/links/"): {
        "portal": "127.0.0.1:9", "domain": "tscm.internal", "ca": "", "tls_name": "",
        "device_id": "tdid_fuzzed", "device_key": f"tscmdk1_{'A' * 43}",
    },
    ("POST", "/api/v1/links/{id}/override/"): {"setting": "log_size", "value": "300k"},
    ("POST", "/api/v1/device-entries/"): {
        "nickname": "fuzzed", "kind": "iptables", "settings": {"verdict": "reject"}
    },
    ("POST", "/api/v1/device-entries/bulk/preview/"): {
        "all": True, "settings": {"verdict": "drop"}
    },
    ("POST", "/api/v1/sources/"): {"kind": "memory", "settings": {"entries": ["8.8.4.4"]}},
    ("POST", "/api/v1/protected-addresses/"): {"network": "198.51.100.9"},
    ("POST", "/api/v1/sources/{source_id}/records/"): {
        "entry": "198.51.100.9", "expires_at": None
    },
    ("POST", "/api/v1/sources/{source_id}/records/batch/"): {
        "records": [{"entry": "198.51.100.9"}, {"entry": "2001:db8::/64", "note": "x"}]
    },
    # A trial of a web list would ask whatever host chance named.
    ("POST", "/api/v1/sources/try/"): {"kind": "memory", "settings": {"entries": ["8.8.4.4"]}},
    ("POST", "/api/v1/sources/{id}/try/"): {"kind": "memory", "settings": {"entries": ["8.8.4.4"]}},
    ("POST", "/api/v1/presets/{key}/add/"): {"settings": {}},
    ("POST", "/api/v1/policies/{id}/replay/"): {"what": "held", "source": "", "devices": []},
    ("POST", "/api/v1/alarm-targets/"): {
        "kind": "email", "settings": {"to": ["noc@example.net"]}, "kinds": []
    },
}  # fmt: skip
ROWS: dict[str, Any] = {
    "snapshots": Snapshot, "retrievals": Retrieval, "changes": Change, "batches": Batch,
    "deliveries": Delivery, "senders": Sender, "receivers": Receiver, "forwards": Forward,
    "shapes": LineShape, "device-groups": DeviceGroup, "sessions": Session,
}  # fmt: skip
FLEET: dict[str, Any] = {
    "group-settings": GroupSettings, "publications": Publication, "policy-zones": PolicyZone,
    "rollouts": Rollout,
}  # fmt: skip
OF_GATEWAYS = ("plan/", "check/", "apply/", "pause/", "resume/")

schema = schemathesis.openapi.from_path(OPENAPI)
schema.app = application


@dataclass(frozen=True, slots=True)
class Filled:
    """An appliance with one of everything: a token that may do all, and the ids by address."""

    token: str
    ids: dict[str, int]


@pytest.fixture
def filled(db: None, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Filled:
    """Fill the appliance."""
    be_portal(settings, tmp_path)
    monkeypatch.setattr(
        SimpleRateThrottle, "THROTTLE_RATES", {"user": None, "tokens": None, "registrations": None}
    )
    monkeypatch.setattr("django.conf.settings.TSCM_RETRIEVE_SECONDS", 2.0)
    row = protect_network(network="192.0.2.7", reason="ours", actor="test", now=NOW)
    policy = hold(now=NOW, allow=["5.6.7.0/24"])
    alarm = Alarm.objects.create(kind="stale", subject="x", message="y", opened_at=NOW)
    target = make_mailbox(now=NOW)  # there is no mail server, so that a test goes nowhere
    notice = AlarmNotice.objects.create(target=target, message_id="msg_1", made_at=NOW)
    AlarmNews.objects.create(target=target, alarm=alarm, event="opened", notice=notice)
    device = make_device(policy=policy, now=NOW)
    pull = Pull.objects.create(
        device=device, at=NOW, client="192.0.2.1", file="x", method="GET", status=200, sent=1
    )
    user = User.objects.create(username="root", is_superuser=True)
    saved = SavedReport.objects.create(name="weekly", owner=user, recipients=["a@example.net"])
    used = create_token(user=user, name="fuzz", actor="test", now=timezone.now())
    spare = create_token(user=user, name="spare", actor="test", now=timezone.now())
    source = make_source(entries=["9.9.9.9"], now=NOW)
    kept = create_user_list(name="kept", type="block", actor="test", now=NOW)
    add_records(source=kept, drafts=read_lines("203.0.113.9"), actor="test", now=NOW)
    ids = {
        "devices": device.pk, "policies": policy.pk, "sources": source.pk, "pulls": pull.pk,
        "tokens": spare.token.pk, "protected-addresses": row.pk, "alarms": alarm.pk,
        "alarm-targets": target.pk, "alarm-notices": notice.pk, "kept": kept.pk,
        "records": kept.records.get().pk, "saved-reports": saved.pk,
    }  # fmt: skip
    kernel = enforce(make_gateway(policy=policy, now=NOW), now=NOW)
    ids["links"] = make_link(make_device(policy=policy, now=NOW), now=NOW).pk
    ids |= _fleet()
    ids["applications"] = applied(kernel, now=NOW).pk
    ids["releases"] = GatewayRelease.objects.create(node="old", nickname="gone", asked_at=NOW).pk
    asked = ask(gateway=kernel, question=Question.PLAN, actor="test", now=NOW)
    inquiries.answer(asked, found=PLAN.json(), error="", now=NOW)
    ids["inquiries"], ids["gateways"] = asked.pk, kernel.device_id
    make_logs(device, now=NOW)
    ids["ledger"] = device.pk
    LineShape.objects.create(
        device=device, digest="ab" * 32, shape="x N", sample="x 7", lines=1, first_at=NOW,
        last_at=NOW, version=1,
    )  # fmt: skip
    DeviceGroup.objects.create(name="north")
    Session.objects.create(
        user=user, digest="cd" * 32, data="", began_at=NOW, seen_at=NOW, address="192.0.2.4",
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    for name, rows in ROWS.items():
        ids[name] = rows.objects.values_list("pk", flat=True)[0]
    return Filled(used.text, ids)


def _fleet() -> dict[str, int]:
    """Fill a portal; return the ids of its rows by address."""
    ids = {"device-entries": make_fleet(now=NOW).pk}
    for name, rows in FLEET.items():
        ids[name] = rows.objects.values_list("pk", flat=True)[0]
    return ids


def aim(case: schemathesis.Case[Any], filled: Filled) -> None:
    """Let sound ids mean the row that is there, and sound bodies be such as can be taken.

    Else nearly every body would end unread in a 404, or in a name that chance never finds.
    """
    parts = case.meta.components if case.meta is not None else {}
    is_sound = {kind.name: part.mode.is_positive for kind, part in parts.items()}
    if is_sound.get("PATH"):
        if "source_id" in case.path_parameters:
            case.path_parameters["source_id"] = filled.ids["kept"]
        if "id" in case.path_parameters and case.method != "DELETE":
            case.path_parameters["id"] = filled.ids[_rows_of(case.operation.path)]
    if "key" in case.path_parameters and is_sound.get("PATH"):
        case.path_parameters["key"] = PRESETS[0].key
    if isinstance(case.body, dict) and is_sound.get("BODY"):
        case.body |= SOUND.get((case.method, case.operation.path), {})


def _rows_of(path: str) -> str:
    """Return what `{id}` in the path is an id of."""
    rows, _, deed = path.partition("/{id}/")
    return "gateways" if deed in OF_GATEWAYS else rows.rpartition("/")[2]


@pytest.mark.timeout(180)
@schema.parametrize()
@bounded(
    max_examples=10,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_keeps_to_its_schema_whatever_is_sent(case: schemathesis.Case[Any], filled: Filled) -> None:
    aim(case, filled)
    # As a text anything is sound: "{}" is a line that may be left out.
    is_text = (case.media_type or "").startswith("text/")
    case.call_and_validate(
        headers={"Authorization": f"Bearer {filled.token}"},
        excluded_checks=[*LEFT_OUT, *([negative_data_rejection] if is_text else [])],
    )
