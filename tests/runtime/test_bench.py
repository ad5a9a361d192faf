from __future__ import annotations

import sys
import types
from collections.abc import Callable

import pytest

from bench import __main__ as command
from bench.rows import Row, RowSkipped
from tscm_site.env import CHECKOUT


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions in the place of the modules of rows."""

    def put(**measures: Callable[..., Row | list[Row]]) -> None:
        for name, measure in measures.items():
            module = types.SimpleNamespace(measure=measure)
            monkeypatch.setitem(sys.modules, f"bench.fake_{name}", module)
        monkeypatch.setattr(command, "ROWS", {name: f"bench.fake_{name}" for name in measures})

    return put


def row(name: str, *, size: int) -> Row:
    return Row(name, f"{size} addresses", "dig", 2.0, 0.5, "s", "≤ 0.5")


def test_each_row_is_one_line_that_ends_with_its_ratio(
    rows: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    rows(
        P1=lambda *, size: row("P1", size=size),
        P3=lambda *, size: [row("P3", size=size), row("P3b", size=size)],
    )
    assert command.main(["--size", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["P1", "P3", "P3b"]
    assert all("7 addresses" in line and line.endswith("ratio 0.250") for line in lines)


def test_only_the_rows_asked_for_are_measured(
    rows: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*, size: int) -> Row:
        raise AssertionError(size)

    rows(P1=never, P3=lambda *, size: row("P3", size=size))
    assert command.main(["P3"]) == 0
    assert capsys.readouterr().out.startswith("P3 ")


def test_a_row_that_cannot_be_measured_says_why(
    rows: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def skipped(*, size: int) -> Row:
        raise RowSkipped(f"iprange is not installed, for {size}")

    rows(P3=skipped)
    assert command.main(["--size", "5"]) == 0
    assert capsys.readouterr().out == "P3  skipped: iprange is not installed, for 5\n"


def test_an_unknown_row_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["P1", "P99"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"bench: no row P99; there are {', '.join(command.ROWS)}\n"


def test_every_module_of_a_row_is_measured() -> None:
    modules = {f"bench.{path.stem}" for path in (CHECKOUT / "bench").glob("[pu][0-9]*.py")}
    assert modules
    assert modules == set(command.ROWS.values())
