"""`python -m mgpt_tui`, which is also what torchrun starts."""

import os
from contextlib import suppress

from mgpt_tui.cli import main
from mgpt_tui.console import OutputError, flush_streams


def leave(end: SystemExit) -> None:
    """End this process at once, with the code that it was to end with.

    gloo's threads may outlive the interpreter and then abort a process that has done all its
    work; torchrun takes that for a failure. What is written is synced by now.
    """
    with suppress(OutputError):
        flush_streams()
    os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


if __name__ == "__main__":
    try:
        main()
    except SystemExit as end:
        if os.environ.get("WORLD_SIZE", "1") != "1":  # one of several processes
            leave(end)
        raise
