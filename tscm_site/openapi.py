"""What the API's schema says of errors and of tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_standardized_errors.openapi import AutoSchema as StandardizedErrorsAutoSchema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

from accounts.authentication import KEYWORD

_ALWAYS = ("401", "403", "405", "406", "429", "500")
_BY_METHOD = {
    "GET": ("400",),
    "POST": ("400", "409", "413", "415"),
    "PATCH": ("400", "409", "413", "415"),
    "DELETE": ("409",),
}


class ErrorSerializer(serializers.Serializer[Any]):
    """One thing that is wrong."""

    code = serializers.CharField(help_text="A word for programs, such as not_found.")
    detail = serializers.CharField(help_text="A sentence for people.")
    attr = serializers.CharField(
        allow_null=True, help_text="The field or parameter that is wrong; null where it is none."
    )


class ErrorResponseSerializer(serializers.Serializer[Any]):
    """Every error has this shape."""

    type = serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"])
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


class AutoSchema(StandardizedErrorsAutoSchema):
    """Names the errors that an operation can really end in, all in one shape.

    The package's own schemas list every code that each field may fail with; services refuse with
    reasons of their own, so one shape for all is the promise that can be kept.
    """

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code in responses:
            return False
        if status_code == "404":
            return self._should_add_http404_error_response()
        return status_code in _ALWAYS or status_code in _BY_METHOD[self.method]

    def _get_response_for_code(
        self,
        serializer: Any,
        status_code: str,
        media_types: Any = None,
        direction: str = "response",
    ) -> dict[str, Any]:
        """Return what an answer looks like: an error is JSON, whatever else was asked for."""
        if status_code >= "400":
            media_types = [JSONRenderer.media_type]
        answer: dict[str, Any] = super()._get_response_for_code(  # type: ignore[no-untyped-call]
            serializer, status_code, media_types, direction
        )
        return answer

    def _get_examples(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return no examples of errors: they would be repeated for each operation."""
        examples: list[Any] = super(StandardizedErrorsAutoSchema, self)._get_examples(  # type: ignore[no-untyped-call]
            *args, **kwargs
        )
        return examples


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The token, for the schema."""

    target_class = "accounts.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """Return the scheme."""
        return {
            "type": "http",
            "scheme": KEYWORD.lower(),
            "description": "A token made under /api/v1/tokens/ or with tsadmin.",
        }
