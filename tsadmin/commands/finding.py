"""Find the device a command names."""

from __future__ import annotations

from devices.kinds import rules
from devices.models import Device
from tsadmin.errors import Refused


def find_device(nickname: str) -> Device:
    """Return the device of this name, with its policy; raises SettingRefused and Refused."""
    name = rules.nickname("device name", nickname)
    devices = Device.objects.select_related("policy__current")
    device = devices.filter(nickname=name).first()
    if device is not None:
        return device
    names = list(devices.order_by("nickname", "id").values_list("nickname", flat=True)[:10])
    if not names:
        raise Refused(f"no device is named {name}; there is none yet, see 'tsadmin add --help'")
    raise Refused(f"no device is named {name}; there are: {', '.join(names)}")
