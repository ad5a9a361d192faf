"""How many alarms call, for the head of every page."""

from __future__ import annotations

from typing import Any

from django import template

from policies.models import Alarm
from policies.visible import visible

register = template.Library()


@register.inclusion_tag("console/alarm_badge.html", takes_context=True)
def alarm_badge(context: dict[str, Any]) -> dict[str, Any]:
    """Show the number of open alarms that nobody has seen, to who may see them; one query."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.has_perm("policies.view_alarm"):
        return {"number": 0}
    kinds = visible(Alarm.objects.calling(), user).order_by().values_list("kind", flat=True)
    severities = [Alarm(kind=kind).severity_word for kind in kinds]
    worst = "danger" if "critical" in severities else "warning"
    return {"number": len(severities), "tone": worst}
