"""The pages of the second factor: asked for at a sign-in, set up there or later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import segno
from axes.handlers.proxy import AxesProxyHandler
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import one_time_codes, second_factor
from accounts.again import Again, NotAgain, again, check_again
from accounts.models import SecondFactor
from accounts.second_factor import CodeRefused, FactorRefused, How, Proof
from accounts.session_store import digest_of
from accounts.sessions import end_sessions
from accounts.steps import Pending, Step, finish, next_step, pending, settle
from accounts.views.sign_in import locked_page
from policies.admin.base import actor_of

_BEGUN = "second_factor_begun"  # in a session: what was begun in it
_ISSUER = "TSCM"
_FEW = 3
_SIGN_IN_ANEW = (
    "Sign out and in again first, and set it up within ten minutes: a browser that was left open "
    "must not be enough."
)


@never_cache
@csrf_protect
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def code_page(request: HttpRequest) -> HttpResponse:
    """Ask for the code, and sign in who gives it."""
    now = timezone.now()
    under_way = pending(request, now=now)
    if under_way is None:
        return _begin_anew(request)
    if request.method != "POST":
        if next_step(under_way.user) is Step.SET_UP:
            return HttpResponseRedirect(reverse("sign-in:set-up"))
        return _code_form(request, under_way.user)
    credentials = {"username": under_way.user.get_username()}
    if not AxesProxyHandler.is_allowed(request, credentials):
        return locked_page(request, username=credentials["username"], now=now)
    try:
        proof = second_factor.check_code(
            user=under_way.user, code=request.POST.get("code", ""), now=now
        )
    except CodeRefused as refused:
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        return _code_form(request, under_way.user, error=str(refused))
    finish(request, under_way, proof=proof.how.value, now=now)
    _tell_what_is_left(request, proof)
    return HttpResponseRedirect(under_way.next_url)


@never_cache
@csrf_protect
@sensitive_post_parameters("code", "password")
@require_http_methods(["GET", "HEAD", "POST"])
def set_up_page(request: HttpRequest) -> HttpResponse:
    """Set up a second factor: at a sign-in that asks for one, or whenever a person likes.

    Whoever is signed in already gives his password again: a browser that was left open must not
    be enough, for the phone that it took in would keep its owner out.
    """
    now = timezone.now()
    under_way = pending(request, now=now)
    user = request.user if under_way is None else under_way.user
    if not isinstance(user, User):
        return _begin_anew(request)
    wanted = Again.NOTHING if under_way else again(request, user, now=now)
    if wanted is Again.SIGN_IN:
        messages.error(request, _SIGN_IN_ANEW)
        return HttpResponseRedirect(reverse("sign-in:own"))
    try:
        factor = _begun(request, user, now=now)
        if request.method != "POST":
            return _set_up_form(request, factor, wanted)
        check_again(request, user, wanted)
        codes = second_factor.confirm_set_up(
            factor=factor,
            code=request.POST.get("code", ""),
            actor=f"console:{user.get_username()}",
            now=now,
        )
    except (CodeRefused, NotAgain) as refused:
        return _set_up_form(request, factor, wanted, error=str(refused))
    except FactorRefused as refused:
        messages.error(request, str(refused))
        return HttpResponseRedirect(reverse("admin:login" if under_way else "sign-in:own"))
    return _has_set_up(request, user, under_way, codes, now=now)


@never_cache
@require_POST
def renew_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them this once."""
    factor = _proven(request)
    if factor is None:
        return HttpResponseRedirect(reverse("sign-in:own"))
    codes = second_factor.renew_recovery_codes(
        factor=factor, actor=actor_of(request), now=timezone.now()
    )
    return _codes_page(request, codes, next_url=reverse("sign-in:own"))


@never_cache
@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    """Forget one's second factor."""
    factor = _proven(request)
    if factor is not None:
        second_factor.remove_factor(factor=factor, actor=actor_of(request), now=timezone.now())
        messages.success(request, "Your second factor is removed: the password alone signs you in.")
    return HttpResponseRedirect(reverse("sign-in:own"))


def _proven(request: HttpRequest) -> SecondFactor | None:
    """Return the person's factor if he just gave a code of it; else say why not, and return None.

    A browser that was left open must not be enough to take the second factor away.
    """
    user, now = request.user, timezone.now()
    assert isinstance(user, User)  # noqa: S101  admin_view saw to it
    try:
        second_factor.check_code(user=user, code=request.POST.get("code", ""), now=now)
    except CodeRefused as refused:
        messages.error(request, str(refused))
        return None
    return second_factor.factor_of(user)


def _begun(request: HttpRequest, user: User, *, now: datetime) -> SecondFactor:
    """Return what was begun in this session; a session never sees what another one began."""
    held = request.session.get(_BEGUN)
    factor = second_factor.begun_set_up(user=user, pk=held, now=now)
    if factor is None:
        factor = second_factor.begin_set_up(user=user, now=now)
        request.session[_BEGUN] = factor.pk
    return factor


def _has_set_up(
    request: HttpRequest,
    user: User,
    under_way: Pending | None,
    codes: tuple[str, ...],
    *,
    now: datetime,
) -> HttpResponse:
    """Show the recovery codes to who is signed in from here on, here only."""
    next_url = reverse("sign-in:own")
    if under_way is not None:
        finish(request, under_way, proof=How.PHONE.value, now=now)
        next_url = under_way.next_url
    request.session.pop(_BEGUN, None)
    settle(request.session, passed=True)
    end_sessions(
        user=user,
        but_digest=digest_of(request.session.session_key),
        actor=f"console:{user.get_username()}",
        now=now,
    )
    return _codes_page(request, codes, next_url=next_url)


def _tell_what_is_left(request: HttpRequest, proof: Proof) -> None:
    if proof.how is How.RECOVERY:
        messages.warning(
            request,
            f"You signed in with a recovery code; {proof.codes_left} are left. Make new ones, or "
            f"set up another phone, under Your sign-in.",
        )
    elif proof.codes_left <= _FEW:
        messages.warning(
            request, f"You have {proof.codes_left} recovery codes left; make new ones in time."
        )


def _begin_anew(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        messages.info(request, "Sign in with user and password first; a sign-in takes ten minutes.")
    return HttpResponseRedirect(reverse("admin:login"))


def _code_form(request: HttpRequest, user: User, *, error: str = "") -> HttpResponse:
    context = {"title": "Sign in", "person": user.get_username(), "error": error}
    return _page(request, "accounts/code.html", context)


def _set_up_form(
    request: HttpRequest, factor: SecondFactor, wanted: Again, *, error: str = ""
) -> HttpResponse:
    address = one_time_codes.address_for_phones(
        factor.secret, user=factor.user.get_username(), issuer=_ISSUER
    )
    secret = factor.secret
    context = {
        "title": "Set up a second factor",
        # Dark on white in both themes: many phones read nothing else.
        "picture": segno.make(address, error="m").svg_data_uri(scale=4, border=4, light="#fff"),
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "is_asked_for": not request.user.is_authenticated,
        "wants_password": wanted is Again.PASSWORD,
        "error": error,
    }
    return _page(request, "accounts/set_up.html", context)


def _codes_page(request: HttpRequest, codes: tuple[str, ...], *, next_url: str) -> HttpResponse:
    context = {"title": "Recovery codes", "codes": codes, "next_url": next_url}
    return _page(request, "accounts/recovery_codes.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
