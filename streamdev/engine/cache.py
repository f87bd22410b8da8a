"""Folders of the per-user cache: each is made once, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamdev.engine.base import Progress
from streamdev.errors import EngineStartError
from streamdev.locks import HeldError, file_lock

WAIT_FOR_OTHERS_S = 900


def make_once(
    folder: Path,
    build: Callable[[Path], None],
    *,
    what: str,
    progress: Progress,
    is_good: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """Return ``folder``, built first if it is missing or no longer good.

    It is built under another name and takes its own last, so that an interrupted build leaves
    nothing behind that looks complete. Others who want the same folder wait.

    Args:
        folder: Where it is to be.
        build: Makes it at the path it is given, which does not exist yet.
        what: What it is, for messages: ``LocalStack 4.14.0``.
        progress: Told when there is a wait.
        is_good: Whether a folder that exists can be used.

    Raises:
        EngineStartError: The disk is full, the cache can't be written, or somebody else has
            been at it for 15 minutes; and what ``build`` raises.
    """
    if is_good(folder):
        return folder
    fresh = folder.with_name(folder.name + ".new")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder, what, progress):
            if is_good(folder):
                return folder
            _remove(fresh)
            try:
                build(fresh)
                _remove(folder)
                fresh.rename(folder)
            finally:
                _remove(fresh)
    except OSError as error:
        raise _no_room(folder, what, error) from error
    return folder


def lock_hash(*files: Path) -> str:
    """Twelve characters that change when one of ``files`` does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _lock(folder: Path, what: str, progress: Progress) -> Iterator[None]:
    path = folder.with_name(folder.name + ".lock")
    wait = f"Another streamdev is preparing {what}; waiting for it"
    try:
        with file_lock(path, WAIT_FOR_OTHERS_S, lambda: progress.note(wait)):
            yield
    except HeldError:
        raise EngineStartError(
            f"Another process has been preparing {what} for {WAIT_FOR_OTHERS_S // 60} minutes.",
            hint=f"See which process holds {path}, end it and try again.",
        ) from None


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


def _no_room(folder: Path, what: str, error: OSError) -> EngineStartError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return EngineStartError(
            f"The disk that holds {folder.parent} is full: {what} could not be put there.",
            hint="Make room, or set STREAMDEV_CACHE to a folder on another disk.",
        )
    return EngineStartError(
        f"{what} could not be put into {folder.parent}: {error}",
        hint="Make the folder writable, or set STREAMDEV_CACHE to another one.",
    )
