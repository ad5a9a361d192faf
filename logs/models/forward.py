"""How the forwarding of one device's lines to one target does."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from devices.models import Device
from logs.states import ForwardState


class Forward(models.Model):
    """One target of one device, as its forwarder told last."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="forwards")
    target = models.CharField(max_length=270, help_text="host:port/udp, /tcp or /tls")
    state = models.CharField(
        max_length=16, choices=ForwardState.choices, default=ForwardState.CONNECTING
    )
    error = models.TextField(blank=True, default="")
    connected_at = models.DateTimeField(null=True)
    address = models.GenericIPAddressField(null=True, help_text="Where it is connected to.")
    sent = models.PositiveBigIntegerField(default=0, help_text="Lines.")
    dropped = models.PositiveBigIntegerField(default=0, help_text="Lines that waited too long.")
    cut = models.PositiveBigIntegerField(default=0, help_text="Lines that were too long.")
    lag_lines = models.PositiveBigIntegerField(default=0)
    lag_bytes = models.PositiveBigIntegerField(default=0)
    oldest_at = models.DateTimeField(null=True, help_text="When what waits first arrived.")
    reported_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["device__nickname", "target", "id"]
        constraints = [
            models.UniqueConstraint(fields=["device", "target"], name="forward_once_a_target"),
            models.CheckConstraint(
                condition=Q(state__in=ForwardState.values), name="forward_state_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device} to {self.target}"

    @property
    def state_word(self) -> ForwardState:
        """The state, with its label and tone."""
        return ForwardState(self.state)
