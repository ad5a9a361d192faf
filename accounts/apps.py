from __future__ import annotations

from django.apps import AppConfig, apps
from django.core.checks import register
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks; keep the roles after every migration, once permissions are made."""
        from accounts.checks import CHECKS
        from accounts.roles import keep_roles

        for check, tags in CHECKS:
            register(check, *tags)

        *_, last = apps.get_app_configs()
        post_migrate.connect(keep_roles, sender=last, dispatch_uid="accounts.roles")
