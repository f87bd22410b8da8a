"""streamdev in other people's projects: a wheel in a fresh environment, and a new project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamdev import __version__
from streamdev.paths import user_cache
from tests.support.ports import free_port
from tests.support.project import create_project

REPOSITORY = Path(__file__).resolve().parents[2]
WHEEL = f"streamdev-{__version__}-py3-none-any.whl"


@dataclass(frozen=True)
class Installed:
    """A folder, and an environment with the wheel in it first on PATH."""

    folder: Path
    environ: dict[str, str]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder."""
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert not check or ended.returncode == 0, f"{command}: {ended.stdout}\n{ended.stderr}"
        return ended


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    """The wheel, installed as users do."""
    uv = [sys.executable, "-m", "uv"]
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    # The locked versions are in uv's cache already.
    install: list[str | Path] = [
        "pip",
        "install",
        "--python",
        python,
        "-c",
        REPOSITORY / "requirements.lock",
    ]
    build = ["build", "--wheel", "--no-build-isolation", "--python", sys.executable]
    commands: list[list[str | Path]] = [
        [*build, "-o", tmp_path / "wheel", REPOSITORY],
        ["venv", "--python", sys.executable, environment],
        [*install, f"streamdev[pytest] @ {(tmp_path / 'wheel').as_uri()}/{WHEEL}"],
    ]
    for command in commands:
        subprocess.run([*uv, *command], check=True, capture_output=True)
    folder = tmp_path / "my-project"
    folder.mkdir()
    # What the make that runs these tests was given is not for the makes that they run.
    environ = create_project(folder, free_port()).environ | {
        **dict.fromkeys(("MAKEFLAGS", "MAKEOVERRIDES", "ARGS"), ""),
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "STREAMDEV_CACHE": str(user_cache(os.environ)),
    }
    found = Installed(folder, environ)
    yield found
    found.run("streamdev", "down", check=False)


@pytest.mark.only_on("host", because="what is installed is the same for both engines")
@pytest.mark.timeout(900)
def test_a_new_project_works_at_once(installed: Installed, engine: str) -> None:
    run = installed.run
    assert run("streamdev", "--version").stdout.startswith("streamdev ")
    run("streamdev", "init")
    down = run("streamdev", "put-item", "id=1", check=False)
    assert (down.returncode, "Start it: streamdev up" in down.stderr) == (3, True)
    assert "dev.py" not in run("streamdev", "put-item", "--help").stdout

    up = run("make", "up")
    assert "Next: streamdev seed" in up.stdout
    put = run("streamdev", "put-item", "id=1", "product=tea", "quantity:=2", "--wait")
    assert put.stdout.startswith("INSERT 1 by orders  ok")
    assert "4 items written to Orders" in run("make", "seed").stderr
    tested = run("make", "test")
    assert "2 passed" in tested.stdout
    # The tests ran beside the project's own items, on the engine that was there.
    assert len(run("streamdev", "scan", "--lines").stdout.splitlines()) == 5
    assert "The engine is down" in run("make", "down").stderr
    assert "not running" in run("streamdev", "status", check=False).stdout
    check_completion(installed)


def check_completion(installed: Installed) -> None:
    """Click's completion, in bash itself, and what zsh and fish would be given."""
    for shell, word in (
        ("zsh", "#compdef streamdev"),
        ("fish", "complete --no-files --command streamdev"),
    ):
        environ = installed.environ | {"_STREAMDEV_COMPLETE": f"{shell}_source"}
        assert word in Installed(installed.folder, environ).run("streamdev").stdout

    script = (
        "source <(_STREAMDEV_COMPLETE=bash_source streamdev)\n"
        "COMP_WORDS=({words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '_streamdev_completion streamdev\necho "${{COMPREPLY[@]}}"\n'
    )
    bash = shutil.which("bash")
    assert bash
    for words, expected in (
        ("streamdev put-", "put-item"),
        ("streamdev deploy o", "orders"),
        ("streamdev scan -p o", "orders"),
        ("streamdev load --gen", "--generate"),
        ("streamdev stream t", "tail"),
    ):
        assert installed.run(bash, "-c", script.format(words=words)).stdout.split() == [expected]
