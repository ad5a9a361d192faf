"""The one door through which the environment enters.

`VARIABLES` is the whole list; a test holds it, `.env.example` and `docs/configuration.md` together.
A value comes from the process environment, else from the file `.env` beside manage.py, else from
the table's default. An empty value counts as not given. Whatever cannot be understood raises
`EnvironmentRefused`: nothing is guessed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from tscm_site.env_fleet import FleetSettings, new_portal_key, read_fleet_settings
from tscm_site.env_logs import LogSettings, read_log_settings
from tscm_site.env_mail import MailSettings, read_mail_settings
from tscm_site.env_monitoring import MonitoringSettings, read_monitoring_settings
from tscm_site.env_sign_in import SignInSettings, read_sign_in_settings
from tscm_site.env_values import (
    HOST,
    Bind,
    EnvironmentRefused,
    absolute_path,
    env_bind,
    env_bind_or_none,
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_path,
    env_str,
    env_url,
    is_ip,
)
from tscm_site.env_variables import DEFAULTS, SECRETS, VARIABLES

__all__ = [
    "CHECKOUT",
    "LONGEST_SOCKET_PATH",
    "SECRETS",
    "VARIABLES",
    "Bind",
    "Environment",
    "EnvironmentRefused",
    "env_bind",
    "env_bool",
    "env_int",
    "private_redis_socket",
    "read_environment",
]

CHECKOUT = Path(__file__).resolve().parent.parent
# A unix socket's address holds 107 bytes; redis and its clients want a little room beside the name.
LONGEST_SOCKET_PATH = 100

_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENV_FILE_LINE = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)")

Enforce = Literal["auto", "yes", "no"]
_ENFORCE: tuple[Enforce, ...] = ("auto", "yes", "no")


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything the environment decides, read once and typed."""

    data_dir: Path
    log_dir: Path
    console_bind: Bind
    feed_bind: Bind
    notify_bind: Bind | None  # None: nobody listens
    database_url: str
    broker_url: str
    private_redis_socket: Path | None  # None when TSCM_BROKER_URL names a broker elsewhere
    dns_servers: tuple[str, ...]
    list_folders: tuple[Path, ...]
    node: str
    enforce: Enforce
    enforce_dir: Path
    secret_key: str = field(repr=False)
    field_keys: tuple[str, ...] = field(repr=False)
    debug: bool
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    worker_concurrency: int
    redis_server: Path | None  # None: whatever redis-server is found
    logs: LogSettings
    mail: MailSettings
    sign_in: SignInSettings
    monitoring: MonitoringSettings
    fleet: FleetSettings

    @property
    def run_dir(self) -> Path:
        """Sockets, locks and the like: worth nothing after a stop."""
        return self.data_dir / "run"


def read_environment(
    environ: Mapping[str, str] | None = None, *, checkout: Path = CHECKOUT
) -> Environment:
    """Read and check every variable; secrets nobody gave are made once, in `<data>/secrets`.

    Raises EnvironmentRefused.
    """
    process = os.environ if environ is None else environ
    given = _read_env_file(checkout / ".env")
    given |= {name: text for name, text in process.items() if text}
    _read_secret_files(given)
    data_dir = env_path("TSCM_DATA_DIR", given, relative_to=checkout)
    given["<data>"] = str(data_dir)
    console_bind = env_bind("TSCM_CONSOLE_BIND", given)
    socket = None if given.get("TSCM_BROKER_URL") else private_redis_socket(data_dir)
    return Environment(
        data_dir=data_dir,
        log_dir=env_path("TSCM_LOG_DIR", given, relative_to=checkout),
        console_bind=console_bind,
        feed_bind=env_bind("TSCM_FEED_BIND", given),
        notify_bind=env_bind_or_none("TSCM_NOTIFY_BIND", given),
        database_url=env_url(
            "TSCM_DATABASE_URL", given, schemes=("sqlite", "postgresql", "postgres")
        ),
        broker_url=f"redis+socket://{quote(str(socket))}" if socket else _broker_url(given),
        private_redis_socket=socket,
        dns_servers=_dns_servers(given),
        list_folders=_list_folders(given, checkout),
        node=_node(given),
        enforce=env_choice("TSCM_ENFORCE", given, known=_ENFORCE),
        enforce_dir=env_path("TSCM_ENFORCE_DIR", given, relative_to=checkout),
        secret_key=_secret_key(given, data_dir),
        field_keys=_field_keys(given, data_dir),
        debug=env_bool("TSCM_DEBUG", given),
        allowed_hosts=_allowed_hosts(given, console_bind),
        csrf_trusted_origins=_trusted_origins(given),
        worker_concurrency=env_int("TSCM_WORKER_CONCURRENCY", given, least=1, most=256),
        redis_server=_redis_server(given, checkout),
        logs=read_log_settings(given, checkout=checkout),
        mail=read_mail_settings(given, console=console_bind, checkout=checkout),
        sign_in=read_sign_in_settings(given, checkout=checkout),
        monitoring=read_monitoring_settings(given),
        fleet=read_fleet_settings(given, checkout=checkout, key=_portal_key(given, data_dir)),
    )


