"""The addresses of signing in; they come before the console's own of the same paths."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from accounts.views import own, password, provider, second_factor, sign_in

app_name = "sign-in"
of_a_person = admin.site.admin_view
urlpatterns = [
    path("login/code/", second_factor.code_page, name="code"),
    path("login/set-up/", second_factor.set_up_page, name="set-up"),
    path("login/", sign_in.SignInView.as_view(), name="sign-in"),
    path("logout/", sign_in.sign_out, name="sign-out"),
    path("password_change/", of_a_person(password.change_page), name="set-password"),
    path("own/", of_a_person(own.own_page), name="own"),
    path("own/codes/", of_a_person(second_factor.renew_codes), name="renew-codes"),
    path("own/remove/", of_a_person(second_factor.remove), name="remove-factor"),
    path("own/sessions/<int:pk>/end/", of_a_person(own.end_one), name="end-session"),
    path("own/sessions/end/", of_a_person(own.end_others), name="end-others"),
    path("oidc/sign-in/", provider.to_provider, name="to-provider"),
    path("oidc/back/", provider.from_provider, name="from-provider"),
]
