"""Before the first request: tables, static files and the first administrator.

Run by `python -m deploy.run`, and as a service of its own in docker-compose.yml. Doing it again
is harmless and quick.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

ADMINISTRATOR = "admin"


def main() -> None:
    """Prepare the database and the static files of this data folder."""
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tscm_site.settings")
    import django
    from django.core.management import call_command
    from django.utils import timezone

    from tscm_site.env import EnvironmentRefused

    try:
        django.setup()
    except EnvironmentRefused as error:
        sys.exit(f"tscm: {error}")
    from devices.services import protect_devices

    call_command("migrate", interactive=False, verbosity=0)
    protect_devices(now=timezone.now())
    collect_static_files()
    password = create_first_administrator()
    if password is not None:
        print(f"First administrator: {ADMINISTRATOR}")
        print(f"Password:            {password}   (shown only now, and kept nowhere in clear)")


def create_first_administrator() -> str | None:
    """Create an administrator with a new password and return it; None when there is one already."""
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    if users.filter(username=ADMINISTRATOR).exists():
        # Somebody's account: neither its powers nor its password are ours to change.
        print(f"tscm: no administrator, and {ADMINISTRATOR} is taken: manage.py createsuperuser")
        return None
    password = secrets.token_urlsafe(15)
    users.create_superuser(username=ADMINISTRATOR, password=password)
    return password


def collect_static_files() -> None:
    """Copy, compress and name the static files, unless they are as they were the last time."""
    from django.conf import settings
    from django.core.management import call_command

    stamp = Path(settings.STATIC_ROOT).with_suffix(".stamp")
    wanted = _static_digest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(wanted, encoding="ascii")


def _static_digest() -> str:
    """A digest of every static file's name, size and age."""
    from django.contrib.staticfiles.finders import get_finders
    from django.contrib.staticfiles.storage import staticfiles_storage

    # The storage too: with another one the same files are kept under other names.
    digest = hashlib.sha256(staticfiles_storage.__class__.__qualname__.encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
