"""The endpoint of one's own API tokens."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.models import ApiToken, TokenRight
from policies.api.base import NON_FIELD, Reading, actor_of
from policies.api.fields import RowSerializer, Whole


class TokenSerializer(RowSerializer[ApiToken]):
    """A token of one's own, without its text."""

    days = Whole(
        write_only=True,
        min_value=1,
        max_value=services.MAX_DAYS,
        default=services.DEFAULT_DAYS,
        help_text="How many days it is good for.",
    )
    right = serializers.ChoiceField(
        choices=TokenRight.choices,
        default=TokenRight.ALL,
        help_text="What it may be used for.",
    )

    class Meta:
        model = ApiToken
        fields = ["id", "name", "right", "days", "created_at", "expires_at", "last_used_at"]
        read_only_fields = ["created_at", "expires_at", "last_used_at"]


class NewTokenSerializer(TokenSerializer):
    """A token that was just made, with its text: it is shown this once."""

    token = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class TokenViewSet(Reading[ApiToken]):
    """One's own tokens; nobody sees another's, and nobody sees a token's text again."""

    queryset = ApiToken.objects.all()
    serializer_class = TokenSerializer
    permission_classes = (IsAuthenticated,)
    search_fields = ("name",)
    ordering_fields = ("id", "name", "created_at", "expires_at", "last_used_at")
    ordering = ("name",)

    @property
    def throttle_scope(self) -> str | None:
        """Making tokens has a bound of its own."""
        return "tokens" if self.request.method == "POST" else None

    def get_queryset(self) -> QuerySet[ApiToken]:
        """Return the user's own tokens."""
        user_id: int = self.request.user.pk or 0
        return super().get_queryset().filter(user_id=user_id)

    @extend_schema(responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token. Its text is in this answer and nowhere else, ever."""
        sent: dict[str, Any] = self.checked().validated_data
        user, used = request.user, request.auth
        assert isinstance(user, User)  # noqa: S101  IsAuthenticated saw to it
        try:
            made = services.create_token(
                user=user,
                name=sent["name"],
                days=sent["days"],
                right=TokenRight(sent["right"]),
                # A token that was stolen must not outlive itself through those it makes.
                no_later_than=used.expires_at if isinstance(used, ApiToken) else None,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        except services.TokenRefused as error:
            refused = {error.setting or NON_FIELD: [str(error)]}
            raise ValidationError(refused, "refused") from error
        shown = {**self.get_serializer(made.token).data, "token": made.text}
        headers = {"Cache-Control": "no-store"}
        return Response(shown, status=status.HTTP_201_CREATED, headers=headers)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Delete a token; the next request with it is refused."""
        services.delete_token(
            token=self.get_object(),
            actor=actor_of(request),
            now=timezone.now(),  # noqa: TID251  an edge
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
