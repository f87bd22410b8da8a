"""Where ``dev.py`` and the installed ``streamdev`` command begin."""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it.

    Loading takes the better part of a second on a slow machine. Until it is done nothing can be
    half-made, so Ctrl-C just ends the process, without a stack trace; then ``run`` sees to it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # and not ignored, as a shell's background job has it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Looking for plugins in all that is installed takes longer than reading pipelines.toml.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from streamdev.cli.main import main as run_and_exit

    signal.signal(signal.SIGINT, before)
    run_and_exit()


if __name__ == "__main__":
    main()
