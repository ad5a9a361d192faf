"""Two owners at once, on a database where neither sees what the other has not committed yet."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.fakes.appliance import appliance
from tests.fakes.postgres import PostgresMissing, postgres

DEMOTE = """
import json, threading
from django.contrib.auth.models import Group, User
from django.db import connection
from accounts.people import PeopleRefused, recorded
owner = Group.objects.get(name="owner")
people = [User.objects.create_user(name, is_staff=True) for name in ("olga", "oscar")]
for user in people:
    user.groups.add(owner)
both, refused = threading.Barrier(2), []

def demote(user):
    try:
        with recorded(user, verb="set role", actor="test", now=timezone.now()):
            user.groups.remove(owner)
            both.wait(20)
    except PeopleRefused as why:
        refused.append(str(why))
    finally:
        connection.close()

threads = [threading.Thread(target=demote, args=[user]) for user in people]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
print(json.dumps([User.objects.filter(groups=owner).count(), refused]))
"""


@pytest.mark.timeout(120)
def test_two_owners_who_demote_each_other_at_once_leave_one(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # a socket's path must be short
        try:
            with (
                postgres(Path(folder)) as url,
                appliance(tmp_path / "data", TSCM_DATABASE_URL=url) as made,
            ):
                owners, (refused,) = made.python(DEMOTE)
        except PostgresMissing as missing:
            pytest.skip(str(missing))
    assert owners == 1
    assert "somebody must stay" in refused
