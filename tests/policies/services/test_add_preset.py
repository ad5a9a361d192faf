"""A preset becomes a source, and a policy takes it, all or nothing. None of them is retrieved."""

from __future__ import annotations

from datetime import datetime

import pytest

from policies.models import Change, Source, SourceSecrets
from policies.presets import CATALOGUE, PRESETS, Preset
from policies.services import change_source, find_or_make_source
from policies.services.add_preset import add_preset, catalogue
from policies.services.rows import Refused
from policies.services.sources import secrets_of
from policies.states import Role
from tests.factories import make_policy

pytestmark = pytest.mark.django_db
DROP, HOOKS, ABUSE = (CATALOGUE[key] for key in ("spamhaus-drop", "github-hooks", "abuseipdb"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_every_preset_is_asked_as_its_publisher_wants(now: datetime, preset: Preset) -> None:
    brought = dict.fromkeys(preset.needs, "k3y")
    source = add_preset(preset=preset, settings=brought, actor="test", now=now)
    assert (source.name, source.refresh_minutes) == (preset.name, preset.refresh_minutes)
    assert (source.may_be_empty, source.severity) == (preset.may_be_empty, preset.severity)
    assert "k3y" not in str(source.settings)
    assert source.retrieved_at is None


def test_a_policy_takes_it_as_the_catalogue_means_it(now: datetime) -> None:
    policy = make_policy(now=now)
    for preset in (DROP, HOOKS):
        add_preset(preset=preset, policy=policy, actor="test", now=now)
    roles = dict(policy.policy_sources.values_list("source__name", "role"))
    assert (roles[DROP.name], roles[HOOKS.name]) == (Role.BLOCK, Role.ALLOW)
    assert len(roles) == 3


def test_a_person_may_mean_it_otherwise(now: datetime) -> None:
    policy = make_policy(now=now)
    add_preset(preset=DROP, policy=policy, role=Role.ALLOW, actor="test", now=now)
    assert policy.policy_sources.get(source__name=DROP.name).role == Role.ALLOW


def test_one_that_was_added_already_is_handed_to_another_policy(now: datetime) -> None:
    first, second = make_policy(now=now), make_policy(now=now)
    made = [add_preset(preset=DROP, policy=one, actor="test", now=now) for one in (first, second)]
    assert made[0].pk == made[1].pk
    assert second.sources.filter(pk=made[0].pk).exists()


def test_what_a_person_has_to_bring_is_kept_secret(now: datetime) -> None:
    source = add_preset(preset=ABUSE, settings={"header_value": "k3y"}, actor="test", now=now)
    assert secrets_of(source) == {"header_value": "k3y"}
    assert "k3y" not in str(list(Change.objects.values()))


@pytest.mark.parametrize(
    ("key", "given", "reason"),
    [
        ("abuseipdb", {}, "header_value must be given"),
        ("abuseipdb", {"url": "https://elsewhere.test/"}, "takes header_value, not 'url'"),
        ("spamhaus-drop", {"token": "x"}, "takes no settings, not 'token'"),
    ],
)
def test_settings_that_it_does_not_take_or_lacks_are_refused(
    now: datetime, key: str, given: dict[str, object], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        add_preset(preset=CATALOGUE[key], settings=given, actor="test", now=now)
    assert not Source.objects.exists()
    assert not SourceSecrets.objects.exists()


def test_nothing_is_made_where_the_policy_cannot_take_it(now: datetime) -> None:
    policy = make_policy(now=now, is_private=True)
    with pytest.raises(Refused, match="belongs to one device"):
        add_preset(preset=DROP, policy=policy, actor="test", now=now)
    assert not Source.objects.filter(name=DROP.name).exists()


def test_it_is_added_once(now: datetime) -> None:
    policy = make_policy(now=now)
    add_preset(preset=DROP, policy=policy, actor="test", now=now)
    with pytest.raises(Refused, match="is added already: change source Spamhaus DROP"):
        add_preset(preset=DROP, actor="test", now=now)
    with pytest.raises(Refused, match="stands twice"):
        add_preset(preset=DROP, policy=policy, actor="test", now=now)


def test_a_name_that_is_taken_is_refused(now: datetime) -> None:
    find_or_make_source(kind="memory", settings={"entries": []}, name=DROP.name, now=now)
    with pytest.raises(Refused, match="already exists"):
        add_preset(preset=DROP, actor="test", now=now)


def test_the_catalogue_tells_which_were_added_until_somebody_makes_one_their_own(
    now: datetime,
) -> None:
    source = add_preset(preset=DROP, actor="test", now=now)
    assert {one.preset.key: one.source for one in catalogue() if one.source} == {DROP.key: source}
    changes = {"settings": {**source.settings, "max_redirects": 0}}
    change_source(source=source, changes=changes, actor="test", now=now)
    assert not any(one.source for one in catalogue())
    assert [one.preset for one in catalogue()] == list(PRESETS)