def env_secret(
    name: str, environ: Mapping[str, str], *, kept_in: Path, make: Callable[[], str]
) -> str:
    """The secret given as NAME or in NAME_FILE, else the one in `kept_in`, made when absent."""
    if environ.get(name, "").strip():
        return environ[name].strip()
    try:
        _make_secret(kept_in, make)
    except OSError as error:
        folder = str(kept_in.parent)
        raise EnvironmentRefused(
            "TSCM_DATA_DIR", folder, f"a folder this user may write ({error.strerror})"
        ) from error
    return _read_secret(kept_in, variable="TSCM_DATA_DIR")


def private_redis_socket(data_dir: Path) -> Path:
    """Where the private Redis listens: in the data folder, if the path is not too long."""
    inside = data_dir / "run" / "redis.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    # Not TMPDIR or XDG_RUNTIME_DIR: a service and an administrator's shell must find the same path.
    # The runner makes this folder 0700 and refuses one that somebody else made.
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(f"/tmp/tscm-{os.getuid()}-{name}/redis.sock")  # noqa: S108


def _read_env_file(path: Path) -> dict[str, str]:
    """The settings of a `.env` file; empty when there is none."""
    if not path.is_file():
        return {}
    known = set(DEFAULTS) | {f"{name}_FILE" for name in SECRETS}
    settings: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _ENV_FILE_LINE.fullmatch(text)
        if match is None:
            raise EnvironmentRefused(f"{path} line {number}", "…", "NAME=value or # comment")
        name, value = match.groups()
        if name.startswith("TSCM_") and name not in known:
            raise EnvironmentRefused(f"{path} line {number}", name, ", ".join(sorted(known)))
        settings[name] = value.strip("'\"") if value[:1] in {"'", '"'} else value
    return settings


def _read_secret_files(given: dict[str, str]) -> None:
    """Put the content of each file that a NAME_FILE names in the place of NAME."""
    for name in SECRETS:
        file = given.get(f"{name}_FILE", "").strip()
        if file and given.get(name):
            raise EnvironmentRefused(f"{name}_FILE", file, f"{name} or {name}_FILE, not both")
        if file:
            given[name] = _read_secret(Path(file), variable=f"{name}_FILE")


