"""How mail leaves: Django's SMTP, which trusts the site's own CA too, and comes to an end."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property

# For all that is said until a mail is taken: below it lie the leases of whoever sends one.
WHOLE_SECONDS = 180.0

Connected = Callable[[socket.socket], None]


class SmtpBackend(EmailBackend):
    """Proves the server's name and certificate, by the machine's CAs and by TSCM_SMTP_CA.

    `timeout` is for connecting and for each answer. A server that keeps talking may draw that out
    for hours; after `whole` seconds it is cut off, and sending raises SMTPServerDisconnected.
    """

    def __init__(self, *args: Any, whole: float = WHOLE_SECONDS, **kwargs: Any) -> None:
        """Take what Django's backend takes, and how long the conversation may last."""
        super().__init__(*args, **kwargs)
        self._whole = whole
        self._cut_off: _CutOff | None = None

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """What a connection by TLS must prove."""
        context = ssl.create_default_context()
        if settings.TSCM_SMTP_CA is not None:
            context.load_verify_locations(settings.TSCM_SMTP_CA)
        return context

    @property
    def connection_class(self) -> Any:
        """What speaks SMTP; the time that is left goes for its connection too."""
        kind = _SmtpByTls if self.use_ssl else _Smtp
        return partial(kind, connected=self._cut_off.watch if self._cut_off else _unwatched)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send mails; return how many were taken. Raises SMTPException, OSError, ValueError."""
        with _CutOff.after(self._whole) as self._cut_off:
            try:
                return super().send_messages(email_messages) or 0
            except OSError:  # SMTPException is one
                # One that was refused half-way is still open, and its server would wait for more.
                with suppress(OSError):
                    self.close()
                raise


class _CutOff:
    """Shuts a connection at a moment, whatever is being said on it then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._is_over = False

    @classmethod
    @contextmanager
    def after(cls, seconds: float) -> Iterator[_CutOff]:
        """Give one that acts within the block; what it breaks raises SMTPServerDisconnected."""
        cut_off = cls(seconds)
        timer = threading.Timer(seconds, cut_off.shut)
        timer.daemon = True
        timer.start()
        try:
            yield cut_off
        except OSError as error:
            if cut_off._is_over:
                raise cut_off._too_late() from error
            raise
        finally:
            timer.cancel()
            cut_off.forget()

    def watch(self, connection: socket.socket) -> None:
        """Shut this one when time is over; raise SMTPServerDisconnected where it already is."""
        with self._lock:
            if self._is_over:
                raise self._too_late()
            # Of the same connection: TLS takes the other one's descriptor away from it.
            self._held = connection.dup()

    def shut(self) -> None:
        """Shut what is watched."""
        with self._lock:
            self._is_over = True
            if self._held is not None:
                with suppress(OSError):
                    self._held.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._held is not None:
                self._held.close()
                self._held = None

    def _too_late(self) -> smtplib.SMTPServerDisconnected:
        return smtplib.SMTPServerDisconnected(f"it took longer than {self._seconds:g} seconds")


def _unwatched(connection: socket.socket) -> None:
    """Let a connection be that nothing is sent on."""


class _Smtp(smtplib.SMTP):
    """Tells of its connection before the first word is said on it."""

    def __init__(self, *args: Any, connected: Connected, **kwargs: Any) -> None:
        self._connected = connected
        super().__init__(*args, **kwargs)

    def _get_socket(self, *args: Any) -> socket.socket:
        made: socket.socket = super()._get_socket(*args)  # type: ignore[misc]
        try:
            self._connected(made)
        except OSError:
            made.close()
            raise
        return made


class _SmtpByTls(smtplib.SMTP_SSL, _Smtp):
    """The same, by TLS from the first byte on."""

    def __init__(self, *args: Any, connected: Connected, **kwargs: Any) -> None:
        self._connected = connected  # for the connection is made by the next line
        super().__init__(*args, **kwargs)
