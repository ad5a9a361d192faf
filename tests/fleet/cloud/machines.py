"""Machines of clouds, as their files and their metadata services tell them."""

from __future__ import annotations

from pathlib import Path

from fleet.cloud.machine import Machine
from tests.fakes.webserver import Handler, Raw, Reply, Request

MACHINE_ID = "0123456789abcdef0123456789abcdef"
UUID = "ec2f8a10-93a1-4c1e-8e0b-0a1b2c3d4e5f"
AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
FIRMWARE: dict[str, dict[str, str]] = {
    "azure": {
        "sys_vendor": "Microsoft Corporation",
        "product_name": "Virtual Machine",
        "chassis_asset_tag": AZURE_TAG,
    },
    "aws": {"sys_vendor": "Amazon EC2", "product_name": "c5.large"},
    "gcp": {"sys_vendor": "Google", "product_name": "Google Compute Engine"},
    "none": {"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R650"},
}
INSTANCES = {
    "azure": "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
    "aws": "i-0abcd1234ef567890",
    "gcp": "4520031799277581759",
}
PLAIN = Machine(machine_id=MACHINE_ID)


def files_of(root: Path, **dmi: str) -> Path:
    """Write a machine's files below `root`."""
    folder = root / "sys" / "class" / "dmi" / "id"
    folder.mkdir(parents=True)
    for name, text in {"product_uuid": UUID, **dmi}.items():
        (folder / name).write_text(f"{text}\n")
    (root / "etc").mkdir()
    (root / "etc" / "machine-id").write_text(f"{MACHINE_ID}\n")
    return root


def service_of(cloud: str) -> Handler:
    """The metadata service of a cloud, as strict as the real one."""

    def answer(request: Request) -> Reply | Raw:
        path, headers = request.path.partition("?")[0], request.headers
        match cloud, request.method, path:
            case "azure", "GET", "/metadata/instance/compute/vmId":
                return _if(headers.get("metadata") == "true", INSTANCES["azure"], status=400)
            case "gcp", "GET", "/computeMetadata/v1/instance/id":
                is_asked = headers.get("metadata-flavor") == "Google"
                return _if(is_asked, INSTANCES["gcp"], status=403)
            case "aws", "PUT", "/latest/api/token":
                return _if("x-aws-ec2-metadata-token-ttl-seconds" in headers, "AQAE==", status=400)
            case "aws", "GET", "/latest/meta-data/instance-id":
                is_known = headers.get("x-aws-ec2-metadata-token") == "AQAE=="
                return _if(is_known, INSTANCES["aws"], status=401)
        return Reply(b"<html>not here</html>", status=404)

    return answer


def _if(condition: bool, text: str, *, status: int) -> Reply:
    return Reply(text.encode()) if condition else Reply(b"no", status=status)
