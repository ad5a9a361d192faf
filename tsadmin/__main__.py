"""The entry of `tsadmin`."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line and exit: 0 done, 1 refused or failed, 2 usage, 130 Ctrl-C."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # A terminal that cannot show a character must not cost us the line it stands in.
                stream.reconfigure(errors="backslashreplace")
        from tsadmin.app import app

        app(prog_name="tsadmin")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
