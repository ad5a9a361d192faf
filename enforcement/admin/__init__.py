"""The admin pages of gateways: what they can be told, what they answered, what was done."""

from __future__ import annotations

from enforcement.admin import application, device

__all__ = ["application", "device"]
