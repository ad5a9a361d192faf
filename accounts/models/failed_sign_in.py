"""Sign-ins that failed lately, as django-axes counts them."""

from __future__ import annotations

from axes.models import AccessAttempt


class FailedSignIn(AccessAttempt):  # type: ignore[misc]
    """What failed of one name, from one address, with one browser; forgotten after the lock."""

    class Meta:
        proxy = True
        verbose_name = "failed sign-in"
        ordering = ["-attempt_time", "-id"]

    def __str__(self) -> str:
        return f"of {self.username} from {self.ip_address or 'this machine'}"
