"""The form that links a device to a portal."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django import forms
from django.conf import settings as site
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from devices.kinds.base import SettingRefused
from devices.services import DeviceRefused, GroupRefused, group_for
from fleet.link_tasks import SECONDS
from fleet.protocol.errors import WebAutomationError
from fleet.protocol.keys import KeyUnreadable
from fleet.protocol.names import NotADeviceId
from fleet.reports.link_access import may_change
from fleet.services.link import Here, Linked, link_device
from fleet.services.link_portal import portal_named
from policies.fields import DecryptionFailed
from policies.services import Refused
from policies.services.trial_slots import trial_slot
from policies.visible import Person

_REFUSALS = (
    WebAutomationError, DeviceRefused, SettingRefused, GroupRefused, Refused, DecryptionFailed,
)  # fmt: skip
_FIELDS: dict[type[Exception], str] = {KeyUnreadable: "device_key", NotADeviceId: "device_id"}


class LinkForm(forms.Form):
    """The ID and the key of a device, as its page on the portal shows them."""

    device_id = forms.CharField(
        label="Device ID (tdid)", max_length=64, widget=UnfoldAdminTextInputWidget()
    )
    device_key = forms.CharField(
        label="Device key",
        max_length=100,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "off"}),
        help_text="It begins with tscmdk.",
    )
    nickname = forms.CharField(
        label="Name here (empty for the portal's)",
        max_length=64,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )
    portal = forms.CharField(
        label="Portal (host or host:port)",
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )
    domain = forms.CharField(
        label="Domain of its zones", max_length=180, widget=UnfoldAdminTextInputWidget()
    )
    tls_name = forms.CharField(
        label="Name in its certificate (empty for the host)",
        max_length=253,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )
    ca = forms.CharField(
        label="Certificates of the CAs to trust, PEM (empty for this site's)",
        max_length=100_000,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
    )

    def __init__(self, data: object = None) -> None:
        """Offer what the site says."""
        place = site.TSCM_LINK_PORTAL
        first = {"domain": site.TSCM_LINK_DOMAIN, "portal": str(place) if place else ""}
        super().__init__(data, initial=first)  # type: ignore[arg-type]

    def link(self, *, user: Person, actor: str, now: datetime) -> Linked | None:
        """Link the device; None where the form, the portal or a service refuses, which it tells."""
        if not self.is_valid():
            return None
        said = self.cleaned_data
        try:
            group = group_for(user, None)
            portal = portal_named(
                place=said["portal"], domain=said["domain"], ca=said["ca"] or None,
                tls_name=said["tls_name"],
            )  # fmt: skip
            with trial_slot():
                return link_device(
                    portal=portal, device_id=said["device_id"], key_text=said["device_key"],
                    here=Here(said["nickname"] or None, group, partial(may_change, user)),
                    actor=actor, now=now, seconds=SECONDS,
                )  # fmt: skip
        except (KeyUnreadable, NotADeviceId) as error:
            self.add_error(_FIELDS[type(error)], str(error))
        except _REFUSALS as error:
            self.add_error(None, str(error))
        return None
