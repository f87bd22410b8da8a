"""Edits of handlers' folders and of pipelines.toml, told as they are saved."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from watchfiles import Change, watch

from streamdev.deploy.sources import is_junk
from streamdev.errors import DeployError

# What belongs to one save comes within this time of each other, in milliseconds.
_STEP_MS = 30
_LONGEST_MS = 400
# How often it is looked whether a folder was replaced by another of its name, in milliseconds.
_LOOK_MS = 500


class Edits:
    """Watches folders with all that is below them, and one file, until it is stopped.

    What editors leave beside a file while they save it, and bytecode, is not told. A folder
    that vanishes is told, and so is its return. The file may be replaced (editors write a new
    one and rename it), vanish and return.

    Args:
        folders: What to watch; they need not exist.
        file: The file.
        stop: Ends the iteration soon after it is set.

    Attributes:
        folders: What is watched; others may be put in their place.
    """

    def __init__(self, folders: Sequence[Path], file: Path, stop: threading.Event) -> None:
        self.folders = tuple(folders)
        self._file = file
        self._stop = stop
        self._found: queue.SimpleQueue[frozenset[Path] | Exception] = queue.SimpleQueue()
        for work in (self._watch_folders, self._watch_file):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()

    def __iter__(self) -> Iterator[frozenset[Path]]:
        """Sets of paths that were changed, added or removed.

        Raises:
            DeployError: They can't be watched; the message has the system's reason.
        """
        while not self._stop.is_set():
            with suppress(queue.Empty):
                found = self._found.get(timeout=0.05)
                if isinstance(found, Exception):
                    raise DeployError(
                        f"What is saved can't be watched: {found}",
                        hint="On Linux raise fs.inotify.max_user_watches, or set "
                        "WATCHFILES_FORCE_POLLING=1.",
                    ) from found
                yield found

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._found.put(error)

    def _watch_folders(self) -> None:
        known: dict[Path, tuple[int, int]] | None = None
        while not self._stop.is_set():
            identities = self._identities()
            if known is not None and identities != known:
                self._found.put(frozenset(self.folders))
            known = identities
            if not known:
                self._stop.wait(_LOOK_MS / 1000)
                continue
            # One may vanish before the watch on it is set.
            with suppress(FileNotFoundError):
                for paths in _changes(tuple(known), self._stop, recursive=True):
                    if told := frozenset(path for path in paths if self._matters(path)):
                        self._found.put(told)
                    if self._identities() != known:
                        break

    def _watch_file(self) -> None:
        # The folder is watched, since a watch on the file would end with its replacement.
        folder = (self._file.parent,)
        while not self._stop.is_set():
            try:
                for paths in _changes(folder, self._stop, recursive=False):
                    if self._file in paths:
                        self._found.put(frozenset({self._file}))
            except FileNotFoundError:
                self._stop.wait(_LOOK_MS / 1000)

    def _identities(self) -> dict[Path, tuple[int, int]]:
        """What tells the folders that exist from others of their names."""
        found = {}
        for folder in self.folders:
            with suppress(OSError):
                state = folder.stat()
                found[folder] = (state.st_dev, state.st_ino)
        return found

    def _matters(self, path: Path) -> bool:
        """Whether it is a part of a package, or of what packages are made from."""
        for folder in self.folders:
            if path.is_relative_to(folder):
                *folders, name = path.relative_to(folder).parts or ("",)
                return not (
                    is_junk(name, folder=False)
                    or is_junk(name, folder=True)
                    or any(is_junk(part, folder=True) for part in folders)
                )
        return True


def _changes(
    paths: tuple[Path, ...], stop: threading.Event, *, recursive: bool
) -> Iterator[frozenset[Path]]:
    """What changed below ``paths``; an empty set now and then, when nothing did."""
    found: set[tuple[Change, str]]
    for found in watch(
        *paths,
        watch_filter=None,
        debounce=_LONGEST_MS,
        step=_STEP_MS,
        stop_event=stop,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=recursive,
        ignore_permission_denied=True,
    ):
        added = {path for change, path in found if change is Change.added}
        # What came and went is an editor's own, whatever its name.
        yield frozenset(Path(path) for _, path in found if path not in added or Path(path).exists())
