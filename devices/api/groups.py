"""The endpoint of groups of devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices import services
from devices.models import DeviceGroup
from policies.api.base import NON_FIELD, Reading, actor_of
from policies.api.fields import RowSerializer, Text


class People(serializers.ListField):
    """People by their names."""

    child = Text(max_length=150)

    def to_internal_value(self, data: Any) -> list[User]:
        """Return the people; raises ValidationError for a name that nobody has."""
        names = super().to_internal_value(data)
        known = {user.get_username(): user for user in User.objects.filter(username__in=names)}
        if unknown := sorted({*names} - {*known}):
            raise ValidationError(f"Nobody is named {', '.join(unknown)}.", "does_not_exist")
        return [*known.values()]

    def to_representation(self, data: Any) -> list[str]:
        """Return their names; `data` is the manager of a relation, better prefetched."""
        return [user.get_username() for user in data.all()]


class DeviceGroupSerializer(RowSerializer[DeviceGroup]):
    """Devices that belong together, and whom they are for.

    Its people see only the devices of their groups; who is in no group sees all.
    """

    name = Text(max_length=64)
    note = Text(max_length=2000, required=False, allow_blank=True)
    people = People(max_length=1000, required=False, help_text="Names of people.")

    class Meta:
        model = DeviceGroup
        fields = ["id", "name", "note", "people"]


class DeviceGroupViewSet(Reading[DeviceGroup]):
    """Groups of devices, and whom they are for."""

    queryset = DeviceGroup.objects.prefetch_related("people")
    serializer_class = DeviceGroupSerializer
    search_fields = ("name", "note")
    ordering_fields = ("id", "name")
    ordering = ("name",)

    def create(self, request: Request) -> Response:
        """Make a group."""
        sent = self.checked().validated_data
        actor, now = actor_of(request), timezone.now()  # noqa: TID251  an edge
        with _refusals():
            group = services.create_group(
                name=sent["name"], note=sent.get("note", ""), actor=actor, now=now
            )
            if sent.get("people"):
                services.change_group(group=group, people=sent["people"], actor=actor, now=now)
        return self.shown(group, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent; people, where sent, replace all there were."""
        group = self.get_object()
        sent = self.checked(group).validated_data
        with _refusals():
            services.change_group(
                group=group,
                **sent,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        return self.shown(group)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Delete a group that has neither devices nor people."""
        with _refusals():
            services.delete_group(
                group=self.get_object(),
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        return Response(status=status.HTTP_204_NO_CONTENT)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except services.GroupRefused as error:
        raise ValidationError({NON_FIELD: [str(error)]}, "refused") from error
