"""Setting up a fresh checkout, for real: with make, this machine's Pythons and the registries."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from scripts.bootstrap.pythons import choose_python
from tests.support.project import pipeline

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".streamdev", "__pycache__", ".*_cache")


class Checkout:
    """A copy of this repository that nobody has set up yet, and the environment of its user."""

    def __init__(self, root: Path, cache: Path) -> None:
        shutil.copytree(ROOT, root, ignore=NOT_COPIED)
        self.root = root
        self.cache = cache
        folders = os.environ["PATH"].split(os.pathsep)
        path = os.pathsep.join(folder for folder in folders if not Path(folder, "uv").exists())
        unset = {"STREAMDEV_PYTHON", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL"}
        self.environ = {name: value for name, value in os.environ.items() if name not in unset}
        self.environ |= {"PATH": path, "STREAMDEV_CACHE": str(cache)}

    def run(
        self, *command: str, cwd: Path | None = None, environ: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.environ | (environ or {}),
            stdin=subprocess.DEVNULL,
            text=True,
            capture_output=True,
            timeout=240,
        )

    def set_up(self, *arguments: str, **environ: str) -> str:
        done = self.run("make", "venv", *arguments, environ=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def python(self, code: str) -> str:
        done = self.run(str(self.root / ".venv" / "bin" / "python"), "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that is empty at first; later tests find uv in it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def checkout(tmp_path: Path, cache: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", cache)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def test_a_fresh_checkout_is_set_up_and_then_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    said = checkout.set_up()
    assert "Setting up .venv with Python 3." in said
    version = checkout.run(str(checkout.root / "dev.py"), "--version", cwd=tmp_path)
    assert version.stdout.startswith("streamdev ")
    assert checkout.python("import streamdev; print(streamdev.__file__)").startswith(
        str(checkout.root)
    )
    before = (checkout.root / ".venv").stat().st_ino
    assert checkout.set_up() == "", "nothing changed: nothing is done, and nothing is said"
    assert (checkout.root / ".venv").stat().st_ino == before


def test_a_checkout_that_was_moved_is_set_up_anew(checkout: Checkout, tmp_path: Path) -> None:
    checkout.set_up()
    checkout.root = checkout.root.rename(tmp_path / "moved")
    checkout.set_up()
    assert checkout.python("import streamdev; print(streamdev.__file__)").startswith(
        str(checkout.root)
    )


def test_python_3_11_can_be_chosen(checkout: Checkout) -> None:
    if choose_python(str(ROOT), dict(os.environ) | {"STREAMDEV_PYTHON": "3.11"}) is None:
        pytest.skip("there is no Python 3.11 here")
    checkout.set_up(STREAMDEV_PYTHON="3.11")
    assert checkout.python("import sys; print(*sys.version_info[:2])") == "3 11"
    assert checkout.run("python3", "dev.py", "--version").returncode == 0


@pytest.mark.parametrize("minor", [6, 9])
def test_an_old_python_can_start_the_set_up_and_the_command_line(
    checkout: Checkout, minor: int
) -> None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    old = next(pyenv.glob(f"versions/3.{minor}.*/bin/python"), None)
    if old is None:
        pytest.skip(f"there is no Python 3.{minor} here")
    before = checkout.run(str(old), "dev.py", "status")
    assert (before.returncode, before.stderr.splitlines()[-1]) == (1, "Run: make up")
    checkout.set_up(f"PYTHON={old}")
    assert checkout.run(str(old), "dev.py", "--version").stdout.startswith("streamdev ")


def test_a_set_up_that_is_killed_leaves_nothing_half_made(checkout: Checkout) -> None:
    process = subprocess.Popen(
        ["make", "venv"],
        cwd=checkout.root,
        env=checkout.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    half = checkout.root / ".streamdev" / "venv.new" / "bin" / "python"
    until(half.exists, "an environment was begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert checkout.run("./dev.py", "status").returncode == 1
    checkout.set_up()
    assert checkout.run("./dev.py", "--version").returncode == 0
    assert not half.parent.parent.exists()


def test_two_set_ups_at_once_end_in_one_environment(checkout: Checkout) -> None:
    both = [
        subprocess.Popen(
            ["make", "venv"],
            cwd=checkout.root,
            env=checkout.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Setting up .venv" in text for text in said) == 1, said
    assert checkout.run("./dev.py", "--version").returncode == 0


def test_the_package_can_be_installed_into_another_project(tmp_path: Path) -> None:
    """From its wheel, with whatever versions its ranges allow, and no checkout around it."""

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command,
            cwd=project,
            env=environ,
            text=True,
            capture_output=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    settings = ("STREAMDEV_", "VIRTUAL_ENV")
    environ = {name: v for name, v in os.environ.items() if not name.startswith(settings)}
    project, venv = tmp_path / "project", tmp_path / "venv"
    (project / "src").mkdir(parents=True)
    (project / "src" / "handler.py").write_text("def lambda_handler(event, context): ...\n")
    (project / "pipelines.toml").write_text(
        pipeline("orders", table="Orders", source="orders").replace("lambda_src/orders", "src")
    )
    uv = find_uv_bin()
    own = ("--quiet", "--python", sys.executable)
    run(uv, "build", *own, "--no-build-isolation", "--wheel", "--out-dir", tmp_path, ROOT)
    run(uv, "venv", *own, venv)
    (wheel,) = tmp_path.glob("*.whl")
    run(uv, "pip", "install", "--quiet", "--python", venv, wheel)
    streamdev, python = venv / "bin" / "streamdev", venv / "bin" / "python"
    said = run(streamdev, "up", "--plan", "--engine", "host")
    assert "create     mapping  Orders → orders" in said
    # What is no Python has come along.
    find = "from streamdev.engine.compose_files import *; print(compose_file(Path.cwd()).parent)"
    files = Path(run(python, "-I", "-c", find).strip())
    assert files.is_relative_to(venv.resolve())
    for name in ("docker-compose.yml", "docker-compose.docker-executor.yml"):
        assert (files / name).read_bytes() == (ROOT / name).read_bytes()
    assert {path.name for path in (files / "locks").glob("localstack-*.txt")} == {
        "localstack-4.14.0.txt",
        "localstack-4.7.0.txt",
    }
