"""Setting up .venv: which Python, which uv, and what is kept when it fails."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from scripts.bootstrap.__main__ import STAMP, fingerprint, is_current, set_up
from scripts.bootstrap.common import SetupError
from scripts.bootstrap.pythons import Interpreter, choose_python
from scripts.bootstrap.uv import find_uv, install_uv
from tests.support.programs import program

ROOT = Path(__file__).resolve().parents[2]


def interpreter(path: Path, version: str) -> Path:
    """Something that answers as a Python of ``version`` does when it is asked who it is."""
    return program(path, f"echo {version}; echo {path}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "scripts" / "bootstrap").mkdir(parents=True)
    (root / "streamdev" / "engine" / "locks").mkdir(parents=True)
    for name in ("requirements.lock", ".python-version", "pyproject.toml"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    build = Path("streamdev", "engine", "locks", "build.txt")
    (root / build).write_bytes((ROOT / build).read_bytes())
    return root


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": f"{tmp_path / 'bin'}:{tmp_path / 'bin2'}",
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "STREAMDEV_CACHE": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def running(tmp_path: Path) -> str:
    """The Python that runs the set-up, one that streamdev can't use."""
    return str(interpreter(tmp_path / "old" / "python3", "3.9"))


def chosen(checkout: Path, environ: dict[str, str], running: str) -> str | None:
    found = choose_python(str(checkout), environ, running)
    return found.path if found else None


def test_the_version_of_the_project_is_preferred_to_a_nearer_one(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path
) -> None:
    interpreter(tmp_path / "bin" / "python3", "3.12")
    wanted = interpreter(tmp_path / "bin2" / "python3.13", "3.13")
    assert chosen(checkout, environ, running) == str(wanted)


