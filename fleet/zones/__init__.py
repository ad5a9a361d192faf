"""A policy's lists as zones: one module a form, all of them named here."""

from __future__ import annotations

from fleet.zones.addresses import ADDRESSES
from fleet.zones.apl import APL
from fleet.zones.base import Form, FormRefused, Lists, Rendered
from fleet.zones.rpz import PolicyForm
from fleet.zones.text import TEXT

__all__ = ["FORMS", "Form", "FormRefused", "Lists", "Rendered"]

FORMS: dict[str, Form] = {
    "apl": APL,
    "a": ADDRESSES,
    "txt": TEXT,
    "rpz": PolicyForm(),
}
