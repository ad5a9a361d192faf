"""Endpoints of one's own keys and sessions."""

from __future__ import annotations

from accounts.api.sessions import SessionViewSet
from accounts.api.tokens import TokenViewSet

__all__ = ["SessionViewSet", "TokenViewSet"]
