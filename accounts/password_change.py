"""What happens when a password changes."""

from __future__ import annotations

from django.contrib.auth.models import User

from accounts.models import Session


class EndSessions:
    """Ends a person's sessions with the password that they began with.

    Django tells its password validators of every change, whatever page or command made it. Who
    changes his own password stays signed in: his page begins a new session in the old one's place.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept every password."""

    def get_help_text(self) -> str:
        """Return what people are told before they change it."""
        return "All other sessions of this user end when the password changes."

    def password_changed(self, password: str, user: User | None = None) -> None:  # noqa: ARG002
        """End the sessions of `user`."""
        if user is not None and user.pk is not None:
            Session.objects.filter(user=user).delete()
