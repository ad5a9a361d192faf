"""The reports on snapshots and sources: differences, effects of allow entries, worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import models
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from policies.api.pages import MAX_PAGE_SIZE
from policies.api.parameters import parameters
from policies.api.report_shapes import AllowEffectsSerializer, DifferenceSerializer, WorthSerializer
from policies.downloads import as_file
from policies.models import Candidate, Policy, Snapshot, Source
from policies.reports.difference import (
    Compiled,
    causes,
    list_difference,
    previous_of,
)
from policies.reports.effects import NotKept, effects_of, page_of
from policies.reports.worth import NoList, worth_of
from policies.states import Role
from policies.visible import visible

PAGE_SIZE = 100
_LARGEST_ID = 10**18

Row = TypeVar("Row", bound=models.Model)

AGAINST = OpenApiParameter(
    "against", OpenApiTypes.INT,
    description="Id of the snapshot to start from; without it the one published before.",
)  # fmt: skip
LIST = OpenApiParameter(
    "list", OpenApiTypes.STR, enum=list(Role.values),
    description="Whose prefixes to tell; block without it.",
)  # fmt: skip
PAGES = [
    OpenApiParameter("page", {"type": "integer", "minimum": 1}),
    OpenApiParameter(
        "page_size",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE},
    ),
]


class _Report(APIView):
    http_method_names = ["get", "head"]


class SnapshotDifferenceView(_Report):
    """What changed between two snapshots."""

    queryset = Snapshot.objects.all()

    @extend_schema(
        operation_id="snapshots_difference",
        parameters=[AGAINST, LIST, *PAGES],
        responses=DifferenceSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Compare a snapshot with an earlier one, or with any other."""
        return _difference(request, _row(request, self.queryset, pk), against=previous_of)


