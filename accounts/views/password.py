"""The page on which a person sets a new password of his own: Django's, and recorded."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.people import record_password
from policies.admin.base import actor_of


def change_page(request: HttpRequest) -> HttpResponse:
    """Ask for the new password, and record that it was set."""
    person = request.user
    held = person.password if isinstance(person, User) else ""
    answer: HttpResponse = admin.site.password_change(request)
    if isinstance(person, User):
        record_password(person, held=held, actor=actor_of(request), now=timezone.now())
    return answer
