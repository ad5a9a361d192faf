"""The forms of whole lists: a new one, and many records at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from policies.models import Source
from policies.models.record import LONGEST_NOTE
from policies.services import (
    LinesRefused,
    Refused,
    Written,
    add_records,
    create_user_list,
    replace_records,
)
from policies.services.record_text import (
    MAX_BYTES,
    BadLine,
    Drafts,
    clean_note,
    read_bytes,
    read_expiry,
    read_lines,
)

LONGEST_PASTE = 2_000_000
BAD_SHOWN = 100


class NewListForm(forms.Form):
    """A list to be."""

    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    type = forms.ChoiceField(
        label="To",
        choices=[("block", "block"), ("allow", "allow")],
        widget=UnfoldAdminSelectWidget(),
        help_text="For good: a policy takes a list to block for nothing else, nor the reverse.",
    )

    def write(self, *, actor: str, now: datetime) -> Source | None:
        """Make the list; None where it was refused, and the form says why."""
        try:
            return create_user_list(**self.cleaned_data, actor=actor, now=now)
        except Refused as refused:
            self.add_error(
                refused.setting if refused.setting in self.fields else None, str(refused)
            )
            return None


class PasteForm(forms.Form):
    """Many records: pasted, or in a file."""

    lines = forms.CharField(
        label="Entries",
        required=False,
        strip=False,
        max_length=LONGEST_PASTE,
        widget=UnfoldAdminTextareaWidget({"rows": 12, "spellcheck": "false"}),
        help_text="One a line: an address, a network or a range; a note may follow behind a #.",
    )
    file = forms.FileField(
        label="Or a file",
        required=False,
        widget=UnfoldAdminFileFieldWidget(),
        help_text="CSV (its name ends in .csv) with the columns entry, note, expires; or text with "
        "one entry a line.",
    )
    note = forms.CharField(
        required=False,
        max_length=LONGEST_NOTE,
        widget=UnfoldAdminTextInputWidget(),
        help_text="For pasted entries that have none of their own.",
    )
    expires = forms.CharField(
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget({"placeholder": "2026-12-31"}),
        help_text="For pasted entries: the last day, or a moment such as 2026-12-31T18:00:00Z. "
        "Empty for never. UTC.",
    )
    skip_bad = forms.BooleanField(
        label="Leave out what cannot be taken",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Else nothing is added where any line cannot be taken.",
    )
    replace = forms.BooleanField(
        label="Replace the whole list",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="What is not among these is taken out of the list.",
    )

    def __init__(self, *args: Any, may_replace: bool) -> None:
        super().__init__(*args)
        self.bad: tuple[BadLine, ...] = ()
        if not may_replace:
            del self.fields["replace"]

    @property
    def bad_shown(self) -> tuple[BadLine, ...]:
        """The first of the lines that cannot be taken."""
        return self.bad[:BAD_SHOWN]

    def clean_note(self) -> str:
        """Return the note; raises ValidationError."""
        return self._held_to(clean_note, "note")  # type: ignore[return-value]

    def clean_expires(self) -> datetime | None:
        """Return the moment; raises ValidationError."""
        return self._held_to(read_expiry, "expires")  # type: ignore[return-value]

    def clean(self) -> dict[str, Any]:
        """Hold the form to one of the two ways."""
        values = super().clean() or self.cleaned_data
        if bool(values.get("file")) == bool((values.get("lines") or "").strip()):
            raise forms.ValidationError("Paste entries or choose a file, one of the two.")
        if values.get("file") and values["file"].size > MAX_BYTES:
            raise forms.ValidationError(f"A file holds up to {MAX_BYTES:,} bytes.")
        return values

    def write(self, source: Source, *, actor: str, now: datetime) -> Written | None:
        """Add the records; None where any was refused, and the form says which and why."""
        write = replace_records if self.cleaned_data.get("replace") else add_records
        try:
            return write(
                source=source,
                drafts=self._drafts(),
                skip_bad=self.cleaned_data["skip_bad"],
                actor=actor,
                now=now,
            )
        except LinesRefused as refused:
            self.bad = refused.bad
            self.add_error(None, f"Nothing was added: {len(self.bad):,} cannot be taken.")
        except Refused as refused:
            self.add_error(None, str(refused))
        return None

    def said(self, written: Written) -> str:
        """Return what was done, as a sentence."""
        parts = [
            f"{number:,} {verb}"
            for number, verb in (
                (written.added, "added"),
                (written.changed, "changed"),
                (written.removed, "removed"),
                (len(written.bad), "left out"),
            )
            if number
        ]
        bad = f" ({'; '.join(map(str, written.bad[:5]))})" if written.bad else ""
        return f"{', '.join(parts) or 'Nothing to do: the list is the same'}{bad}."

    def _drafts(self) -> Drafts:
        file = self.cleaned_data.get("file")
        if file:
            return read_bytes(file.read(), is_csv=file.name.lower().endswith(".csv"))
        return read_lines(
            self.cleaned_data["lines"],
            note=self.cleaned_data["note"],
            expires_at=self.cleaned_data["expires"],
        )

    def _held_to(self, rule: Any, name: str) -> object:
        try:
            return rule(self.cleaned_data[name])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
