"""Which saves are told: those that change a package or pipelines.toml, and no others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamdev.deploy.edits import Edits


class Watching:
    """A handler's folder and a file that are watched; what was told so far."""

    def __init__(self, root: Path) -> None:
        self.stop = threading.Event()
        self.folder = root / "handler"
        self.folder.mkdir()
        self.file = root / "pipelines.toml"
        self.file.write_text("")
        self._told = iter(Edits((self.folder,), self.file, self.stop))
        # From the first one that is told on, both are known to be watched.
        self._until(self.folder / "start")
        self._until(self.file)

    def _until(self, path: Path) -> None:
        """Touch it until that is told."""
        done = threading.Event()

        def touch() -> None:
            while not done.wait(0.1):
                path.write_text("x")

        touching = threading.Thread(target=touch)
        touching.start()
        for paths in self._told:
            if path in paths:
                break
        done.set()
        touching.join()

    def waits_for(self, path: Path) -> None:
        """Wait until it is told."""
        for paths in self._told:
            if path in paths:
                return

    def told_before(self, last: Path) -> set[Path]:
        """All that is told until ``last``, which is written now, is."""
        last.write_text("last")
        found: set[Path] = set()
        for paths in self._told:
            found |= paths
            if last in paths:
                break
        return found - {last, self.folder / "start", self.file}


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    found = Watching(tmp_path)
    yield found
    found.stop.set()


def test_what_editors_leave_beside_a_file_is_not_told(watching: Watching) -> None:
    folder = watching.folder
    for name in (".handler.py.swp", "handler.py~", "4913", ".#handler.py", "handler.py.tmp"):
        (folder / name).write_text("x")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "handler.cpython-313.pyc").write_text("x")
    (folder.parent / "beside.toml").write_text("x")
    scratch = folder / "sedX1yZ"
    scratch.write_text("new")
    scratch.replace(folder / "handler.py")
    assert watching.told_before(folder / "last.py") == {folder / "handler.py"}


def test_a_file_that_is_replaced_and_one_that_is_removed_are_told(watching: Watching) -> None:
    (watching.folder / "gone.py").write_text("x")
    assert watching.told_before(watching.folder / "a.py") == {watching.folder / "gone.py"}
    (watching.folder / "gone.py").unlink()
    assert watching.told_before(watching.folder / "b.py") == {watching.folder / "gone.py"}


def test_a_folder_is_watched_on_when_another_took_its_place(watching: Watching) -> None:
    folder = watching.folder
    away = folder.rename(folder.with_name("away"))
    watching.waits_for(folder)
    folder.mkdir()
    (folder / "handler.py").write_text("x")
    watching._until(folder / "handler.py")
    # What is edited in the old one no longer counts.
    (away / "old.py").write_text("x")
    assert away / "old.py" not in watching.told_before(folder / "last.py")
