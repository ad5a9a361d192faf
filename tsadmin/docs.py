"""Keep the help texts in docs/tsadmin.md current: `python -m tsadmin.docs` rewrites them."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tsadmin.app import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tsadmin.md"
_WIDTH = 96
_BLOCK = re.compile(r"(<!-- help: (?P<command>[\w -]+) -->\n).*?(<!-- end of help -->)", re.DOTALL)


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(with_help(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_help(page: str) -> str:
    """Return `page` with every help block as the commands print it now."""
    texts = help_texts()

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}\n```text\n{texts[found['command']]}\n```\n\n{found[3]}"

    return _BLOCK.sub(block, page)


def help_texts() -> dict[str, str]:
    """Return the help of `tsadmin` itself and of each command, by name: "token list"."""
    group = get_command(app)
    if not isinstance(group, TyperGroup):
        raise TypeError("the command line is not a group of commands")
    root = group.make_context("tsadmin", [], resilient_parsing=True, terminal_width=_WIDTH)
    texts = {"tsadmin": _clean(group.get_help(root))}
    waiting = [("", group, root)]
    while waiting:
        before, group, parent = waiting.pop()
        for name, command in group.commands.items():
            context = command.make_context(name, [], parent=parent, resilient_parsing=True)
            if isinstance(command, TyperGroup):
                waiting.append((f"{before}{name} ", command, context))
            if not isinstance(command, TyperGroup) or command.params:  # a group that does something
                texts[f"{before}{name}"] = _clean(command.get_help(context))
    return texts


def _clean(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


if __name__ == "__main__":
    main()
    typer.echo(f"{PAGE} is current")
