"""What the endpoints of a fleet have in common: refusals, and that there is a portal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.views import APIView

from devices.kinds.base import SettingRefused
from devices.services import GroupRefused
from fleet.reports.place import PortalPlace, portal_place
from fleet.services.entries import Taken
from fleet.services.entry_keys import KeysRevoked
from policies.api.base import Conflict, refusals
from policies.api.permissions import MayChange
from policies.fields import DecryptionFailed


@contextmanager
def fleet_refusals() -> Iterator[None]:
    """Turn the refusals of services into answers: 409 for a name taken or cut off, else 400."""
    try:
        with refusals():
            yield from _taken()
    except SettingRefused as error:
        raise ValidationError({error.setting: [str(error)]}, "refused") from error
    except GroupRefused as error:
        raise ValidationError({"group": [str(error)]}, "refused") from error
    except DecryptionFailed as error:
        raise Conflict(f"{error}.", "unreadable") from error


def check_may_change(view: APIView) -> None:
    """Raise PermissionDenied for who may only add: what he sends would change a row."""
    if not MayChange().has_permission(view.request, view):
        raise PermissionDenied


def _taken() -> Iterator[None]:
    try:
        yield
    except Taken as error:
        raise Conflict(f"{error}.", "taken") from error
    except KeysRevoked as error:
        raise Conflict(f"{error}.", "revoked") from error


def the_portal() -> PortalPlace:
    """Return where this portal is served; raises NotFound where this console is none."""
    place = portal_place()
    if place is None:
        raise NotFound(
            "This console is no portal: name its primary in TSCM_PORTAL_PRIMARY.", "no_portal"
        )
    return place
