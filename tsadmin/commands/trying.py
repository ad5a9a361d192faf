"""source try: what a list holds, before anything depends on it."""

from __future__ import annotations

from collections.abc import Sequence

from policies.api.trials import TrialSerializer
from policies.services import try_source as trials
from policies.services.trial import Contents, Trial
from policies.trial_words import common, facts, line_of, sentence, share, state
from policies.words import count
from tsadmin.commands.finding import find_source
from tsadmin.commands.given import read_settings
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_facts, print_json, print_line, print_table, progress


def try_source(
    *, name: str | None, kind: str | None, given: Sequence[str], may_be_empty: bool, as_json: bool
) -> None:
    """Try a source and print what came; raises Refused when nothing usable did."""
    if (name is None) == (kind is None):
        raise Misused("give the NAME of a source, or --kind and --set of one that is not there yet")
    settings = read_settings(given)
    held = None if name is None else find_source(name)
    if held is not None:
        kind, may_be_empty = held.kind, may_be_empty or held.may_be_empty
        settings = {**held.settings, **settings}
    with progress(quiet=as_json) as on_progress:
        on_progress("asking the source")
        trial = trials.try_source(
            kind=kind or "", settings=settings, held=held, may_be_empty=may_be_empty
        )
    if as_json:
        print_json(TrialSerializer(trial).data)
    elif trial.contents is not None:
        _print(trial, trial.contents)
    if not trial.is_ok:
        raise Refused(sentence(trial))


def _print(trial: Trial, contents: Contents) -> None:
    print_line(sentence(trial), tone=state(trial)[0])
    print_facts(list(facts(contents)))
    if contents.sample:
        rows = [(line_of(one), str(one.span)) for one in contents.sample]
        print_table(("Line", "First entries, by address"), rows)
    if contents.overlaps:
        print_table(
            ("List", "Addresses in common", "Share of this list", "Entries it has too"),
            [(one.name, common(one), share(one), count(one.entries)) for one in contents.overlaps],
        )
