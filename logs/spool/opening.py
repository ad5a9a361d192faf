"""Open a spool for whoever writes its file: us, or another program."""

from __future__ import annotations

from logs.spool.base import Place, SpoolDamaged, SpoolError
from logs.spool.other import OtherSpool
from logs.spool.state import read_state
from logs.spool.taken import Taken
from logs.spool.writer import Spool

AnySpool = Spool | OtherSpool


def open_spool(
    place: Place, *, device_id: str, now: int, least_number: int = 1, is_other: bool = False
) -> AnySpool:
    """Open a spool; `is_other` where another program writes its file, `now` in nanoseconds.

    Where another program wrote it until now and does no more, what it left becomes a batch first.
    Raises SpoolError.
    """
    if is_other:
        return OtherSpool(place, device_id=device_id, now=now, least_number=least_number)
    if is_others(place):
        left = OtherSpool(place, device_id=device_id, now=now, least_number=least_number)
        try:
            left.give_back(now=now)
        except OSError as error:
            raise SpoolError(
                f"{place.active}: what another program wrote cannot be read ({error.strerror})"
            ) from error
        finally:
            left.close()
    return Spool(place, device_id=device_id, now=now, least_number=least_number)


def is_others(place: Place) -> bool:
    """Tell whether another program writes a spool's active file, as its state says.

    Then its batches are all that may be read: the active file has a hole, and no index.
    """
    try:
        state = read_state(place)
    except SpoolDamaged:  # whoever opens the spool puts it aside
        return False
    return state is not None and Taken.of(state.mark) is not None
