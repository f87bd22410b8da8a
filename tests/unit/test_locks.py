"""A lock is one process's at a time, and goes with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamdev.locks import HeldError, file_lock

HOLDER = """
import pathlib, sys
from streamdev.locks import file_lock
with file_lock(pathlib.Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path, told = tmp_path / "lock", list[str]()
    with file_lock(path, 0, lambda: told.append("first")):
        with (
            pytest.raises(HeldError),
            file_lock(path, 0.1, lambda: told.append("second")),
        ):
            pytest.fail("two held it")
        assert told == ["second"]
    with file_lock(path, 0):
        pass


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HeldError), file_lock(path, 0):
            pytest.fail("two held it")
        with file_lock(path, 60, holder.kill):
            pass
