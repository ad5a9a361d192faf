"""The endpoint of sessions: one's own, and everybody's for who may see them."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Session
from accounts.session_store import digest_of
from accounts.sessions import end_session, live_sessions
from policies.api.base import Reading, actor_of
from policies.api.fields import RowSerializer

_SEES_ALL, _ENDS_ALL = "accounts.view_session", "accounts.delete_session"


class SessionSerializer(RowSerializer[Session]):
    """A browser that somebody is signed in with."""

    user = serializers.SerializerMethodField(help_text="Whose it is.")
    is_this_one = serializers.SerializerMethodField(help_text="Whether it asks this.")

    class Meta:
        model = Session
        fields = [
            "id", "user", "began_at", "seen_at", "expires_at", "address", "agent", "is_this_one",
        ]  # fmt: skip
        read_only_fields = fields

    def get_user(self, session: Session) -> str:
        """Return whose it is."""
        return session.user.get_username() if session.user else ""

    @extend_schema_field(OpenApiTypes.BOOL)
    def get_is_this_one(self, session: Session) -> bool:
        """Tell whether the request came with it."""
        held = self.context["request"].session
        return session.digest == digest_of(held.session_key)


class SessionViewSet(Reading[Session]):
    """One's own sessions; whoever may see everybody's sees those too."""

    queryset = Session.objects.none()
    serializer_class = SessionSerializer
    permission_classes = (IsAuthenticated,)
    search_fields = ("user__username", "address")
    ordering_fields = ("id", "began_at", "seen_at", "expires_at")
    ordering = ("-seen_at",)

    def get_queryset(self) -> QuerySet[Session]:
        """Return what the user may see; to end one he must be its person, or may end all."""
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101  IsAuthenticated saw to it
        right = _ENDS_ALL if self.request.method == "DELETE" else _SEES_ALL
        live = live_sessions(now=timezone.now())  # noqa: TID251  an edge
        return live if user.has_perm(right) else live.filter(user=user)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """End a session; its browser's next request comes from nobody."""
        end_session(
            session=self.get_object(),
            actor=actor_of(request),
            now=timezone.now(),  # noqa: TID251  an edge
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
