"""The tests' own packages hide what requirements.txt forgets: here they are taken away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tscm_site.env import CHECKOUT

# Everything that any process imports, with all packages hidden that requirements.txt does not name.
IMPORT_EVERYTHING = """
import re, sys
from importlib import metadata
from pathlib import Path

def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()

lines = Path("requirements.txt").read_text().splitlines()
required = {normal(line.partition("==")[0]) for line in lines if "==" in line}
hidden = {
    module
    for module, owners in metadata.packages_distributions().items()
    if not required & {normal(owner) for owner in owners}
}

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r} in requirements.txt", name=name)

def version(name, version=metadata.version):
    # dnspython asks this what it may import.
    if normal(name) not in required:
        raise metadata.PackageNotFoundError(name)
    return version(name)

metadata.version = version
sys.meta_path.insert(0, Hide())
assert "pytest" in hidden and "django" not in hidden
import django
django.setup()
import django.core.management, django.db.backends.postgresql.base, django.db.backends.sqlite3.base
import feeds.wsgi, gunicorn.app.wsgiapp, gunicorn.workers.gthread, supervisor.supervisord
import kombu.transport.pyamqp, kombu.transport.redis, tscm_site.urls, tscm_site.wsgi
import celery.bin.celery, celery.concurrency.prefork, celery.worker
import deploy.run, tsadmin.__main__
from tscm_site.celery import app
app.loader.import_default_modules()
"""


def test_the_appliance_imports_nothing_that_its_requirements_do_not_name(tmp_path: Path) -> None:
    site = {"TSCM_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tscm_site.settings"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        cwd=CHECKOUT,
        env=os.environ | site,
        timeout=60,
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