def test_the_running_python_is_taken_when_its_version_fits(
    checkout: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    interpreter(tmp_path / "bin" / "python3.13", "3.13")
    running = interpreter(tmp_path / "run" / "python3", "3.13")
    assert chosen(checkout, environ, str(running)) == str(running)


def test_pyenv_is_searched_and_its_newest_patch_level_taken(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path
) -> None:
    versions = tmp_path / "pyenv" / "versions"
    interpreter(versions / "3.13.9" / "bin" / "python", "3.13")
    newest = interpreter(versions / "3.13.10" / "bin" / "python", "3.13")
    assert chosen(checkout, environ, running) == str(newest)


def test_a_stand_in_that_refuses_to_run_is_passed_over(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path
) -> None:
    program(tmp_path / "bin" / "python3.13", "echo 'not installed' >&2; exit 127")
    other = interpreter(tmp_path / "bin2" / "python3.13", "3.13")
    assert chosen(checkout, environ, running) == str(other)


def test_a_build_that_is_no_ordinary_cpython_is_passed_over(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path
) -> None:
    interpreter(tmp_path / "bin" / "python3.13", "0")
    assert chosen(checkout, environ, running) is None


def test_without_the_projects_version_the_newest_supported_one_is_taken(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path
) -> None:
    interpreter(tmp_path / "bin" / "python3.11", "3.11")
    newer = interpreter(tmp_path / "bin2" / "python3", "3.12")
    interpreter(tmp_path / "bin2" / "python3.14", "3.14")
    assert chosen(checkout, environ, running) == str(newer)


def test_the_choice_can_be_overridden_by_version_and_by_path(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path
) -> None:
    interpreter(tmp_path / "bin" / "python3.13", "3.13")
    eleven = interpreter(tmp_path / "bin" / "python3.11", "3.11")
    twelve = interpreter(tmp_path / "elsewhere" / "python", "3.12")
    assert chosen(checkout, environ | {"STREAMDEV_PYTHON": "3.11"}, running) == str(eleven)
    assert chosen(checkout, environ | {"STREAMDEV_PYTHON": str(twelve)}, running) == str(twelve)


@pytest.mark.parametrize("choice", ["3.10", "3.14", "old/python3", "no-such-python"])
def test_a_choice_that_can_not_work_is_refused_with_the_supported_versions(
    checkout: Path, environ: dict[str, str], running: str, tmp_path: Path, choice: str
) -> None:
    choice = choice.replace("old/python3", running)
    with pytest.raises(SetupError, match=r"can't be used: .* 3\.11, 3\.12, 3\.13"):
        choose_python(str(checkout), environ | {"STREAMDEV_PYTHON": choice}, running)


def test_the_environment_is_made_anew_when_what_it_is_made_from_changes(checkout: Path) -> None:
    before = fingerprint(str(checkout), {})
    assert fingerprint(str(checkout), {}) == before
    assert fingerprint(str(checkout), {"STREAMDEV_PYTHON": "3.11"}) != before
    project = checkout / "pyproject.toml"
    project.write_text(project.read_text() + "\n[tool.other]\nx = 1\n")
    assert fingerprint(str(checkout), {}) == before, "tools' settings change nothing"
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("other==1.0\n")
    assert fingerprint(str(checkout), {}) != before


def test_an_environment_is_current_only_when_stamped_and_its_python_is_there(
    tmp_path: Path,
) -> None:
    venv = tmp_path / ".venv"
    python = program(venv / "bin" / "python", "")
    assert not is_current(str(venv), "x"), "a half-made one has no stamp"
    (venv / STAMP).write_text("x\n")
    assert is_current(str(venv), "x")
    assert not is_current(str(venv), "y")
    python.unlink()
    python.symlink_to(tmp_path / "removed")
    assert not is_current(str(venv), "x")


def test_uv_on_path_is_used_if_it_is_new_enough(
    checkout: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    uv = program(tmp_path / "bin" / "uv", "echo uv 0.9.2")
    assert find_uv(str(checkout), None, environ) == str(uv)


def test_an_old_uv_on_path_is_passed_over_for_the_users_own(
    checkout: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    program(tmp_path / "bin" / "uv", "echo uv 0.4.30")
    locked = next(
        line.split()[0].removeprefix("uv==")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if line.startswith("uv==")
    )
    private = program(tmp_path / "cache" / f"uv-{locked}" / "uv", f"echo uv {locked}")
    assert find_uv(str(checkout), None, environ) == str(private)


def test_without_venv_and_pip_the_packages_to_install_are_named(tmp_path: Path) -> None:
    bare = program(tmp_path / "bin" / "python3", "echo 'No module named pip' >&2; exit 1")
    with pytest.raises(SetupError, match="apt-get install python3-venv python3-pip"):
        install_uv(
            str(tmp_path / "cache" / "uv-1" / "uv"), "uv==1", Interpreter(str(bare), (3, 13))
        )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_python_too_old_to_help_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"Python 3\.6 is too old") as caught:
        install_uv(str(tmp_path / "uv"), "uv==1", None, running=(3, 6))
    assert "Python 3.11, 3.12 or 3.13" in str(caught.value)


def test_make_says_which_python_it_lacks(tmp_path: Path) -> None:
    old = program(tmp_path / "python3", "exit 1")
    done = subprocess.run(
        ["make", "venv", f"PYTHONS={old}"], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 2
    assert "no Python 3.6 or newer on PATH" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_failed_set_up_leaves_what_was_there(
    checkout: Path, environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ |= {"PATH": environ["PATH"] + ":/usr/bin:/bin"}
    program(
        tmp_path / "bin" / "uv",
        'case "$*" in --version) echo uv 0.9.2;; venv*) eval mkdir -p \\${$#};;'
        " *) echo 'tcp connect error' >&2; exit 2; esac",
    )
    interpreter(tmp_path / "bin" / "python3.13", "3.13")
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "old").write_text("still works")
    with pytest.raises(SetupError, match="tcp connect error"):
        set_up(str(checkout), environ)
    assert (checkout / ".venv" / "old").read_text() == "still works"
    assert [path.name for path in (checkout / ".streamdev").iterdir()] == ["bootstrap.lock"]


def test_without_a_python_that_fits_uv_is_asked_for_one(
    checkout: Path,
    environ: dict[str, str],
    running: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = partial(choose_python, running=running)
    monkeypatch.setattr("scripts.bootstrap.__main__.choose_python", found)
    program(
        tmp_path / "bin" / "uv",
        'case "$1" in --version) echo uv 0.9.2;; *) echo "asked: $*" >&2; exit 2;; esac',
    )
    interpreter(tmp_path / "bin" / "python3", "3.9")
    with pytest.raises(SetupError) as failed:
        set_up(str(checkout), environ)
    assert "Setting up .venv with Python 3.13 (fetched by uv)" in capsys.readouterr().err
    words = str(failed.value)
    assert re.search(r"asked: venv .*--python 3\.13 ", words)
    assert "Install Python 3.11, 3.12 or 3.13" in words, "and where uv can't, what to do"


class TestEntry:
    """dev.py, which hands over to .venv."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        project = (tmp_path / "project").resolve()
        project.mkdir()
        (project / "dev.py").write_bytes((ROOT / "dev.py").read_bytes())
        return project

    def run(self, project: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(project / "dev.py"), *arguments]
        environ = {"PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=cwd, env=environ, text=True, capture_output=True)

    def made(self, project: Path) -> None:
        program(project / ".venv" / "bin" / "python", 'echo "$@"; echo config=$STREAMDEV_CONFIG')
        (project / ".venv" / STAMP).write_text("x")

    def test_says_what_to_run_before_set_up(self, project: Path, tmp_path: Path) -> None:
        here = self.run(project, project, "status")
        assert (here.returncode, here.stdout) == (1, "")
        assert here.stderr.endswith("Run: make up\n")
        assert f"make -C {project} up" in self.run(project, tmp_path, "status").stderr

    def test_a_half_made_environment_counts_as_none(self, project: Path) -> None:
        self.made(project)
        (project / ".venv" / STAMP).unlink()
        assert self.run(project, project, "status").returncode == 1

    def test_hands_all_arguments_to_the_environments_python(self, project: Path) -> None:
        self.made(project)
        done = self.run(project, project, "put-item", "id=1 2")
        assert done.stdout.splitlines()[0] == "-P -m streamdev.cli put-item id=1 2"

    @pytest.mark.parametrize("made", [True, False])
    def test_a_shell_asks_no_other_python_than_the_environments(
        self, project: Path, tmp_path: Path, made: bool
    ) -> None:
        """``./dev.py``, with a ``python3`` on PATH that says so when it is asked."""
        if made:
            self.made(project)
            python = project / ".venv" / "bin" / "python"
            python.write_text(
                f'#!/bin/sh\n[ "$1" = -P ] && echo "ran: $@" || exec {sys.executable} "$@"\n'
            )
        program(tmp_path / "bin" / "python3", 'echo "chosen: $@"')
        (project / "dev.py").chmod(0o755)
        environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
        for cwd, command in ((project, "./dev.py"), (tmp_path, f"{project}/dev.py")):
            done = subprocess.run(
                [command, "logs", "-p a b"], cwd=cwd, env=environ, text=True, capture_output=True
            )
            told = "ran: -P -m streamdev.cli" if made else f"chosen: {command}"
            assert (done.stdout, done.stderr) == (f"{told} logs -p a b\n", "")

    def test_outside_a_project_its_own_pipelines_count(self, project: Path, tmp_path: Path) -> None:
        self.made(project)
        outside = self.run(project, tmp_path).stdout
        assert f"config={project / 'pipelines.toml'}" in outside
        other = tmp_path / "other" / "deep"
        other.mkdir(parents=True)
        (other.parent / "pipelines.toml").touch()
        assert "config=\n" in self.run(project, other).stdout
