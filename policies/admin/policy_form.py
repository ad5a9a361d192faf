"""The form of a policy, in parts that a person understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminTextareaWidget,
)

from netsets.critical import CRITICAL
from policies.admin.policy_lines import priorities_text, read_priorities, read_tests, tests_text
from policies.admin.writes import ServiceForm
from policies.models import Policy, Source
from policies.services.manage_policies import (
    DEFAULT_PRIORITY,
    POLICY_COLUMNS,
    Member,
    MustHold,
    change_policy,
    create_policy,
    members_of,
    tests_of,
)
from policies.services.rows import Refused
from policies.states import Role

# Where what the services call otherwise stands in the form.
_FIELDS = {"sources": "allow_sources", "tests": "must_hold"}


def _sources(help_text: str) -> Any:
    return forms.ModelMultipleChoiceField(
        Source.objects.only("name", "kind").order_by("name", "id"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text=help_text,
    )


def _lines(label: str, help_text: str, *, rows: int) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=200_000,
        widget=UnfoldAdminTextareaWidget({"rows": rows, "spellcheck": "false"}),
        help_text=help_text,
    )


class PolicyForm(ServiceForm):
    note = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}))
    block_sources = _sources("Their addresses together are what the firewalls block.")
    allow_sources = _sources("Their addresses are never blocked, whatever a block source says.")
    critical_except = forms.MultipleChoiceField(
        label="All but these",
        choices=[(group, group) for group in CRITICAL],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="What is ticked may be blocked after all.",
    )
    must_hold = _lines(
        "Tests",
        "One a line: an address, a network or a range, what must hold, and a note behind a '#' if "
        "you like. 203.0.113.7 must never be blocked # the pager. 198.51.100.0/24 must be blocked",
        rows=4,
    )
    priorities = _lines(
        "Priorities",
        f"One a line, the number first: 10 known scanners. Where a device cannot hold all, 1 is "
        f"kept longest; a source that is not named has {DEFAULT_PRIORITY}.",
        rows=3,
    )

    class Meta:
        model = Policy
        fields = POLICY_COLUMNS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            return
        members = members_of(self.instance)
        for role in Role:
            self.initial[f"{role}_sources"] = [
                member.source.pk for member in members if member.role == role
            ]
        self.initial["priorities"] = priorities_text(members)
        self.initial["must_hold"] = tests_text(tests_of(self.instance))
        if self.instance.is_private:
            for name in ("name", "block_sources", "allow_sources", "priorities"):
                if name in self.fields:
                    self.fields[name].disabled = True

    def clean_must_hold(self) -> list[MustHold]:
        """Return the tests as the service takes them."""
        try:
            return read_tests(self.cleaned_data["must_hold"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def write(self) -> Policy | None:
        """Make or change the policy."""
        values = dict(self.cleaned_data)
        sources = {role: list(values.pop(f"{role}_sources")) for role in Role}
        every = [source for role in Role for source in sources[role]]
        try:
            priorities = read_priorities(values.pop("priorities"), every)
        except ValueError as error:
            self.refuse("priorities", error)
            return None
        members = [
            Member(source, role, priorities.get(source.pk, DEFAULT_PRIORITY))
            for role in Role
            for source in sources[role]
        ]
        try:
            return self._written(values, members, values.pop("must_hold"))
        except Refused as refused:
            self.refuse(_FIELDS.get(refused.setting, refused.setting), refused)
            return None

    def _written(
        self, values: Mapping[str, Any], members: list[Member], tests: list[MustHold]
    ) -> Policy:
        actor, now = self.actor, self.now
        if not self.instance.pk:
            name, options = values["name"], {k: v for k, v in values.items() if k != "name"}
            return create_policy(
                name=name, members=members, tests=tests, options=options, actor=actor, now=now
            )
        policy = Policy.objects.get(pk=self.instance.pk)
        return change_policy(
            policy=policy, changes=values, members=members, tests=tests, actor=actor, now=now
        )
