"""check, pause, resume: whether a gateway drops what is listed, and letting it pass for a while."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from devices import services
from devices.kinds import rules
from devices.kinds.base import SettingRefused
from devices.models import Device, Gateway
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.kernel_log import KernelLog
from enforcement.models import Question
from enforcement.services import CheckAnswer
from tsadmin.commands.enforced import Enforced, print_enforced
from tsadmin.commands.finding import find_device
from tsadmin.commands.waiting import answer_to, work_of
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table, progress
from tsadmin.site import actor

_RESULTS = {True: "ok", False: "not ok", None: "could not be told"}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def check(*, nickname: str, address: str, as_json: bool) -> None:
    """Have a gateway's enforcer try a block, and print what it saw; raises Refused if none was."""
    device = find_device(nickname)
    options = {"address": _address(address)} if address else {}
    found = _checked(device, options, quiet=as_json)
    if as_json:
        print_json({"name": nickname, **found.json()})
    else:
        print_table(
            ("Step", "Result", "What was seen"),
            [(step.name, _RESULTS[step.ok], step.seen) for step in found.steps],
        )
    if not found.ok:
        raise Refused(found.sentence)
    if not as_json:
        print_line(f"{found.sentence[:1].upper()}{found.sentence[1:].rstrip('.')}.", tone="success")


def checked_json(device: Device) -> tuple[dict[str, object], str]:
    """Have a gateway's enforcer try a block; return what it saw, and what is not as it should be.

    The latter is "" where all is well.
    """
    found = _checked(device, {}, quiet=True)
    return found.json(), "" if found.ok else found.sentence


def _checked(device: Device, options: Mapping[str, object], *, quiet: bool) -> CheckAnswer:
    """Ask, and listen meanwhile: on the gateway itself root may read what the enforcer may not."""
    with ExitStack() as stack:
        log: KernelLog | None = None
        if device.node == services.own_node():
            with suppress(EnforceUnavailable):
                log = stack.enter_context(KernelLog())
        answered = answer_to(
            device, Question.CHECK, options=options, clock=timezone.now, quiet=quiet
        )
        found = CheckAnswer.read(answered)
        return found if log is None else found.hearing(log.lines())


def pause(*, nickname: str, lasting: str, until: str, now: datetime, as_json: bool) -> None:
    """Let listed packets pass for a while, and print until when; raises Refused."""
    device = find_device(nickname)
    end = _end(lasting, until, now=now)
    done = _work(
        device,
        ask=lambda: services.pause_gateway(device=device, until=end, actor=actor(), now=now),
        quiet=as_json,
    )
    paused_until = Gateway.objects.get(device=device).paused_until
    _tell(device, done, told={"paused_until": paused_until}, as_json=as_json)
    if not as_json:
        print_hint(f"To end it sooner: tsadmin resume {nickname}")


def resume(*, nickname: str, now: datetime, as_json: bool) -> None:
    """End a pause and wait until listed packets are dropped again; raises Refused."""
    device = find_device(nickname)
    was_paused = services.gateway_of(device).paused_until is not None
    done = None
    if was_paused:
        done = _work(
            device,
            ask=lambda: services.resume_gateway(device=device, actor=actor(), now=now),
            quiet=as_json,
        )
    elif not as_json:
        print_line(f"{nickname} was not paused.")
    _tell(device, done, told={"was_paused": was_paused}, as_json=as_json)


def _work(device: Device, *, ask: Callable[[], object], quiet: bool) -> Enforced | None:
    """Ask and wait for the enforcer; None where nothing is enforced that it could come to."""
    if device.published is None:
        ask()
        return None
    with progress(quiet=quiet) as on_progress:
        return work_of(device, ask=ask, on_progress=on_progress)


def _tell(device: Device, done: Enforced | None, *, told: dict[str, object], as_json: bool) -> None:
    if as_json:
        enforcement = done.json() if done else None
        print_json({"name": device.nickname, **told, "enforcement": enforcement})
    elif done is not None:
        print_enforced(done)
    elif device.published is None:
        print_line(f"Nothing is published for {device}: nothing is enforced there yet.")
    if done is not None and done.trouble:
        raise Refused(done.trouble)


def _address(text: str) -> str:
    try:
        return rules.address("--address", text)
    except SettingRefused as error:
        raise Misused(str(error)) from error


def _end(lasting: str, until: str, *, now: datetime) -> datetime:
    """Return when a pause ends; raises Misused for what is no span or no moment."""
    if lasting:
        found = _SPAN.fullmatch(lasting.strip().lower())
        if found is None:
            raise Misused(f"--for {lasting!r} is not accepted: use minutes, hours or days, as 30m")
        return now + timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(until.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misused(
            f"--until {until!r} is not accepted: use a moment in UTC, as '{now:%Y-%m-%d %H:%M}'"
        ) from error
