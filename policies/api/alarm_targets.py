"""Who is told of alarms, and what became of it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from policies import services
from policies.api.base import Reading, actor_of, refusals
from policies.api.fields import RowSerializer
from policies.api.filters import SeenFilterSet
from policies.api.permissions import MayChange
from policies.models import AlarmNews, AlarmNotice, AlarmTarget, TargetKind
from policies.services.alarm_notifiers import EXAMPLES
from policies.states import AlarmKind, AlarmSeverity, NoticeState
from policies.tasks import nudge_notices

_SETTINGS = "; ".join(f"{kind}: {example}" for kind, example in EXAMPLES.items())


class TargetSerializer(RowSerializer[AlarmTarget]):
    """A mailbox, a web address or a log server that is told of alarms."""

    kind = serializers.ChoiceField(choices=TargetKind.choices, help_text="It stays as it is made.")
    settings = serializers.DictField(help_text=f"Replaced whole where they are sent. {_SETTINGS}")
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=AlarmKind.choices), required=False, max_length=100,
        help_text="The kinds of alarm it is told of; empty for all.",
    )  # fmt: skip
    least_severity = serializers.ChoiceField(choices=AlarmSeverity.choices, required=False)

    class Meta:
        model = AlarmTarget
        fields = [
            "id", "name", "kind", "settings", "kinds", "least_severity", "is_enabled",
            "created_at", "sent_at", "failing_since", "failures", "retry_at", "error",
        ]  # fmt: skip
        read_only_fields = [
            "created_at", "sent_at", "failing_since", "failures", "retry_at", "error",
        ]  # fmt: skip


class MadeTargetSerializer(TargetSerializer):
    """A target that was just made, or whose secret was."""

    secret = serializers.SerializerMethodField(
        help_text="What its messages are signed with, shown this once; empty but for webhooks."
    )

    class Meta(TargetSerializer.Meta):
        fields = [*TargetSerializer.Meta.fields, "secret"]

    def get_secret(self, target: AlarmTarget) -> str:  # noqa: ARG002
        """What its messages are signed with."""
        secret: str = self.context.get("secret", "")
        return secret


class TriedSerializer(serializers.Serializer[Any]):
    """How a test ended."""

    arrived = serializers.BooleanField(read_only=True)
    detail = serializers.CharField(
        read_only=True, help_text="What the other side said, or why it did not arrive."
    )


class TargetFilter(filters.FilterSet):
    """Targets by name, kind, and whether they are enabled or failing."""

    name = filters.CharFilter(max_length=100)
    kind = filters.ChoiceFilter(choices=TargetKind.choices)
    failing = filters.BooleanFilter(field_name="failing_since", lookup_expr="isnull", exclude=True)

    class Meta:
        model = AlarmTarget
        fields = ["name", "kind", "is_enabled"]


class TargetViewSet(Reading[AlarmTarget]):
    """Who is told of alarms: by e-mail, by webhook, by syslog."""

    queryset: QuerySet[AlarmTarget] = AlarmTarget.objects.defer("secrets")
    serializer_class = TargetSerializer
    filterset_class = TargetFilter
    search_fields = ("name", "error")
    ordering_fields = ("id", "name", "kind", "sent_at", "failing_since")
    ordering = ("name",)

    @extend_schema(responses={201: MadeTargetSerializer})
    def create(self, request: Request) -> Response:
        """Make a target; it is told of what begins from now on. The secret is shown this once."""
        sent = dict(self.checked().validated_data)
        with refusals():
            made = services.create_target(
                name=sent.pop("name"),
                kind=sent.pop("kind"),
                settings=sent.pop("settings"),
                options=sent,
                actor=actor_of(request),
                now=timezone.now(),
            )
        return self._with_secret(made, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent; settings, where sent, replace all there were."""
        target = self.get_object()
        sent = self.checked(target).validated_data
        with refusals():
            services.change_target(
                target=target, changes=sent, actor=actor_of(request), now=timezone.now()
            )
        nudge_notices()
        return self.shown(target)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Delete a target, with what it was told and what waits for it."""
        services.delete_target(
            target=self.get_object(), actor=actor_of(request), now=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=TriedSerializer, operation_id="alarm_targets_test")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def test(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Send it a test now, and tell what the other side said; it takes half a minute at most."""
        tried = services.send_test(target=self.get_object(), now=timezone.now())
        nudge_notices()
        return Response(TriedSerializer(tried).data)

    @extend_schema(
        request=None, responses=MadeTargetSerializer, operation_id="alarm_targets_renew_secret"
    )
    @action(detail=True, methods=["post"], url_path="renew-secret", permission_classes=[MayChange])
    def renew_secret(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Make another secret, shown this once; for a day the one before is good as well."""
        with refusals():
            made = services.renew_secret(
                target=self.get_object(), actor=actor_of(request), now=timezone.now()
            )
        return self._with_secret(made, status=status.HTTP_200_OK)

    def _with_secret(self, made: services.Made, *, status: int) -> Response:
        fresh = self.get_queryset().get(pk=made.target.pk)
        context = {**self.get_serializer_context(), "secret": made.secret}
        return Response(MadeTargetSerializer(fresh, context=context).data, status=status)


class NewsSerializer(RowSerializer[AlarmNews]):
    """One thing that is told."""

    class Meta:
        model = AlarmNews
        fields = ["alarm", "event"]


class NoticeSerializer(RowSerializer[AlarmNotice]):
    """One message to one target."""

    state_label = serializers.CharField(source="state_word.label", read_only=True)
    tone = serializers.CharField(source="state_word.tone", read_only=True)
    news = NewsSerializer(many=True, read_only=True)

    class Meta:
        model = AlarmNotice
        fields = [
            "id", "target", "message_id", "made_at", "state", "state_label", "tone", "due_at",
            "attempts", "sent_at", "detail", "news",
        ]  # fmt: skip


class NoticeFilter(SeenFilterSet):
    """Messages by target, state, alarm and time."""

    state = filters.ChoiceFilter(choices=NoticeState.choices)
    alarm = filters.NumberFilter(field_name="news__alarm", min_value=0, max_value=2**63 - 1)
    since = filters.IsoDateTimeFilter(field_name="made_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="made_at", lookup_expr="lt")

    class Meta:
        model = AlarmNotice
        fields = ["target", "state"]


class NoticeViewSet(Reading[AlarmNotice]):
    """What targets were told, and what waits to be told, the newest first."""

    queryset: QuerySet[AlarmNotice] = AlarmNotice.objects.prefetch_related("news")
    serializer_class = NoticeSerializer
    filterset_class = NoticeFilter
    search_fields = ("message_id", "detail", "target__name")
    ordering_fields = ("id", "made_at", "sent_at", "attempts")
    ordering = ("-made_at",)
