"""Groups of devices, and whom they are for."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class DeviceGroup(models.Model):
    """Devices that belong together, such as those of one site.

    Who is among its people sees these devices and those of his other groups; who is in no group
    sees all.
    """

    name = models.CharField(max_length=64, unique=True)
    note = models.TextField(blank=True, default="")
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="device_groups",
        help_text="They see only the devices of their groups. Who is in no group sees all.",
    )

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="device_group_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name
