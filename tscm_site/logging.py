"""How the processes write their logs: lines for people, or one JSON object a line.

Each bears the id of its run (`policies.runs`): one search gives one run's story. What is secret is
taken out of every line, whoever wrote it.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from celery._state import get_current_task

from policies.runs import current_run
from tscm_site.env import Environment

_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6  # a shorter one would take words out of lines that have nothing to do with it
_WORDS = r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|authorization)"
# Each part is bounded, so that a long line costs no more than its length.
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,100}:)[^\s/@]{1,200}(?=@)",  # scheme://user:…@
        r"(\btscm_)[A-Za-z0-9_-]{32,}",  # a token of the API
        r"(\b(?:Bearer|Basic|Token)\s{1,4})[A-Za-z0-9._~+/=-]{8,}",
        rf"(\b[\w-]{{0,40}}{_WORDS}[\"']?\s{{0,4}}[=:]\s{{0,4}}[\"']?)(?!\[hidden\])[^\s\"',;&)}}]+",
    )
)
# What `tscm_site.serving` says of a request beside its line.
_EXTRA = ("method", "path", "status", "bytes", "seconds", "client")


def known_secrets(environment: Environment) -> tuple[str, ...]:
    """Return the secrets that this process itself was given, the longest first."""
    ldap, oidc = environment.sign_in.ldap, environment.sign_in.oidc
    found = {
        environment.secret_key,
        *environment.field_keys,
        environment.mail.password,
        environment.monitoring.metrics_token,
        ldap.bind_password if ldap else "",
        oidc.client_secret if oidc else "",
        *_passwords(environment.database_url),
        *_passwords(environment.broker_url),
    }
    return tuple(sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len)[::-1])


def _passwords(url: str) -> Iterable[str]:
    """Yield the password of a URL, as it is written there and as it is meant."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without these, and without what looks like a password or a token."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text


class LineFormatter(logging.Formatter):
    """A line for people, with ` [first eight characters of the run's id]` where there is a run."""

    converter = staticmethod(time.gmtime)

    def __init__(self, *, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(run)s %(message)s")
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        run = current_run()
        record.run = f" [{run.id[:8]}]" if run else ""
        return hide_secrets(super().format(record), self._secrets)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message; run, task and error where there are."""

    def __init__(self, *, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC)
        told: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._hidden(record.getMessage()),
            "process": record.process,
        }
        if run := current_run():
            told["run"] = run.id
        task = get_current_task()
        if task is not None:
            told["task"] = task.name
        if record.exc_info:
            told["error"] = self._hidden(self.formatException(record.exc_info))
        told |= {name: self._plain(vars(record)[name]) for name in _EXTRA if name in vars(record)}
        return json.dumps(told, ensure_ascii=False)

    def _plain(self, value: object) -> object:
        return value if isinstance(value, int | float) else self._hidden(str(value))

    def _hidden(self, text: str) -> str:
        return hide_secrets(text, self._secrets)


_FORMATTERS = {"line": LineFormatter, "json": JsonFormatter}


def formatter_of(environment: Environment) -> logging.Formatter:
    """Return the formatter that the environment asks for."""
    made = _FORMATTERS[environment.monitoring.log_format]
    return made(secrets=known_secrets(environment))


def our_formatter() -> logging.Formatter:
    """Return the formatter of this process, for `settings.LOGGING`, which must hold no secrets."""
    from django.conf import settings

    return formatter_of(settings.ENVIRONMENT)