def _read_secret(path: Path, *, variable: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentRefused(
            variable, str(path), f"a file that this user may read ({error})"
        ) from error
    if not secret:
        raise EnvironmentRefused(
            variable, str(path), "a file that holds the secret; this one is empty"
        )
    return secret


def _make_secret(path: Path, make: Callable[[], str]) -> None:
    """Write a new secret to `path` unless there is one; of several writers the first wins."""
    if path.exists():
        return
    path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(make() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        return
    finally:
        aside.unlink()


def _secret_key(environ: Mapping[str, str], data_dir: Path) -> str:
    kept_in = data_dir / "secrets" / "secret_key"
    key = env_secret(
        "TSCM_SECRET_KEY", environ, kept_in=kept_in, make=lambda: secrets.token_urlsafe(48)
    )
    if len(key) < 32:
        raise EnvironmentRefused("TSCM_SECRET_KEY", "…", "at least 32 characters")
    return key


def _field_keys(environ: Mapping[str, str], data_dir: Path) -> tuple[str, ...]:
    kept_in = data_dir / "secrets" / "field_keys"
    text = env_secret("TSCM_FIELD_KEYS", environ, kept_in=kept_in, make=_new_field_key)
    keys = tuple(part.strip() for part in text.split(",") if part.strip())
    if keys and all(_is_fernet_key(key) for key in keys):
        return keys
    raise EnvironmentRefused(
        "TSCM_FIELD_KEYS", "…", "Fernet keys (32 bytes in URL-safe base64), comma separated"
    )


def _portal_key(environ: Mapping[str, str], data_dir: Path) -> str:
    if not env_str("TSCM_PORTAL_PRIMARY", environ):
        return ""
    kept_in = data_dir / "secrets" / "portal_key"
    return env_secret("TSCM_PORTAL_KEY", environ, kept_in=kept_in, make=new_portal_key)


def _new_field_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)) == 32
    except (UnicodeEncodeError, binascii.Error):
        return False


def _broker_url(environ: Mapping[str, str]) -> str:
    schemes = ("redis", "rediss", "redis+socket", "amqp", "amqps")
    return env_url("TSCM_BROKER_URL", environ, schemes=schemes)


def _dns_servers(environ: Mapping[str, str]) -> tuple[str, ...]:
    servers = env_list("TSCM_DNS_SERVERS", environ)
    for server in servers:
        if not (is_ip(server, version=6) or HOST.fullmatch(server)):
            raise EnvironmentRefused("TSCM_DNS_SERVERS", server, "host names and addresses")
    if not servers:
        raise EnvironmentRefused("TSCM_DNS_SERVERS", "", "at least one host name or address")
    return servers


def _list_folders(environ: Mapping[str, str], checkout: Path) -> tuple[Path, ...]:
    """The folders given, absolute; none of them may be the whole machine."""
    name = "TSCM_LIST_FOLDERS"
    folders = tuple(
        absolute_path(name, text, relative_to=checkout) for text in env_list(name, environ)
    )
    for folder in folders:
        if folder == Path("/"):
            raise EnvironmentRefused(name, str(folder), "folders that hold lists and nothing else")
    return folders


def _node(environ: Mapping[str, str]) -> str:
    """The name given, else the machine's: in a queue's name and a worker's it must be plain."""
    name = env_str("TSCM_NODE", environ)
    if not name:
        host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64]
        return host.lstrip("-._") or "localhost"
    if _NODE.fullmatch(name):
        return name
    raise EnvironmentRefused(
        "TSCM_NODE", name, "up to 64 letters, digits, '-', '_' and '.', a letter or digit first"
    )


def _allowed_hosts(environ: Mapping[str, str], console: Bind) -> tuple[str, ...]:
    """The hosts given, and the console's own address, which nobody should have to say twice."""
    hosts = env_list("TSCM_ALLOWED_HOSTS", environ)
    bound = f"[{console.host}]" if ":" in console.host else console.host
    return hosts if console.is_wildcard or bound in hosts else (*hosts, bound)


def _trusted_origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    origins = env_list("TSCM_CSRF_TRUSTED_ORIGINS", environ)
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise EnvironmentRefused(
                "TSCM_CSRF_TRUSTED_ORIGINS", origin, "origins such as https://tscm.example.net"
            )
    return origins


def _redis_server(environ: Mapping[str, str], checkout: Path) -> Path | None:
    if not env_str("TSCM_REDIS_SERVER", environ):
        return None
    path = env_path("TSCM_REDIS_SERVER", environ, relative_to=checkout)
    if os.access(path, os.X_OK) and path.is_file():
        return path
    raise EnvironmentRefused("TSCM_REDIS_SERVER", str(path), "the path of a program")
