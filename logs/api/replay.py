"""Replay before publish, in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.reports.visible import device_ids
from logs.api.hits import answered
from logs.api.hits_shapes import ConnectionSerializer
from logs.api.permissions import MaySeeHits
from logs.reports.asked import LASTS, AskedRefused
from logs.reports.replay import (
    HELD,
    IN_FORCE,
    NOTHING,
    NOW,
    ROWS,
    ROWS_MOST,
    USUAL_LAST,
    Report,
    read_replay,
    replay_policy,
)
from logs.reports.report import device_names
from logs.states import Verdict
from policies.api.fields import Text
from policies.api.permissions import ModelPermissions
from policies.models import Policy
from policies.visible import visible

_DEVICES_MOST = 100


class ReplayPermissions(ModelPermissions):
    """A replay changes nothing: to POST it is to read."""

    perms_map = {**ModelPermissions.perms_map, "POST": ["policies.view_policy"]}


class ReplayAskedSerializer(serializers.Serializer[Any]):
    """What is to be tried, and on which connections."""

    what = Text(
        required=False, allow_blank=True, max_length=9,
        help_text=f"{HELD}: what the guard holds; {NOW}: what would be published now; or the "
        f"number of a snapshot. {HELD} without it where there is any, else {NOW}.",
    )  # fmt: skip
    source = Text(  # type: ignore[assignment]
        required=False,
        allow_blank=True,
        max_length=200,
        help_text=f"The name of one more source, with {NOW}.",
    )
    against = serializers.ChoiceField(
        choices=[IN_FORCE, NOTHING], default=IN_FORCE,
        help_text="Tell the difference to what the devices have in force, or all that it does.",
    )  # fmt: skip
    devices = serializers.ListField(
        child=Text(max_length=64), max_length=_DEVICES_MOST, required=False,
        help_text="Names. Without any, those that follow the policy; all where none does.",
    )  # fmt: skip
    last = serializers.ChoiceField(choices=list(LASTS), default=USUAL_LAST)
    rows = serializers.IntegerField(
        min_value=1, max_value=ROWS_MOST, default=ROWS, help_text="Of each table, at most."
    )


class ReplayRowSerializer(serializers.Serializer[Any]):
    """Connections that share a host, an address, a port or a list."""

    key = serializers.CharField(read_only=True)
    connections = serializers.IntegerField(read_only=True)
    others = serializers.IntegerField(
        read_only=True, help_text="Addresses of the other end; of a port, inside hosts."
    )
    first_at = serializers.DateTimeField(read_only=True)
    last_at = serializers.DateTimeField(read_only=True)
    list = serializers.CharField(
        read_only=True, help_text="That would block the key; empty where none does."
    )
    entry = serializers.CharField(read_only=True)


class ReplayHalfSerializer(serializers.Serializer[Any]):
    """The connections that would go another way. The context holds `devices`, names by id."""

    connections = serializers.IntegerField(read_only=True)
    inside_hosts = serializers.IntegerField(source="insides", read_only=True)
    outside_addresses = serializers.IntegerField(source="outsides", read_only=True)
    hosts = ReplayRowSerializer(many=True, read_only=True)
    addresses = ReplayRowSerializer(many=True, read_only=True)
    ports = ReplayRowSerializer(many=True, read_only=True)
    lists = ReplayRowSerializer(many=True, read_only=True)
    samples = ConnectionSerializer(many=True, read_only=True)


class ReplaySerializer(serializers.Serializer[Any]):
    """What came of a replay."""

    result = serializers.ChoiceField(choices=Verdict.choices, read_only=True)
    sentence = serializers.CharField(read_only=True)
    tried = serializers.CharField(read_only=True)
    findings = serializers.ListField(
        child=serializers.CharField(), read_only=True,
        help_text="Why the guard holds it, or would hold it.",
    )  # fmt: skip
    since = serializers.DateTimeField(read_only=True)
    until = serializers.DateTimeField(read_only=True)
    devices = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="On how many it was tried; null for all."
    )
    let_through = serializers.IntegerField(read_only=True, help_text="Connections looked at.")
    dropped = serializers.IntegerField(read_only=True, help_text="Likewise.")
    already = serializers.IntegerField(
        read_only=True, help_text="Were let through, and would be dropped now already."
    )
    would_drop = ReplayHalfSerializer(read_only=True)
    would_pass = ReplayHalfSerializer(read_only=True)


class ReplayView(APIView):
    """What a policy would have done to past connections."""

    queryset = Policy.objects.select_related("current", "candidate")
    permission_classes = (MaySeeHits, ReplayPermissions)
    http_method_names = ["post"]

    @extend_schema(
        operation_id="policies_replay", request=ReplayAskedSerializer, responses=ReplaySerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """Try a policy on past connections; nothing is published, and nothing changes."""
        policy = get_object_or_404(visible(self.queryset.all(), request.user), pk=pk)
        sent = ReplayAskedSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        now = timezone.now()  # noqa: TID251  an edge
        try:
            question = read_replay(
                _given(sent.validated_data), policy=policy, now=now, sees=device_ids(request.user)
            )
        except AskedRefused as refused:
            troubles = {_NAMES.get(name, name): [text] for name, text in refused.troubles.items()}
            raise ValidationError(troubles) from refused
        with answered():
            report = replay_policy(question, now=now, rows=sent.validated_data["rows"])
        return Response(answer_of(report))


_NAMES = {"device": "devices"}


def _given(sent: Mapping[str, Any]) -> dict[str, list[str]]:
    texts = {name: [sent[name]] for name in ("what", "source", "against", "last") if name in sent}
    return texts | {"device": list(sent.get("devices", ()))}


def answer_of(report: Report) -> dict[str, Any]:
    """Return a replay as JSON has it."""
    found, wanted = report.replayed, report.question.asked.filter
    samples = (*found.would_drop.samples, *found.would_pass.samples)
    told = {
        "result": report.told.state,
        "sentence": report.told.detail,
        "tried": report.question.words,
        "findings": report.findings,
        "since": wanted.since,
        "until": wanted.until,
        "devices": report.devices,
        "let_through": found.let_through,
        "dropped": found.dropped,
        "already": found.already,
        "would_drop": found.would_drop,
        "would_pass": found.would_pass,
    }
    context = {"devices": device_names(one.device_id for one in samples)}
    return dict(ReplaySerializer(told, context=context).data)
