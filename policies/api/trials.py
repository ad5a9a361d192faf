"""Trying a source over the API: what its list holds, before anything depends on it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from netsets.entries import NO_LINE
from policies.api.base import refusals
from policies.api.compilations import AddressCount
from policies.api.fields import Text, YesNo
from policies.api.permissions import MayChange
from policies.models import Source
from policies.services.try_source import try_source

_SETTINGS = "By the rules of the kind, secrets included."


class _Shown(serializers.Serializer[Any]):
    """Something that is only read."""


class AddressesSerializer(_Shown):
    """A number of addresses of each family."""

    v4 = AddressCount()
    v6 = AddressCount()


class SampleSerializer(_Shown):
    """An entry as written, and its line; 0 where the list has no lines."""

    entry = serializers.CharField(source="span")
    line = serializers.IntegerField(min_value=NO_LINE)


class RejectSerializer(_Shown):
    """How many entries were refused for one reason."""

    reason = serializers.CharField()
    entries = serializers.IntegerField()


class HitSerializer(_Shown):
    """A critical public service that the list would hit."""

    service = serializers.CharField(source="label")
    addresses = AddressCount()


class OverlapSerializer(_Shown):
    """What the list shares with another one."""

    name = serializers.CharField()
    addresses4 = AddressCount()
    addresses6 = AddressCount()
    entries = serializers.IntegerField(help_text="Entries that the other holds, at least in part.")
    share4 = serializers.FloatField(help_text="Of the list's IPv4 addresses, from 0 to 1.")
    share6 = serializers.FloatField(help_text="Of the list's IPv6 addresses, from 0 to 1.")


class ContentsSerializer(_Shown):
    """A list that came."""

    server = serializers.CharField(help_text="Who answered; empty where nobody was asked.")
    entries = serializers.IntegerField()
    prefixes = serializers.IntegerField()
    addresses = AddressesSerializer()
    sample = SampleSerializer(many=True, help_text="The first few entries by address.")
    host_bits_cleared = serializers.IntegerField()
    rejects = RejectSerializer(many=True)
    reject_samples = serializers.ListField(child=serializers.CharField())
    special_entries = serializers.IntegerField(
        help_text="Entries in special-purpose ranges, at least in part: the guard cuts them."
    )
    special = AddressesSerializer()
    critical = HitSerializer(many=True)
    widest = serializers.ListField(
        child=serializers.CharField(), help_text="The widest prefix of each family there is."
    )
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="What a guard with the default limits would hold."
    )
    overlaps = OverlapSerializer(many=True)
    compared = serializers.IntegerField(help_text="Lists it was compared with.")
    not_compared = serializers.ListField(child=serializers.CharField())
    only_here = AddressesSerializer(help_text="What none of the lists compared has.")
    entries_only_here = serializers.IntegerField()


class TrialSerializer(_Shown):
    """How a trial ended: with a list, or with an error."""

    is_ok = serializers.BooleanField()
    error = serializers.CharField(help_text="Empty where a list came.")
    may_help_later = serializers.BooleanField(help_text="Whether trying again may end better.")
    seconds = serializers.FloatField()
    contents = ContentsSerializer(allow_null=True)


class TrySerializer(serializers.Serializer[Any]):
    """A source to try, which need not be there yet."""

    kind = Text(max_length=32)
    settings = serializers.DictField(help_text=_SETTINGS)
    may_be_empty = YesNo(default=False)


class TryHeldSerializer(serializers.Serializer[Any]):
    """What to try a source with instead of what it has; secrets not given are those it holds."""

    kind = Text(max_length=32, required=False)
    settings = serializers.DictField(required=False, help_text=_SETTINGS)
    may_be_empty = YesNo(required=False)


class Trying(GenericViewSet[Source]):
    """The two ways to try a source. Both ask the world, and neither keeps anything."""

    @extend_schema(
        request=TrySerializer, responses={200: TrialSerializer}, operation_id="sources_try_new"
    )
    @action(detail=False, methods=["post"], url_path="try")
    def try_new(self, request: Request) -> Response:
        """Retrieve a list whole, now, and tell what is in it; nothing is kept.

        The answer takes up to half a minute. 409: as many trials run as may.
        """
        wanted = TrySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with refusals():
            trial = try_source(**wanted.validated_data)
        return Response(TrialSerializer(trial).data)

    @extend_schema(
        request=TryHeldSerializer, responses={200: TrialSerializer}, operation_id="sources_try"
    )
    @action(detail=True, methods=["post"], url_path="try", permission_classes=[MayChange])
    def try_held(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Try a source as it is, or with the settings that are sent; nothing is kept.

        The answer takes up to half a minute. 409: as many trials run as may.
        """
        source = self.get_object()
        wanted = TryHeldSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        held = {name: getattr(source, name) for name in ("kind", "settings", "may_be_empty")}
        with refusals():
            trial = try_source(**{**held, **wanted.validated_data}, held=source)
        return Response(TrialSerializer(trial).data)
