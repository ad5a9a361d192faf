"""update, source update, policy update: retrieve, compile and enforce while somebody waits."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from typing import TypeVar

from django.utils import timezone

from devices import services
from devices.models import Device
from policies import services as policy_services
from policies.models import Policy, Retrieval, Source
from policies.services import Busy, RefreshReport, refresh_policy, retrieve_source
from policies.states import FAILED_OUTCOMES
from policies.tasks import nudge
from tsadmin.commands.enforced import Enforced, print_enforced
from tsadmin.commands.enforcing import bring_into_force
from tsadmin.commands.facts import device_urls
from tsadmin.commands.finding import find_device, find_policy_itself, find_source
from tsadmin.commands.refreshed import (
    policy_trouble,
    print_refresh,
    print_retrievals,
    refresh_json,
    retrieval_json,
    size_trouble,
)
from tsadmin.errors import Refused
from tsadmin.screen import print_hint, print_json, progress
from tsadmin.site import actor

# A worker that holds the policy is done long before: a retrieval ends by its own deadline.
BUSY_SECONDS = 60.0
_PAUSE_SECONDS = 1.0
_Result = TypeVar("_Result")


def update_device(*, nickname: str, accept_change: bool, as_json: bool) -> None:
    """Refresh a device's policy, have a gateway enforce it, and print what came of it.

    Raises Refused when not all of it was done.
    """
    device = find_device(nickname)
    if not device.policy_updates and not device.is_gateway:
        raise Refused(
            f"policy updates of {nickname} are off. Turn them on first: "
            f"tsadmin configure {nickname} --policy_updates yes"
        )
    report = _refresh(device.policy, accept_change=accept_change, quiet=as_json)
    device = find_device(nickname)
    if not as_json:
        print_refresh(device.policy, report)
    finish_update(device, report, as_json=as_json)


def finish_update(device: Device, report: RefreshReport, *, as_json: bool) -> None:
    """Have a gateway enforce what a refresh brought, and print how that ended; raises Refused.

    As JSON it is all told here, what the refresh brought as well.
    """
    done = bring_into_force(device, quiet=as_json)
    told, trouble = _done_json(device, report, done)
    if as_json:
        print_json({"name": device.nickname, **told})
    elif done:
        print_enforced(done)
    elif device.is_gateway and not device.policy_updates:
        print_hint(
            f"Policy updates of {device} are off: what its kernel holds stays. What is new: "
            f"tsadmin plan {device}. To enforce it: tsadmin apply {device}."
        )
    if trouble:
        raise Refused(trouble)


def _done_json(
    device: Device, report: RefreshReport, done: Enforced | None
) -> tuple[dict[str, object], str]:
    """Return what was done for programs, and why not all of it."""
    trouble = policy_trouble(report, about=device.nickname) or size_trouble(device)
    trouble = ". ".join(filter(None, (trouble, done.trouble if done else "")))
    told = refresh_json(device.policy, report, trouble=trouble)
    enforcement = done.json() if done else None
    return {**told, "urls": device_urls(device) or None, "enforcement": enforcement}, trouble


def updated_json(device: Device) -> tuple[dict[str, object], str]:
    """Refresh a device's policy and have a gateway enforce it; return what came of it, and why not.

    The reason is "" where all of it was done.
    """
    report = _refresh(device.policy, accept_change=False, quiet=True)
    device = find_device(device.nickname)
    return _done_json(device, report, bring_into_force(device, quiet=True))


def update_policy(*, name: str, accept_change: bool, as_json: bool) -> None:
    """Refresh a policy and print what came; raises Refused when not all of it did."""
    policy = find_policy_itself(name)
    if policy.is_paused:
        raise Refused(
            f"every device that follows {name} has policy updates off. Turn them on first: "
            f"tsadmin configure DEVICE --policy_updates yes"
        )
    report = _refresh(policy, accept_change=accept_change, quiet=as_json)
    policy = find_policy_itself(name)
    trouble = policy_trouble(report, about=policy.name) or _too_small(policy)
    if as_json:
        print_json(refresh_json(policy, report, trouble=trouble))
    else:
        print_refresh(policy, report)
    if trouble:
        raise Refused(trouble)


def update_source(*, name: str, as_json: bool) -> None:
    """Retrieve a source and print what came; raises Refused when no usable list did."""
    source = find_source(name)
    if not source.is_enabled:
        raise Refused(
            f"source {name} is turned off. Turn it on first: "
            f"tsadmin source configure {shlex.quote(name)} --enabled yes"
        )
    with progress(quiet=as_json) as on_progress:
        on_progress(f"retrieve {name}")
        one = wait_while_busy(lambda: _retrieve(source), on_progress=on_progress)
    nudge()
    if as_json:
        print_json(retrieval_json(one))
    else:
        print_retrievals([one])
    if one.outcome in FAILED_OUTCOMES:
        raise Refused(one.error)


def wait_while_busy(work: Callable[[], _Result], *, on_progress: Callable[[str], None]) -> _Result:
    """Do `work` as soon as no worker is at it; raises Busy when that takes too long."""
    patience_ends = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return work()
        except Busy as busy:
            if time.monotonic() >= patience_ends:
                raise
            on_progress(f"waiting: {str(busy).partition(';')[0]}")
        time.sleep(_PAUSE_SECONDS)


def _refresh(policy: Policy, *, accept_change: bool, quiet: bool) -> RefreshReport:
    """Refresh a policy, and pack it for the devices that follow it."""
    if accept_change:
        policy_services.accept_change(policy=policy, actor=actor(), now=timezone.now())
    with progress(quiet=quiet) as on_progress:
        report = wait_while_busy(
            lambda: refresh_policy(
                policy=policy,
                clock=timezone.now,
                accept_change=accept_change,
                on_progress=on_progress,
            ),
            on_progress=on_progress,
        )
    services.pack_for_devices(policy=policy, now=timezone.now())
    return report


def _retrieve(source: Source) -> Retrieval:
    one = retrieve_source(source_id=source.pk, now=timezone.now())
    if one is None:
        raise Busy(f"{source.name} is being retrieved by a worker; try again in a minute")
    return one


def _too_small(policy: Policy) -> str:
    """Return which devices that take updates do not get a policy, "" where all do."""
    devices = Device.objects.filter(policy=policy, policy_updates=True)
    rows = devices.exclude(max_policy_size=None).select_related("policy__current")
    return ". ".join(filter(None, map(size_trouble, rows.order_by("nickname", "id"))))
