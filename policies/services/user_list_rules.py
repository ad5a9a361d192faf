"""What a list kept here may be, and what for a policy may take it.

Each rule answers with the reason why not, "" where nothing is against it.
"""

from __future__ import annotations

from datetime import datetime

from policies.models import ListRecord, Source
from policies.sources.user_list import KIND
from policies.states import Role


def is_user_list(source: Source) -> bool:
    """Tell whether its records are kept here."""
    return source.kind == KIND


def defaults_of(kind: str) -> dict[str, object]:
    """Return the columns in which a new list kept here differs from other sources.

    What a person takes out, or lets expire, is meant: no list lost it.
    """
    return {"may_be_empty": True, "shrink_limit": 100} if kind == KIND else {}


def entries_in_force(source: Source, *, now: datetime) -> list[str]:
    """Return the entries of a list kept here, in the order in which they were added."""
    records = ListRecord.objects.filter(source=source).unexpired(now=now)
    return list(records.order_by("id").values_list("text", flat=True))


def why_not_kept(source: Source) -> str:
    """Return why a source, new or changed, cannot be a list kept here or cease to be one."""
    before = Source.objects.filter(pk=source.pk).first() or source
    if KIND not in {source.kind, before.kind}:
        return ""
    if source.kind != before.kind:
        return "a list kept here cannot become another kind, nor the reverse; make a new source"
    if "entries" in source.settings:
        return "entries are no setting of a list kept here: add them to it as records"
    was, wanted = before.settings["type"], source.settings["type"]
    if wanted != was:
        return f"it is a list to {was}, not to {wanted}, and policies rely on it; make a new list"
    return ""


def why_not_taken(source: Source, *, role: Role) -> str:
    """Return why a policy may not take `source` as `role`: a list has one type for good."""
    if not is_user_list(source) or source.settings["type"] == role:
        return ""
    return (
        f"{source.name} is a list to {source.settings['type']}; a policy cannot take it to {role}"
    )
