"""The commands that tests run are forked: they do what started ones do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.forking import Ended, forker
from tests.support.ports import free_port
from tests.support.project import COMMAND, create_project


@pytest.mark.parametrize(
    "command",
    ["status", "export sam --json", "put-item --wait", "stauts", "plan-capacity --help"],
)
def test_a_forked_command_does_what_a_started_one_does(command: str, tmp_path: Path) -> None:
    project = create_project(tmp_path, free_port())
    started = subprocess.run(
        [*COMMAND, *command.split()],
        cwd=project.root,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    forked = forker().run(
        command.split(), cwd=project.root, environ=project.environ, stdin=b"", timeout=60
    )
    assert forked == Ended(started.returncode, started.stdout, started.stderr)
    assert forked.stdout or forked.stderr


def test_each_has_its_own_surroundings_and_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    first, second = (create_project(tmp_path / name, free_port()) for name in ("one", "two"))
    second.environ["STREAMDEV_JSON"] = "1"
    asks = "The engine is not running. Start it: ./dev.py up\n"
    assert first.run("status", check=False).stdout == asks
    assert second.run("status", check=False).json() == {"engine": {"running": False}}
    assert str(first.root) in first.run("scan", check=False).stderr
    assert str(second.root) in second.run("scan", check=False).stderr
    given = '{"Records": []}'
    told = first.run("filter", "test", "--record", "-", "--pattern", "{}", stdin=given, check=False)
    assert "Traceback" not in told.stderr
    with pytest.raises(subprocess.TimeoutExpired):
        first.run("status", timeout=0)
