"""The rows of accounts."""

from __future__ import annotations

from accounts.models.external import ExternalAccount, Kind
from accounts.models.failed_sign_in import FailedSignIn
from accounts.models.second_factor import RecoveryCode, SecondFactor
from accounts.models.session import Session
from accounts.models.token import ApiToken, TokenRight

__all__ = [
    "ApiToken",
    "ExternalAccount",
    "FailedSignIn",
    "Kind",
    "RecoveryCode",
    "SecondFactor",
    "Session",
    "TokenRight",
]
