"""The command line, run within the test's own process."""

from __future__ import annotations

import io
from pathlib import Path

from streamdev.cli import main
from streamdev.cli.context import Context


def context_in(folder: Path) -> Context:
    """A command line in a folder, with a cache of its own and nothing of the user's."""
    return Context(
        environ={"PATH": "/usr/bin:/bin", "STREAMDEV_CACHE": str(folder / "cache")},
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        cwd=folder,
    )


def run(context: Context, *args: str) -> tuple[int, str, str]:
    """Run a command; its exit code and all that was printed so far."""
    code = main.run(args, context)
    assert isinstance(context.stdout, io.StringIO)
    assert isinstance(context.stderr, io.StringIO)
    return code, context.stdout.getvalue(), context.stderr.getvalue()
