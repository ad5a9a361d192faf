"""What is wrong with a server's certificate, by OpenSSL's verify codes (X509_V_ERR_…)."""

from __future__ import annotations

import ssl
from typing import Literal

CertificateTrouble = Literal["out of time", "wrong name", "untrusted"]

# Not yet valid, expired; another host name, another address. All others: signed by nobody trusted.
_OUT_OF_TIME = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})


def trouble_with(error: ssl.SSLCertVerificationError) -> CertificateTrouble:
    """Return why a certificate was not accepted."""
    if error.verify_code in _OUT_OF_TIME:
        return "out of time"
    return "wrong name" if error.verify_code in _WRONG_NAME else "untrusted"
