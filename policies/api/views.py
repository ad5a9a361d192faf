"""The endpoints of policies: parse, one service, answer."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from policies import services
from policies.api import filters, serializers
from policies.api.base import Conflict, Reading, actor_of, refusals
from policies.api.candidates import CandidateActions
from policies.api.history import ReleaseAction
from policies.api.permissions import MayChange
from policies.api.trials import Trying
from policies.models import Policy, ProtectedAddress, Retrieval, Source
from policies.tasks import nudge


class PolicyViewSet(CandidateActions, ReleaseAction):
    """What is blocked and allowed, and the guard over it."""

    queryset = Policy.objects.select_related("current", "pinned", "candidate").prefetch_related(
        "policy_sources__source", "tests"
    )
    serializer_class = serializers.PolicySerializer
    filterset_class = filters.PolicyFilter
    search_fields = ("name", "note")
    ordering_fields = ("id", "name", "state", "compiled_at")
    ordering = ("name",)

    def create(self, request: Request) -> Response:
        """Make a policy; it is compiled as soon as its lists are there."""
        sent = self._sent()
        with refusals():
            policy = services.create_policy(
                name=sent.columns.pop("name"),
                options=sent.columns,
                members=sent.members or [],
                tests=sent.tests or [],
                actor=actor_of(request),
                now=timezone.now(),
            )
        nudge()
        return self.shown(policy, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent; sources and tests, where sent, replace all there were."""
        policy = self.get_object()
        sent = self._sent(policy)
        with refusals():
            services.change_policy(
                policy=policy,
                changes=sent.columns,
                members=sent.members,
                tests=sent.tests,
                actor=actor_of(request),
                now=timezone.now(),
            )
        nudge()
        return self.shown(policy)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Delete a policy that no device follows, with its snapshots."""
        with refusals():
            services.delete_policy(
                policy=self.get_object(), actor=actor_of(request), now=timezone.now()
            )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=serializers.RefreshSerializer,
        responses={202: serializers.PolicySerializer},
        operation_id="policies_update_now",
    )
    @action(detail=True, methods=["post"], url_path="update", permission_classes=[MayChange])
    def refresh(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Retrieve the policy's sources and compile it, now, in a worker."""
        policy = self.get_object()
        wanted = serializers.RefreshSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if wanted.validated_data["accept_change"]:
            services.accept_change(policy=policy, actor=actor_of(request), now=timezone.now())
        else:
            services.request_refresh(policy=policy, now=timezone.now())
        nudge()
        return self.shown(policy, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        responses=serializers.TestOutcomeSerializer(many=True), operation_id="policies_tests"
    )
    @action(detail=True, filter_backends=[], pagination_class=None)
    def tests(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Show how the policy's tests end with the block list in force; [] where there is none."""
        try:
            outcomes = services.try_tests(self.get_object())
        except (OSError, ValueError) as error:
            raise Conflict(f"The list in force cannot be read: {error}", "lost") from error
        return Response(serializers.TestOutcomeSerializer(outcomes, many=True).data)

    def _sent(self, policy: Policy | None = None) -> serializers.Taken:
        serializer = self.checked(policy)
        assert isinstance(serializer, serializers.PolicySerializer)  # noqa: S101  for mypy
        return serializer.taken()


class SourceViewSet(Trying, Reading[Source]):
    """Where lists come from."""

    # Which secrets there are is told without the key: a lost one must not hide the sources.
    queryset = (
        Source.objects.select_related("kept_secrets")
        .defer("kept_secrets__values")
        .prefetch_related("policies")
    )
    serializer_class = serializers.SourceSerializer
    filterset_class = filters.SourceFilter
    search_fields = ("name", "error", "server")
    ordering_fields = ("id", "name", "kind", "state", "due_at", "retrieved_at", "changed_at")
    ordering = ("name",)

    def create(self, request: Request) -> Response:
        """Make a source; it is retrieved once a policy takes it."""
        sent = dict(self.checked().validated_data)
        with refusals():
            source = services.create_source(
                name=sent.pop("name"),
                kind=sent.pop("kind"),
                settings=sent.pop("settings"),
                options=sent,
                actor=actor_of(request),
                now=timezone.now(),
            )
        return self.shown(source, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent; settings, where sent, replace all there were."""
        source = self.get_object()
        sent = self.checked(source).validated_data
        with refusals():
            services.change_source(
                source=source, changes=sent, actor=actor_of(request), now=timezone.now()
            )
        nudge()
        return self.shown(source)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Delete a source that no policy takes, with its retrievals."""
        with refusals():
            services.delete_source(
                source=self.get_object(), actor=actor_of(request), now=timezone.now()
            )
        return Response(status=status.HTTP_204_NO_CONTENT)


class RetrievalViewSet(Reading[Retrieval]):
    """What each retrieval of a source brought."""

    queryset = Retrieval.objects.select_related("source")
    serializer_class = serializers.RetrievalSerializer
    filterset_class = filters.RetrievalFilter
    search_fields = ("source__name", "error", "server")
    ordering_fields = ("id", "started_at", "entries", "prefixes")
    ordering = ("-started_at",)


class ProtectedAddressViewSet(Reading[ProtectedAddress]):
    """What no policy may block. Rows with an origin are kept by it and change with it."""

    queryset: QuerySet[ProtectedAddress] = ProtectedAddress.objects.all()
    serializer_class = serializers.ProtectedAddressSerializer
    filterset_class = filters.ProtectedAddressFilter
    search_fields = ("network", "reason", "origin")
    ordering_fields = ("id", "network", "origin")
    ordering = ("network",)

    def create(self, request: Request) -> Response:
        """Protect an address or a network; every policy is compiled anew."""
        sent = self.checked().validated_data
        with refusals():
            row = services.protect_network(
                network=sent["network"],
                reason=sent["reason"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        nudge()
        return self.shown(row, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent."""
        row = self.get_object()
        sent = self.checked(row).validated_data
        with refusals():
            services.change_protected(
                row=row, changes=sent, actor=actor_of(request), now=timezone.now()
            )
        nudge()
        return self.shown(row)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let policies block it again; every policy is compiled anew."""
        with refusals():
            services.unprotect_network(
                row=self.get_object(), actor=actor_of(request), now=timezone.now()
            )
        nudge()
        return Response(status=status.HTTP_204_NO_CONTENT)
