"""Mail to a real server: in private, signed in, and every failure a sentence."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from smtplib import SMTPServerDisconnected

import pytest
import trustme
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

from logs.services.mail import Attachment, Mail, MailFailed, send_mail
from tests.fakes.smtp import MailServer

MAIL = Mail(
    subject="Dropped\nlast night",
    recipients=("anna@example.net", "bert@example.net"),
    text="Zwölf hosts.\n.a line that begins with a dot\n",
    html="<p>Zwölf hosts.</p>",
    attachments=(Attachment("list.csv", b"key,connections\r\n", "text/csv"),),
    message_id="<report-1@example.net>",
)


@pytest.fixture
def mail_settings(settings: Settings) -> Settings:
    """Send for real, to this machine."""
    settings.EMAIL_BACKEND = "tscm_site.mail.SmtpBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 10
    settings.DEFAULT_FROM_EMAIL = "tscm@example.net"
    return settings


def test_a_mail_arrives_whole(mail_settings: Settings) -> None:
    with MailServer() as server:
        mail_settings.EMAIL_PORT = server.port
        send_mail(MAIL)
    (got,) = server.mails
    assert (got.sender, got.recipients) == ("tscm@example.net", MAIL.recipients)
    assert got.message["Subject"] == "Dropped last night"
    assert got.message["Message-ID"] == "<report-1@example.net>"
    assert got.text() == MAIL.text
    assert got.text("html").strip() == MAIL.html
    (file,) = got.message.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("list.csv", "text/csv")
    assert file.get_content().strip() == "key,connections"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def private(authority: trustme.CA, name: str) -> MailServer:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return MailServer(context=context, users={"tscm": "correct horse"})


def test_a_password_goes_in_private_to_the_server_of_that_name(
    mail_settings: Settings, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mail_settings.TSCM_SMTP_CA = tmp_path / "ca.pem"
    mail_settings.EMAIL_USE_TLS = True
    mail_settings.EMAIL_HOST_USER, mail_settings.EMAIL_HOST_PASSWORD = "tscm", "correct horse"
    with private(authority, "127.0.0.1") as server:
        mail_settings.EMAIL_PORT = server.port
        send_mail(MAIL)
        mail_settings.EMAIL_HOST_PASSWORD = "wrong"
        with pytest.raises(MailFailed, match=r"answered 535 5\.7\.8 wrong user or password"):
            send_mail(MAIL)
    assert [(got.was_private, got.user) for got in server.mails] == [(True, "tscm")]


@pytest.mark.parametrize(("name", "is_trusted"), [("127.0.0.1", False), ("other.example", True)])
def test_nothing_is_sent_to_a_server_that_cannot_prove_its_name(
    mail_settings: Settings, authority: trustme.CA, tmp_path: Path, name: str, is_trusted: bool
) -> None:
    if is_trusted:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        mail_settings.TSCM_SMTP_CA = tmp_path / "ca.pem"
    mail_settings.EMAIL_USE_TLS = True
    with private(authority, name) as server:
        mail_settings.EMAIL_PORT = server.port
        with pytest.raises(MailFailed, match="certificate verify failed"):
            send_mail(MAIL)
    assert server.mails == []


def test_starttls_is_not_done_without(mail_settings: Settings) -> None:
    mail_settings.EMAIL_USE_TLS = True
    with MailServer() as server:
        mail_settings.EMAIL_PORT = server.port
        with pytest.raises(MailFailed, match="STARTTLS"):
            send_mail(MAIL)
    assert server.mails == []


def test_a_refusal_names_the_recipient_and_the_reason(mail_settings: Settings) -> None:
    with MailServer(refuse="550 5.1.1 No such user") as server:
        mail_settings.EMAIL_PORT = server.port
        with pytest.raises(MailFailed, match=r"anna@example\.net: 550 5\.1\.1 No such user"):
            send_mail(MAIL)
    assert server.mails == []


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_its_bound(
    mail_settings: Settings,
) -> None:
    mail_settings.EMAIL_TIMEOUT = 0.2
    with MailServer(is_silent=True) as server:
        mail_settings.EMAIL_PORT = server.port
        with pytest.raises(MailFailed, match="timed out"):
            send_mail(MAIL)


def test_a_server_that_talks_without_end_is_cut_off(mail_settings: Settings) -> None:
    with MailServer(is_endless=True) as server:
        mail_settings.EMAIL_PORT = server.port
        sender = get_connection(whole=0.3)
        with pytest.raises(SMTPServerDisconnected, match=r"longer than 0\.3 seconds"):
            sender.send_messages([EmailMessage("Dropped", to=MAIL.recipients)])


def test_by_tls_from_the_first_byte_a_mail_arrives_and_an_endless_server_is_cut_off(
    mail_settings: Settings, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mail_settings.TSCM_SMTP_CA = tmp_path / "ca.pem"
    mail_settings.EMAIL_USE_SSL = True
    server = private(authority, "127.0.0.1")
    server.is_private_at_once = True
    with server:
        mail_settings.EMAIL_PORT = server.port
        send_mail(MAIL)
        server.is_endless = True
        sender = get_connection(whole=0.3)
        with pytest.raises(SMTPServerDisconnected, match=r"longer than 0\.3 seconds"):
            sender.send_messages([EmailMessage("Dropped", to=MAIL.recipients)])
    assert [got.was_private for got in server.mails] == [True]


def test_an_address_that_has_no_written_form_is_a_failure_with_a_sentence(
    mail_settings: Settings,
) -> None:
    with MailServer() as server:
        mail_settings.EMAIL_PORT = server.port
        with pytest.raises(MailFailed, match="could not be handed"):
            send_mail(replace(MAIL, recipients=(f"a@{'ü' * 60}.de",)))


def test_a_server_that_is_not_there_and_none_at_all_are_told_apart(
    mail_settings: Settings,
) -> None:
    with MailServer() as server:
        mail_settings.EMAIL_PORT = server.port
    with pytest.raises(MailFailed, match="Connection refused"):
        send_mail(MAIL)
    mail_settings.EMAIL_HOST = ""
    with pytest.raises(MailFailed, match="set TSCM_SMTP_HOST"):
        send_mail(MAIL)
