"""What the environment may say of mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tscm_site.env_mail import MailSettings, read_mail_settings
from tscm_site.env_values import Bind, EnvironmentRefused


def read(**given: str) -> MailSettings:
    environ = {f"TSCM_{name}": value for name, value in given.items()}
    return read_mail_settings(environ, console=Bind("127.0.0.1", 8000), checkout=Path("/srv"))


def test_nothing_said_sends_nothing() -> None:
    found = read()
    assert (found.host, found.security, found.user) == ("", "starttls", "")
    assert found.console_url == "http://127.0.0.1:8000"


def test_a_password_is_never_shown() -> None:
    assert "horse" not in repr(read(SMTP_USER="tscm", SMTP_PASSWORD="horse"))


def test_a_password_may_go_in_plain_text_to_this_machine_only() -> None:
    given = {"SMTP_USER": "a", "SMTP_PASSWORD": "b", "SMTP_SECURITY": "none"}
    assert read(SMTP_HOST="127.0.0.1", **given).security == "none"
    with pytest.raises(EnvironmentRefused, match="a password crosses the network"):
        read(SMTP_HOST="mail.example.net", **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_HOST", "mail.example.net:25"),
        ("SMTP_PORT", "0"),
        ("SMTP_SECURITY", "ssl"),
        ("SMTP_USER", "tscm"),
        ("SMTP_PASSWORD", "horse"),
        ("SMTP_SECONDS", "999"),
        ("MAIL_FROM", "TSCM <tscm@example.net>"),
        ("MAIL_FROM", "tscm"),
        ("CONSOLE_URL", "tscm.example.net"),
        ("CONSOLE_URL", "https://tscm.example.net/console"),
        ("CONSOLE_URL", "https://a:b@tscm.example.net"),
        ("CONSOLE_URL", "https://tscm.example.net:port"),
        ("CONSOLE_URL", "javascript://x"),
    ],
)
def test_what_is_no_sound_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(EnvironmentRefused, match="not accepted"):
        read(**{name: value})


def test_links_begin_with_what_was_given() -> None:
    assert read(CONSOLE_URL="https://tscm.example.net/").console_url == "https://tscm.example.net"
