"""The user's cache: each folder is made once, whole or not at all."""

from __future__ import annotations

import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamdev.engine.cache import lock_hash, make_once
from streamdev.errors import EngineStartError
from tests.support.programs import Notes


def make(folder: Path) -> None:
    folder.mkdir()
    (folder / "content").write_text("whole")


def test_it_is_made_when_missing_and_only_then(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "thing"
    for _ in range(2):
        assert make_once(folder, make, what="thing", progress=Notes()) == folder
    assert (folder / "content").read_text() == "whole"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        make(folder)
        raise EngineStartError("damaged")

    with pytest.raises(EngineStartError, match="damaged"):
        make_once(tmp_path / "thing", fail, what="thing", progress=Notes())
    assert {path.suffix for path in tmp_path.iterdir()} <= {".lock"}


def test_the_rest_of_an_interrupted_build_is_no_hindrance(tmp_path: Path) -> None:
    make(tmp_path / "thing.new")
    (tmp_path / "thing.new" / "half").touch()
    folder = make_once(tmp_path / "thing", make, what="thing", progress=Notes())
    assert [path.name for path in folder.iterdir()] == ["content"]


def test_one_that_went_bad_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "junk").touch()

    def is_good(path: Path) -> bool:
        return (path / "content").exists()

    make_once(folder, make, what="thing", progress=Notes(), is_good=is_good)
    assert [path.name for path in folder.iterdir()] == ["content"]


def test_those_who_want_it_at_once_share_one_build_and_are_told(tmp_path: Path) -> None:
    builds: list[Path] = []
    started, go = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        builds.append(folder)
        started.set()
        assert go.wait(30)
        make(folder)

    first, second = Notes(), Notes()
    with ThreadPoolExecutor() as pool:
        one = pool.submit(make_once, tmp_path / "thing", slow, what="it", progress=first)
        assert started.wait(30)
        two = pool.submit(make_once, tmp_path / "thing", slow, what="it", progress=second)
        deadline = time.monotonic() + 30
        while not second.notes and time.monotonic() < deadline:
            time.sleep(0.01)
        go.set()
        assert one.result(30) == two.result(30) == tmp_path / "thing"
    assert len(builds) == 1
    assert second.notes == ["Another streamdev is preparing it; waiting for it"]


def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(EngineStartError, match="is full: thing could not be put there") as caught:
        make_once(tmp_path / "thing", fill, what="thing", progress=Notes())
    assert caught.value.hint
    assert "STREAMDEV_CACHE" in caught.value.hint


def test_a_cache_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(EngineStartError, match="could not be put into"):
        make_once(tmp_path / "cache" / "thing", make, what="thing", progress=Notes())


def test_the_hash_follows_the_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("b")
    before = lock_hash(one, two)
    assert lock_hash(one, two) == before
    two.write_text("c")
    assert lock_hash(one, two) != before
