"""An OpenID Connect provider as a process of its own, on loopback."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import requests

from tests.fakes.foreground import Foreground, NotInstalled


class Provider(Foreground):
    """A provider that signs in whom its page is told, with the claims he was given here."""

    @property
    def issuer(self) -> str:
        """How it calls itself."""
        return f"http://localhost:{self.port}"

    def command(self) -> list[str]:
        """Return what starts it; raises NotInstalled."""
        if importlib.util.find_spec("oidc_provider_mock") is None:
            raise NotInstalled("oidc-provider-mock is not installed (requirements-dev.txt)")
        return [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port)]

    def say(self, subject: str, **claims: Any) -> None:
        """Give somebody these claims from now on."""
        url = f"{self.issuer}/users/{subject}"
        requests.put(url, json=claims, timeout=10).raise_for_status()

    def sign_in(self, url: str, subject: str) -> str:
        """Do what a person does on the provider's page; return where it sends the browser."""
        return self._press(url, sub=subject)

    def refuse(self, url: str) -> str:
        """Press the button of who does not want to; return where it sends the browser."""
        return self._press(url, action="deny")

    def _press(self, url: str, **form: str) -> str:
        answer = requests.post(url, data=form, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])