class SnapshotDifferenceTextView(_Report):
    """What changed between two snapshots, as text."""

    queryset = Snapshot.objects.all()

    @extend_schema(
        operation_id="snapshots_difference_text",
        parameters=[AGAINST, LIST],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        """Give every prefix that came or went as a line: +192.0.2.0/24."""
        return _text(request, _row(request, self.queryset, pk), against=previous_of)


class CandidateDifferenceView(_Report):
    """What a candidate would change."""

    queryset = Policy.objects.all()

    @extend_schema(
        operation_id="policies_candidate_difference",
        parameters=[AGAINST, LIST, *PAGES],
        responses=DifferenceSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Compare what the guard holds of a policy with what is in force, or another snapshot."""
        return _difference(request, _candidate(request, self.queryset, pk), against=_in_force)


class CandidateDifferenceTextView(_Report):
    """What a candidate would change, as text."""

    queryset = Policy.objects.all()

    @extend_schema(
        operation_id="policies_candidate_difference_text",
        parameters=[AGAINST, LIST],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        """Give every prefix that would come or go as a line: +192.0.2.0/24."""
        return _text(request, _candidate(request, self.queryset, pk), against=_in_force)


class AllowEffectsView(_Report):
    """What each allow entry of a snapshot did."""

    queryset = Snapshot.objects.all()

    @extend_schema(
        operation_id="snapshots_allow_effects",
        parameters=[
            OpenApiParameter(
                "idle", OpenApiTypes.BOOL, description="Only entries that cut nothing."
            ),
            *PAGES,
        ],
        responses=AllowEffectsSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Tell what each allow entry took out of the block list: blocks, or nothing."""
        sent = parameters(request, "idle", "page", "page_size")
        if sent.get("idle", "false") not in {"true", "false"}:
            raise ValidationError({"idle": ["Use true or false."]})
        start, size = _page(sent)
        with _readable():
            lists = effects_of(_row(request, self.queryset, pk))
        only_idle = sent.get("idle") == "true"
        rows, total = page_of(lists, start, size, only_idle=only_idle)
        body = {"lists": lists, **_paged(request, rows, start, size, total)}
        return Response(AllowEffectsSerializer(body).data)


class WorthView(_Report):
    """What a source is worth."""

    queryset = Source.objects.all()

    @extend_schema(
        operation_id="sources_worth",
        parameters=[
            OpenApiParameter(
                "among", OpenApiTypes.STR, enum=["policies", "site"],
                description="Beside the other lists of its policies, or all lists of the site; "
                "policies without it.",
            )
        ],
        responses=WorthSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        """Tell what only this source has, what it shares with each other, and how it does."""
        among = parameters(request, "among").get("among", "policies")
        if among not in {"policies", "site"}:
            raise ValidationError({"among": ["Use policies or site."]})
        with _readable():
            found = worth_of(
                _row(request, self.queryset, pk),
                among="site" if among == "site" else "policies",
                now=timezone.now(),
            )
        return Response(WorthSerializer(found).data)


Against = Callable[[Any], Snapshot | None]


def _difference(request: Request, after: Compiled, *, against: Against) -> Response:
    sent = parameters(request, "against", "list", "page", "page_size")
    before, role = _before(request, sent, after, against), _role(sent)
    start, size = _page(sent)
    with _readable():
        lists = {one: list_difference(before, after, one) for one in (Role.BLOCK, Role.ALLOW)}
        body = {
            "before": before,
            "after": after if isinstance(after, Snapshot) else None,
            "block": lists[Role.BLOCK],
            "allow": lists[Role.ALLOW],
            "causes": causes(before, after, lists[Role.BLOCK]),
            "list": str(role),
        }
        told = lists[role]
        body |= _paged(request, told.page(start, size), start, size, len(told))
    return Response(DifferenceSerializer(body).data)


def _text(request: Request, after: Compiled, *, against: Against) -> StreamingHttpResponse:
    sent = parameters(request, "against", "list")
    before, role = _before(request, sent, after, against), _role(sent)
    with _readable():
        told = list_difference(before, after, role)
    return as_file(told.text(), name=f"difference-{role}.txt")


def _row(request: Request, rows: models.QuerySet[Row], pk: int) -> Row:
    return get_object_or_404(visible(rows.all(), request.user), pk=min(pk, _LARGEST_ID))


def _candidate(request: Request, policies: models.QuerySet[Policy], pk: int) -> Candidate:
    policy = _row(request, policies, pk)
    candidate = Candidate.objects.select_related("policy__current").filter(policy=policy).first()
    if candidate is None:
        raise NotFound(f"The guard holds nothing of policy {policy}.")
    return candidate


def _in_force(candidate: Candidate) -> Snapshot | None:
    return candidate.policy.current


def _before(request: Request, sent: dict[str, str], after: Compiled, against: Against) -> Snapshot:
    """Return the snapshot to start from; raises ValidationError."""
    text = sent.get("against")
    if text is None:
        before = against(after)
        if before is None:
            message = "There is no earlier snapshot; say which one to compare with."
            raise ValidationError({"against": [message]})
        return before
    wanted = _whole("against", text, most=_LARGEST_ID)
    before = visible(Snapshot.objects.all(), request.user).filter(pk=wanted).first()
    if before is None:
        raise ValidationError({"against": [f"There is no snapshot with the id {wanted}."]})
    return before


def _role(sent: dict[str, str]) -> Role:
    text = sent.get("list", str(Role.BLOCK))
    if text not in Role.values:
        raise ValidationError({"list": [f"Use {' or '.join(Role.values)}."]})
    return Role(text)


def _whole(name: str, text: str, *, most: int) -> int:
    """Return a whole number from 1 on; raises ValidationError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:19]) <= most):
        raise ValidationError({name: [f"Use a whole number from 1 to {most}."]})
    return int(text[:19])


def _page(sent: dict[str, str]) -> tuple[int, int]:
    """Return from which row on a page is asked for, and of how many rows."""
    size = _whole("page_size", sent.get("page_size", str(PAGE_SIZE)), most=MAX_PAGE_SIZE)
    page = _whole("page", sent.get("page", "1"), most=10**9)
    return (page - 1) * size, size


def _paged(request: Request, rows: Any, start: int, size: int, total: int) -> dict[str, Any]:
    """Return a page as every list has it; raises NotFound behind the last one."""
    page, url = start // size + 1, request.build_absolute_uri()
    if start and start >= total:
        raise NotFound("There is no such page.")
    return {
        "count": total,
        "next": replace_query_param(url, "page", page + 1) if start + size < total else None,
        "previous": replace_query_param(url, "page", page - 1) if page > 1 else None,
        "results": rows,
    }


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what is lost or was never kept into an answer."""
    try:
        yield
    except (NotKept, NoList) as error:
        raise NotFound(str(error), code="not_kept") from error
    except (OSError, ValueError) as error:
        raise NotFound(f"A list cannot be read: {error}", code="not_readable") from error
