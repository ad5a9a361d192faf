from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from devices.kinds import KINDS, rules
from tests.tsadmin.conftest import Tsadmin
from tsadmin.errors import one_line
from tsadmin.words import as_text, size_text

REQUIRED = ("--device_id", "tdid_abcd1234", "--management_ip", "172.16.50.3")
BY_NAME = (
    ("show",),
    ("update",),
    ("configure", "--note", "x"),
    ("remove", "--yes"),
)


@pytest.mark.django_db
@pytest.mark.parametrize("command", [*BY_NAME, ("add", "--type", "firepower", *REQUIRED)])
@pytest.mark.parametrize("name", ["../etc/passwd", "a/../b", "a b", "a\nb", "", "é", "-", "n" * 65])
def test_a_name_that_is_no_plain_name_is_refused(
    tsadmin: Tsadmin, command: tuple[str, ...], name: str
) -> None:
    answer = tsadmin(*command, "--", name)
    assert answer.code == 1
    assert answer.error.startswith("device name ")
    assert "use 1 to 64 letters, digits, '-' or '_'" in answer.error


@pytest.mark.django_db
@pytest.mark.parametrize("command", BY_NAME)
def test_an_unknown_device_is_one_line_with_those_that_are_known(
    tsadmin: Tsadmin, command: tuple[str, ...]
) -> None:
    answer = tsadmin(*command, "nope")
    assert (answer.code, "there is none yet" in answer.error) == (1, True)
    tsadmin("add", "fmc", "--type", "firepower", *REQUIRED)
    assert tsadmin(*command, "nope").error == "no device is named nope; there are: fmc"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "command",
    [
        ("add", "fmc2", "--type", "firepower", "--device_id", "d2", "--management_ip", "192.0.2.2"),
        ("configure", "fmc", "--note", "x"),
        ("list",),
        ("show", "fmc"),
        ("remove", "fmc", "--yes"),
        ("version",),
        ("version", "--all"),
        ("demo",),
        ("demo", "--remove"),
    ],
)
def test_every_command_prints_one_json_object_and_nothing_else(
    tsadmin: Tsadmin, command: tuple[str, ...]
) -> None:
    tsadmin("add", "fmc", "--type", "firepower", *REQUIRED)
    answer = tsadmin(*command, "--json")
    assert (answer.code, answer.stderr) == (0, "")
    assert answer.json


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("add", "x"), 2),
        (("add", "x", "--type", "firepower"), 2),
        (("add", "../x", "--type", "firepower", *REQUIRED), 1),
        (("configure", "nope", "--note", "x"), 1),
        (("show", "nope"), 1),
        (("update", "nope"), 1),
        (("remove", "nope"), 1),
        (("list", "nope"), 2),
        (("version", "--nope"), 2),
        (("demo", "--nope"), 2),
        (("nope",), 2),
    ],
)
def test_an_error_with_json_is_one_object_on_stderr(
    tsadmin: Tsadmin, command: tuple[str, ...], code: int
) -> None:
    answer = tsadmin(*command, "--json")
    assert (answer.code, answer.stdout) == (code, "")
    assert list(json.loads(answer.stderr)) == ["error"]
    assert answer.stderr.count("\n") == 1


def test_a_mistake_on_the_command_line_names_the_help_that_helps(tsadmin: Tsadmin) -> None:
    answer = tsadmin("show", "--nope")
    assert answer.code == 2
    assert answer.error == "No such option: --nope. See 'tsadmin show --help'"


def test_no_command_at_all_prints_the_help(tsadmin: Tsadmin) -> None:
    assert tsadmin().stdout == tsadmin("--help").stdout


WORDS = st.one_of(
    st.sampled_from(
        ["add", "configure", "list", "show", "remove", "version", "--type", "firepower", "fmc"]
    ),
    st.sampled_from(
        ["--json", "--yes", "--all", "--note", "--advanced", "--", "-", "-d", *REQUIRED]
    ),
    st.text(max_size=12),
)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.lists(WORDS, max_size=8).filter(lambda words: "--help" not in words))
def test_no_command_line_whatever_ends_in_a_traceback(
    tsadmin: Tsadmin, arguments: list[str]
) -> None:
    answer = tsadmin(*arguments)  # asserts that there is no traceback
    assert answer.code in {0, 1, 2}
    assert "unexpected failure" not in answer.stderr
    if answer.code and "--json" not in arguments:
        assert answer.error


@given(st.text())
def test_one_line_is_one_line_that_no_terminal_obeys(text: str) -> None:
    found = one_line(text)
    assert len(found.splitlines()) <= 1
    assert not [sign for sign in found if unicodedata.category(sign)[0] == "C"]


@given(st.integers(rules.LOG_SIZE_LEAST, rules.LOG_SIZE_MOST))
def test_a_size_reads_back_as_it_was_written(size: int) -> None:
    assert rules.log_size("log_size", size_text(size)) == size


@pytest.mark.parametrize("setting", KINDS["firepower"].settings, ids=lambda setting: setting.name)
def test_a_value_shown_at_a_prompt_is_accepted_there(setting: object) -> None:
    from devices.kinds.base import Setting

    assert isinstance(setting, Setting)
    if not setting.is_required:
        value = setting.clean(setting.default)
        assert setting.clean(as_text(setting, value)) == value
