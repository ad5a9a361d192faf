"""demo: a sample device, to try feeds or a kernel with."""

from __future__ import annotations

from django.utils import timezone

from devices import services
from devices.models import Device
from tsadmin.commands.facts import device_urls, url_lines
from tsadmin.commands.finding import find_device
from tsadmin.commands.updating import finish_update, wait_while_busy
from tsadmin.commands.waiting import nudge_enforcers
from tsadmin.screen import print_facts, print_json, print_line, progress
from tsadmin.site import actor


def add_sample(*, kind: str, as_json: bool) -> None:
    """Make or refresh the sample of a kind, and print how to try it; raises Refused."""
    with progress(quiet=as_json) as on_progress:
        made, report = wait_while_busy(
            lambda: services.add_sample(actor=actor(), clock=timezone.now, kind=kind),
            on_progress=on_progress,
        )
    device = find_device(made.nickname)
    if not as_json:
        print_line(f"The sample device is {device.nickname}.", tone="success")
        _print_how_to_try(device)
    finish_update(device, report, as_json=as_json)


def remove_sample(*, as_json: bool) -> None:
    """Remove the sample devices and all that came with them."""
    nodes = list(Device.objects.filter(is_sample=True).values_list("node", flat=True))
    was_there = services.remove_sample(actor=actor(), now=timezone.now())
    nudge_enforcers(*nodes)
    if as_json:
        print_json({"removed": was_there})
    else:
        print_line("The sample is removed." if was_there else "There is no sample.")


def _print_how_to_try(device: Device) -> None:
    urls = device_urls(device)
    if urls:
        print_facts(url_lines(urls))
    typed = f"curl -i {urls['block']}" if urls else f"tsadmin check {device.nickname}"
    label = "Fetch it with" if urls else "Prove it with"
    print_facts([(label, typed), ("Remove it with", "tsadmin demo --remove")])
