"""The parameters of an endpoint: known ones, once, and not too long."""

from __future__ import annotations

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

MAX_PARAMETER = 200  # characters


def parameters(request: Request, *known: str) -> dict[str, str]:
    """Return what the query says; raises ValidationError for anything that is not understood."""
    found = {}
    for name, values in request.query_params.lists():
        if name not in known:
            message = f"This is not known here. Known are {', '.join(sorted(known))}."
            raise ValidationError({name[:MAX_PARAMETER]: [message]})
        if len(values) > 1 or not 0 < len(values[0]) <= MAX_PARAMETER:
            message = f"Give this once, with 1 to {MAX_PARAMETER} characters."
            raise ValidationError({name: [message]})
        found[name] = values[0]
    return found
