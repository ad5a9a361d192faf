"""What stands in the menu under a person's name."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse


def links_of_a_person(request: HttpRequest) -> list[dict[str, str]]:
    """Return the links: one's own sign-in, and the password where the appliance keeps it."""
    links = [{"title": "Your sign-in", "link": reverse("sign-in:own")}]
    if request.user.is_authenticated and request.user.has_usable_password():
        links.append({"title": "Change password", "link": reverse("admin:password_change")})
    return links
