"""A real Squid: an HTTP proxy that lets loopback through, with or without a login."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.fakes.foreground import Foreground, NotInstalled, program

_LOGIN_HELPER = Path("/usr/lib/squid/basic_ncsa_auth")

_CONFIGURATION = """\
http_port 127.0.0.1:{port}
pid_filename none
visible_hostname squid.example
cache deny all
cache_log {folder}/cache.log
access_log none
netdb_filename none
coredump_dir {folder}
shutdown_lifetime 0 seconds
pinger_enable off
connect_timeout 5 seconds
forward_max_tries 1
acl refused urlpath_regex ^/refused
acl refused_names dstdomain refused.example
http_access deny refused
http_access deny refused_names
{login}
http_access {who}
http_access deny all
"""
_LOGIN = """\
auth_param basic program {helper} {folder}/passwords
auth_param basic children 1
acl known proxy_auth REQUIRED"""


class Squid(Foreground):
    """Squid; `login` is a name and a password it wants."""

    def __init__(self, *, login: tuple[str, str] | None = None) -> None:
        self._login = login
        super().__init__()

    @property
    def url(self) -> str:
        """The proxy as an administrator writes it in a source's settings."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """Write the configuration, and return what starts it."""
        squid = program("squid", "squid")
        login = self._write_login() if self._login else ""
        configuration = self.folder / "squid.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                port=self.port,
                login=login,
                who="allow known" if login else "allow all",
            ),
            encoding="ascii",
        )
        return [squid, "-N", "-d", "1", "-f", str(configuration)]

    def _write_login(self) -> str:
        if not _LOGIN_HELPER.exists():
            raise NotInstalled(f"{_LOGIN_HELPER} is not installed (apt-get install squid)")
        assert self._login is not None
        name, password = self._login
        hashed = subprocess.run(
            [program("openssl", "openssl"), "passwd", "-apr1", password],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        ).stdout.strip()
        passwords = self.folder / "passwords"
        passwords.write_text(f"{name}:{hashed}\n", encoding="ascii")
        passwords.chmod(0o644)
        return _LOGIN.format(helper=_LOGIN_HELPER, folder=self.folder)
