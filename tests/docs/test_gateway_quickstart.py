"""The gateway quickstart without a kernel: its commands are those that there are.

tests/tsadmin/test_gateway_kernel.py runs them with one.
"""

from __future__ import annotations

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tests.docs.page_commands import Shown, tsadmin_commands
from tsadmin.app import app
from tscm_site.env import CHECKOUT

PAGE = CHECKOUT / "docs" / "gateway-quickstart.md"


def parse(words: tuple[str, ...]) -> None:
    """Read a command line as the program does; raises what it raises, and runs nothing."""
    command, rest = get_command(app), list(words)
    context = command.make_context("tsadmin", list(rest))
    while isinstance(command, TyperGroup):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize("shown", tsadmin_commands(PAGE), ids=str)
def test_every_command_of_the_page_is_one(shown: Shown) -> None:
    parse(shown.words)


def test_the_page_walks_through_what_a_gateway_can_be_told() -> None:
    named = {shown.words[0] for shown in tsadmin_commands(PAGE)}
    told = {"demo", "check", "add", "update", "pause", "resume", "configure", "plan", "apply"}
    assert named == told


def test_a_flag_that_there_is_not_is_found() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(("check", "sample-gateway", "--adr", "192.0.2.1"))
