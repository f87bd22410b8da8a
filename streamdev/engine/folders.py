"""The host engine's folders in ``.streamdev``: made ready for a start, wiped after a stop."""

from __future__ import annotations

import shutil
from pathlib import Path

from streamdev.engine import logfile, plugin_folder
from streamdev.errors import EngineStartError, StreamdevError
from streamdev.paths import StateDir

# Where LocalStack looks for what its own image has built in, below its FILESYSTEM_ROOT.
STATIC_LIBS = Path("usr", "lib", "localstack")


def prepare(state: StateDir, service_index: Path) -> None:
    """Make what a start needs; data of an earlier engine stays.

    Args:
        state: The checkout's state folder.
        service_index: The folder with LocalStack's index (``engine.service_index``).

    Raises:
        EngineStartError: The disk is full, or the folder can't be written.
    """
    temporary = state.localstack / "tmp"
    try:
        if temporary.exists():
            shutil.rmtree(temporary)
        for folder in (temporary, state.database, state.streams):
            folder.mkdir(parents=True, exist_ok=True)
        state.streams.chmod(0o700)
        shutil.copytree(service_index, state.localstack / STATIC_LIBS, dirs_exist_ok=True)
        plugin_folder.assemble(state.plugins)
        logfile.put_aside(state.log)
    except OSError as error:
        raise EngineStartError(
            f"The engine's folders can't be made ready in {state.root}: {error}",
            hint="Make room or the folder writable. ./dev.py down clears what is in it.",
        ) from error


def wipe(state: StateDir) -> None:
    """Remove tables, positions, failed batches and LocalStack's own files.

    Raises:
        StreamdevError: Something can't be removed.
    """
    for folder in (state.database, state.streams, state.localstack):
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
            else:
                folder.unlink(missing_ok=True)
        except OSError as error:
            raise StreamdevError(
                f"The data in {folder} could not be wiped: {error}",
                hint="The engine is down; remove the folder by hand.",
            ) from error
