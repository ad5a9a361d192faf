"""What a machine says of itself: its cloud, and what tells it from all others."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from fleet.cloud.base import CLOUDS, Cloud

DIGITS = 12
_LONGEST = 256  # bytes of one file that are read
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
# Azure's own; other machines of its hypervisor have the same vendor and product.
_AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"


@dataclass(frozen=True, slots=True)
class Machine:
    """What its firmware and its system say, "" for what they do not."""

    vendor: str = ""
    product: str = ""
    bios: str = ""  # vendor and version
    asset_tag: str = ""
    product_uuid: str = ""  # which root alone may read
    machine_id: str = ""

    @property
    def cloud(self) -> Cloud | None:
        """The cloud that its firmware names; None where it names none."""
        if self.asset_tag == _AZURE_TAG:
            return CLOUDS["azure"]
        if "amazon" in f"{self.vendor} {self.bios}".lower():
            return CLOUDS["aws"]
        if "google compute engine" in self.product.lower():
            return CLOUDS["gcp"]
        return None


def read_machine(root: Path = Path("/")) -> Machine:
    """Return what the machine whose files are below `root` says of itself."""
    dmi = root / "sys" / "class" / "dmi" / "id"
    machine_id = _text(root / "etc" / "machine-id").lower()
    return Machine(
        vendor=_text(dmi / "sys_vendor"),
        product=_text(dmi / "product_name"),
        bios=f"{_text(dmi / 'bios_vendor')} {_text(dmi / 'bios_version')}".strip(),
        asset_tag=_text(dmi / "chassis_asset_tag"),
        product_uuid=_unique(_UUID, _text(dmi / "product_uuid").lower()),
        machine_id=_unique(_MACHINE_ID, machine_id),
    )


def name_of(cloud: Cloud, identity: str) -> str:
    """Return the name of a machine: its cloud's prefix and twelve digits, always the same ones."""
    digest = hashlib.sha256(f"tscm machine {cloud.name} {identity}".encode()).digest()
    return f"{cloud.prefix}{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}d}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _unique(form: re.Pattern[str], text: str) -> str:
    """Return an identifier, "" for what is none: all digits alike stand for "not set"."""
    return text if form.fullmatch(text) and len(set(text) - {"-"}) > 1 else ""
