"""Asking a portal for a device entry, by its API: one HTTPS request, the same one each time."""

from __future__ import annotations

import json
import re
import ssl
from typing import Any, NoReturn

from devices.kinds.rules import DEVICE_ID, DNS_NAME
from fleet.cloud.base import (
    Registered,
    Registration,
    RegistrationError,
    RegistrationRefused,
    RegistrationUnavailable,
)
from fleet.cloud.http import BROKEN, Answer, Request, ask
from policies.sources.base import Deadline
from policies.sources.http_errors import (
    CertificateExpired,
    CertificateUntrusted,
    CertificateWrongName,
    HostUnknown,
    HttpFault,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from policies.sources.http_settings import Tls
from policies.sources.http_url import BadUrl, Url

PATH = "/api/v1/device-entries/"
AGENT = "tscm-register"
KIND = "iptables"
SECONDS = 60.0
_LONGEST_ANSWER = 65_536
_SHOWN = 300
_KEY = re.compile(rb"[\x21-\x7e]{1,200}")
_DEVICE_KEY = re.compile(r"[A-Za-z0-9_-]{20,200}")
_PORTAL = re.compile(r"[A-Za-z0-9._:\[\]-]{1,262}")
_TLS_NAME = re.compile(rf"({DNS_NAME.pattern})?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# "Come back later", in one way or another.
_LATER = frozenset({408, 425, 429})
_MAKE_ONE = "make one at the portal: tsadmin token create NAME --user USER --right add-entries"
_STEPS: dict[type[HttpFault], str] = {
    HostUnknown: "Check the name in the URL, and this machine's own resolver",
    Unreachable: "Check that the network lets this machine through to the portal",
    TimedOut: "Check that the network lets this machine through to the portal",
    CertificateUntrusted: "If the portal has an authority of its own, name its file with --ca",
    CertificateExpired: "Check this machine's clock, and the portal's certificate",
    CertificateWrongName: "Give the URL with a name that the certificate is for",
    TlsFailed: "Check that the port speaks TLS",
}


def read_portal(text: str) -> Url:
    """Return the address of a portal's console. Raises BadUrl.

    Without TLS it may be on this machine only: an API key goes there, and a device key comes back.
    """
    url = Url.parse(text)
    if url.target != "/":
        raise BadUrl("must be that of the portal's console alone, such as https://portal.example")
    if not url.is_encrypted and url.host not in _LOOPBACK:
        raise BadUrl("must begin with https://: an API key goes there")
    return url


def read_key(content: bytes) -> str:
    """Return an API key as a header holds it. Raises RegistrationRefused, without the key."""
    key = content.strip()
    if not _KEY.fullmatch(key):
        raise RegistrationRefused(f"there is no API key in it, one word of ASCII; {_MAKE_ONE}")
    return key.decode("ascii")


def register(
    registration: Registration, *, portal: Url, key: str, tls: Tls, deadline: Deadline
) -> Registered:
    """Return this machine's device entry, made at the first time. Raises RegistrationError."""
    request = Request(
        "POST",
        Url.parse(portal.origin + PATH),
        (
            (b"Authorization", f"Bearer {key}".encode()),
            (b"Content-Type", b"application/json"),
            (b"Accept", b"application/json"),
            (b"User-Agent", AGENT.encode()),
        ),
        json.dumps(_body_of(registration)).encode(),
    )
    about = f"the portal {portal.origin}"
    try:
        answer = ask(request, tls=tls, deadline=deadline, max_bytes=_LONGEST_ANSWER)
    except HttpFault as fault:
        raise _told_anew(about, fault) from fault
    except ssl.SSLError as error:
        raise RegistrationRefused(
            f"{about}: TLS cannot be set up ({error.reason}). Check the file of CAs"
        ) from error
    except BROKEN as error:
        raise RegistrationUnavailable(
            f"{about}: no whole answer came ({error}). Check the port, and https in the URL"
        ) from error
    if answer.status not in (200, 201):
        _refused(about, registration, answer)
    return _read(about, answer)


def _body_of(registration: Registration) -> dict[str, object]:
    cloud = registration.cloud
    return {
        "nickname": registration.nickname,
        "kind": KIND,
        "manufacturer": cloud.manufacturer,
        "model": cloud.model,
        "registration": registration.secret,
    }


def _told_anew(about: str, fault: HttpFault) -> RegistrationError:
    """Return a fault of the web in the words of who registers."""
    cause = str(fault).removesuffix(f" {fault.advice}").removesuffix(".")
    if isinstance(fault, TimedOut):
        cause = "no answer in time"
    step = _STEPS.get(type(fault))
    # A certificate, too, may be good the next time: clocks are set, and authorities put in place.
    return RegistrationUnavailable(f"{about}: {cause}" + (f". {step}" if step else ""))


def _refused(about: str, registration: Registration, answer: Answer) -> NoReturn:
    """Raise what an answer without a device entry means."""
    status, said = answer.status, _said(answer)
    told = f"{about} answered {status}" + (f": {said}" if said else "")
    if status in _LATER or status >= 500:
        raise RegistrationUnavailable(f"{told}. Try again later")
    steps = {
        401: f"The API key is not known there, or it has expired: {_MAKE_ONE}",
        403: "The API key may not add device entries: its user needs that right",
        404: "It is no portal: check the URL, and TSCM_PORTAL_PRIMARY there",
        409: f"{registration.nickname} belongs to a machine that registered with another secret, "
        "or its keys were revoked: remove that device entry at the portal if this machine takes "
        "its place",
    }
    if 300 <= status < 400:
        steps[status] = "It is a redirect, which is not followed: give the final URL"
    raise RegistrationRefused(f"{told}. {steps.get(status, 'Look at the log of the portal')}")


def _said(answer: Answer) -> str:
    """Return what a refusal says for people; "" where it is no error of the API."""
    try:
        errors = json.loads(answer.body)["errors"]
        text = "; ".join(
            f"{error['attr']}: {error['detail']}" if error["attr"] else str(error["detail"])
            for error in errors
        )
    except (ValueError, LookupError, TypeError):
        return ""
    return "".join(sign for sign in text if sign.isprintable())[:_SHOWN].rstrip(".")


def _read(about: str, answer: Answer) -> Registered:
    try:
        said: dict[str, Any] = json.loads(answer.body)
        return Registered(
            device_id=_matching(DEVICE_ID, said["device_id"]),
            device_key=_matching(_DEVICE_KEY, said["device_key"]),
            portal=_matching(_PORTAL, said["portal"]),
            domain=_matching(DNS_NAME, said["domain"]),
            tls_name=_matching(_TLS_NAME, said["tls_name"]),
            is_new=answer.status == 201,
        )
    except (ValueError, LookupError, TypeError) as error:
        raise RegistrationRefused(
            f"{about} answered {answer.status}, and not with a device entry. Check the URL"
        ) from error


def _matching(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError(f"not {form.pattern}")
    return text
