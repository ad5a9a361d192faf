"""What every endpoint has in common: parameters, bodies, refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import models
from django.db.models import QuerySet
from django_filters.rest_framework import (
    BooleanFilter,
    DjangoFilterBackend,
    Filter,
    FilterSet,
    NumberFilter,
)
from rest_framework import mixins, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from policies.api.parameters import parameters
from policies.services import AddressRefused, Busy, InUse, Outdated, Refused
from policies.visible import visible

NON_FIELD = "non_field_errors"

Row = TypeVar("Row", bound=models.Model)


class Conflict(APIException):
    """Something else stands in the way; the message says what."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "Something else holds on to this."
    default_code = "in_use"


class StrictOrdering(OrderingFilter):
    """Refuses an order that it does not know, where the framework's own ignores it."""

    def get_ordering(
        self,
        request: Request,
        queryset: QuerySet[Any],  # noqa: ARG002
        view: Any,
    ) -> Sequence[str] | None:
        """Return the columns to order by; raises ValidationError."""
        text = request.query_params.get(self.ordering_param)
        if text is None:
            ordering = self.get_default_ordering(view)
        elif text in _words(view):
            ordering = (text,)
        else:
            raise ValidationError({self.ordering_param: [f"Use one of {', '.join(_words(view))}."]})
        # By id too: equal values would let pages repeat rows.
        return [*(ordering or ()), "id"]

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameter with its words."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] = {"type": "string", "enum": _words(view)}
        return parameters


def _refused_by(kind: Filter | None, text: str) -> str:
    """Return what a filter accepts where it would ignore or round what was sent, else ""."""
    if isinstance(kind, BooleanFilter) and text not in {"true", "false"}:
        return "true or false"
    if isinstance(kind, NumberFilter) and not (text.isascii() and text.isdigit()):
        return "a whole number"
    return ""


def _words(view: Any) -> list[str]:
    return [word for name in view.ordering_fields for word in (name, f"-{name}")]


class Seen(GenericViewSet[Row]):
    """Takes the rows that the person sees for all there are."""

    def get_queryset(self) -> QuerySet[Row]:
        """Return the rows that the person sees."""
        return visible(super().get_queryset(), self.request.user)


class Reading(mixins.ListModelMixin, mixins.RetrieveModelMixin, Seen[Row]):
    """Lists and shows rows; a parameter that it does not know is refused, not ignored."""

    filter_backends = (DjangoFilterBackend, SearchFilter, StrictOrdering)
    http_method_names = ["get", "head", "post", "patch", "delete"]
    lookup_value_regex = "[0-9]{1,18}"
    filterset_class: type[FilterSet] | None = None
    search_fields: tuple[str, ...] = ()
    ordering_fields: tuple[str, ...] = ("id",)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List rows, a page at a time; a parameter that is not known is refused."""
        self.check_parameters(request, "page", "page_size")
        return super().list(request, *args, **kwargs)

    def check_parameters(self, request: Request, *more: str) -> None:
        """Refuse a parameter that is neither a filter nor one of `more`, or that says nothing."""
        filters = self.filterset_class.base_filters if self.filterset_class else {}
        known = {"ordering", *more, *filters}
        if self.search_fields:
            known.add("search")
        for name, text in parameters(request, *known).items():
            accepted = _refused_by(filters.get(name), text)
            if accepted:
                raise ValidationError({name: [f"Use {accepted}."]})

    def checked(self, row: Row | None = None) -> BaseSerializer[Any]:
        """Return the serializer of the request's body, found valid; PATCH where a row is given."""
        serializer = self.get_serializer(row, data=self.request.data, partial=row is not None)
        serializer.is_valid(raise_exception=True)
        return serializer

    def shown(self, row: Row, *, status: int = status.HTTP_200_OK) -> Response:
        """Answer with a row as it stands in the database now."""
        fresh = self.get_queryset().get(pk=row.pk)
        return Response(self.get_serializer(fresh).data, status=status)


def actor_of(request: Request) -> str:
    """Return who asks, for the record of changes."""
    return f"api:{request.user.get_username()}"[:150]


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the refusals of services into answers.

    409 where something is in use, busy or no longer what was looked at, else 400.
    """
    try:
        yield
    except InUse as error:
        raise Conflict(str(error)) from error
    except Outdated as error:
        raise Conflict(str(error), "outdated") from error
    except Busy as error:
        raise Conflict(str(error), "busy") from error
    except Refused as error:
        raise ValidationError({error.setting or NON_FIELD: [str(error)]}, "refused") from error
    except AddressRefused as error:
        raise ValidationError({NON_FIELD: [str(error)]}, "refused") from error
