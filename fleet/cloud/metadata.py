"""The instance metadata service of a cloud: it tells a machine which one it is.

All clouds have it at one link-local address. Whether it answers is left to chance: nothing here
waits longer than two seconds, and a machine whose service is away is told apart by its firmware.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

from fleet.cloud.base import CLOUDS, Cloud
from fleet.cloud.http import BROKEN, Request, ask
from policies.sources.base import Deadline
from policies.sources.http_errors import HttpFault
from policies.sources.http_settings import Header, Tls
from policies.sources.http_url import Url

ORIGIN = "http://169.254.169.254"
SECONDS = 2.0
_LONGEST = 1024
_OK = 200
# What each cloud calls an instance: a UUID, i- and hexadecimal digits, a number.
_INSTANCE = re.compile(r"[A-Za-z0-9-]{4,64}")
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{1,200}")


def instance_of(cloud: Cloud, *, origin: str = ORIGIN, deadline: Deadline) -> str:
    """Return how a cloud calls this instance, "" where its service does not answer as that cloud's.

    It waits no longer than two seconds.
    """
    brief = Deadline.after(min(SECONDS, deadline.remaining()))
    return _asked(cloud, origin, brief)


def find_instance(*, origin: str = ORIGIN, deadline: Deadline) -> tuple[Cloud, str] | None:
    """Return the cloud whose service answers, and how it calls this instance; None where none does.

    It waits no longer than two seconds for all of them.
    """
    brief = Deadline.after(min(SECONDS, deadline.remaining()))
    for name in _QUESTIONS:
        instance = _asked(CLOUDS[name], origin, brief)
        if instance:
            return CLOUDS[name], instance
    return None


def _asked(cloud: Cloud, origin: str, deadline: Deadline) -> str:
    question = _QUESTIONS.get(cloud.name)
    if question is None:
        return ""
    try:
        found = question(origin, deadline)
    except (HttpFault, ssl.SSLError, *BROKEN):
        return ""
    return found if _INSTANCE.fullmatch(found) else ""


def _azure(origin: str, deadline: Deadline) -> str:
    path = "/metadata/instance/compute/vmId?api-version=2021-02-01&format=text"
    return _said("GET", origin + path, (b"Metadata", b"true"), deadline)


def _aws(origin: str, deadline: Deadline) -> str:
    """Ask as the second version of the service wants it: other clouds imitate the first one."""
    lives = (b"X-aws-ec2-metadata-token-ttl-seconds", b"60")
    token = _said("PUT", f"{origin}/latest/api/token", lives, deadline)
    if not _TOKEN.fullmatch(token):
        return ""
    shown = (b"X-aws-ec2-metadata-token", token.encode())
    return _said("GET", f"{origin}/latest/meta-data/instance-id", shown, deadline)


def _gcp(origin: str, deadline: Deadline) -> str:
    flavour = (b"Metadata-Flavor", b"Google")
    return _said("GET", f"{origin}/computeMetadata/v1/instance/id", flavour, deadline)


def _said(method: str, url: str, header: Header, deadline: Deadline) -> str:
    request = Request(method, Url.parse(url), (header,))
    answer = ask(request, tls=Tls(), deadline=deadline, max_bytes=_LONGEST)
    return answer.body.decode("ascii", errors="replace").strip() if answer.status == _OK else ""


_QUESTIONS: dict[str, Callable[[str, Deadline], str]] = {
    "azure": _azure,
    "aws": _aws,
    "gcp": _gcp,
}
