"""The pages of accounts; Django finds them by this package."""

from __future__ import annotations

from accounts.admin import people, sign_in
from accounts.admin.tokens import ApiTokenAdmin

__all__ = ["ApiTokenAdmin", "people", "sign_in"]
