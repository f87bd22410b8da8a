"""Run awslocal or LocalStack's own command line against this project's engine.

    .venv/bin/python -m scripts.tool awslocal dynamodb list-tables
    .venv/bin/python -m scripts.tool localstack status services

Each is in an environment of its own, made at the first use, so that what it needs never
clashes with what streamdev or LocalStack needs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from streamdev.cli.context import Context
from streamdev.cli.engines import region_of
from streamdev.cli.progress import TerminalProgress
from streamdev.engine.base import require
from streamdev.engine.environment import engine_environment, tool_environment
from streamdev.engine.variables import CLEARED, client_variables
from streamdev.errors import StreamdevError

TOOLS = ("awslocal", "localstack")


def command_of(name: str, context: Context) -> Path:
    """The tool's executable; LocalStack's own command line comes with the engine."""
    with TerminalProgress(context.err) as progress:
        if name == "localstack":
            folder = engine_environment(progress).root
        else:
            folder = tool_environment(name, progress)
    return folder / "bin" / name


def main() -> None:
    """Replace this process by the tool."""
    if len(sys.argv) < 2 or sys.argv[1] not in TOOLS:
        sys.exit(f"Usage: python -m scripts.tool {'|'.join(TOOLS)} [ARGUMENT]...")
    context = Context()
    context.settings.port = int(context.environ.get("STREAMDEV_PORT") or 0) or None
    try:
        endpoint = require(context.engine).endpoint_url
        command = command_of(sys.argv[1], context)
    except StreamdevError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}".strip())
    environ = {name: value for name, value in os.environ.items() if name not in CLEARED}
    environ |= client_variables(endpoint, region_of(context.environ))
    environ["DISABLE_DEPRECATION_NOTICE"] = "1"  # awslocal's, a dozen lines at every call
    os.execve(command, [str(command), *sys.argv[2:]], environ)


if __name__ == "__main__":
    main()
