"""Has the name server read what was written for it: the only place here that starts programs."""

from __future__ import annotations

from collections.abc import Sequence

from enforcement.kernel.commands import run
from enforcement.kernel.errors import EnforceUnavailable
from fleet.primary.base import PrimaryRefused, PrimaryUnavailable

SECONDS = 60.0  # for one command; thousands of zones are read in a few


def tell(control: Sequence[str], *words: str, seconds: float = SECONDS) -> None:
    """Run the control program with these words; nothing is run where there is none.

    Raises PrimaryUnavailable where it is missing, cannot be run or does not end in time, and
    PrimaryRefused where it says that it failed.
    """
    if not control:
        return
    try:
        done = run([*control, *words], seconds=seconds)
    except EnforceUnavailable as error:
        raise PrimaryUnavailable(
            f"the name server was not told to read its zones: {error}. See that"
            " TSCM_PORTAL_CONTROL works for the user of the console."
        ) from error
    if done.code:
        said = done.complaint or " ".join(done.output.decode(errors="replace").split())[-300:]
        raise PrimaryRefused(
            f"the name server did not do `{' '.join((control[0], *words))[:300]}` (exit code"
            f" {done.code}): {said or 'it says nothing'}. See its log, and that"
            " TSCM_PORTAL_CONTROL works for the user of the console."
        )
