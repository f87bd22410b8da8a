"""Environments from locked lists; the packages here are made on the spot, so no network."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from streamdev.engine.environment import (
    LOCALSTACK_VERSIONS,
    container_platform,
    tool_environment,
)
from streamdev.engine.installer import LOCKS, create_environment, install_flat, lock_file
from streamdev.errors import EngineStartError, NotFoundError
from tests.support.programs import Notes

ROOT = Path(__file__).resolve().parents[2]
ALL_LOCKS = [ROOT / "requirements.lock", *sorted(LOCKS.glob("*.txt"))]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``thing`` 1.0, the only one that uv can find."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "thing-1.0-py3-none-any.whl"
    files = {
        "thing.py": "def main(): print('it works')\n",
        "thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
        "thing-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        "thing-1.0.dist-info/entry_points.txt": "[console_scripts]\nthing = thing:main\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{name},sha256={digest.decode().rstrip('=')},{len(text)}\n"
        archive.writestr("thing-1.0.dist-info/RECORD", record + "thing-1.0.dist-info/RECORD,,\n")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return path


def locked(tmp_path: Path, digest: str) -> Path:
    lock = tmp_path / "list.txt"
    lock.write_text(f"thing==1.0 \\\n    --hash=sha256:{digest}\n")
    return lock


def digest(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_an_environment_works_after_it_was_renamed(wheel: Path, tmp_path: Path) -> None:
    lock = locked(tmp_path, digest(wheel))
    create_environment(tmp_path / "fresh", lock, python=Path(sys.executable), what="Thing")
    moved = (tmp_path / "fresh").rename(tmp_path / "final")
    output = subprocess.run([moved / "bin" / "thing"], capture_output=True, text=True, check=True)
    assert output.stdout == "it works\n"
    assert list(moved.rglob("__pycache__/thing.*.pyc")), "the first start is no slower"


def test_a_package_that_is_not_what_was_locked_is_refused(wheel: Path, tmp_path: Path) -> None:
    lock = locked(tmp_path, "0" * 64)
    with pytest.raises(EngineStartError, match="Thing could not be installed: what the package"):
        create_environment(tmp_path / "fresh", lock, python=Path(sys.executable), what="Thing")


def test_a_flat_folder_holds_the_packages_alone(wheel: Path, tmp_path: Path) -> None:
    lock = locked(tmp_path, digest(wheel))
    python = Path(sys.executable)
    install_flat(tmp_path / "flat", lock, python=python, target=None, what="Thing")
    names = {path.name for path in (tmp_path / "flat").iterdir()}
    assert {"thing.py", "thing-1.0.dist-info"} <= names
    assert not {"pip", "uv", "streamdev"} & names


def test_no_network_is_told_as_such(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(EngineStartError, match="the package registry can't be reached") as caught:
        install_flat(
            *(tmp_path / "flat", locked(tmp_path, digest(wheel))),
            python=Path(sys.executable),
            target=None,
            what="Thing",
        )
    assert caught.value.hint


def test_a_tool_without_a_list_is_not_known() -> None:
    with pytest.raises(NotFoundError, match="no-such-tool"):
        tool_environment("no-such-tool", Notes())


def test_container_platforms_are_those_of_aws() -> None:
    assert container_platform("x86_64") == container_platform("amd64")
    assert container_platform("aarch64") == container_platform("ARM64")
    assert container_platform("arm64") != container_platform("amd64")
    with pytest.raises(EngineStartError, match="riscv64"):
        container_platform("riscv64")


@pytest.mark.parametrize("version", sorted(set(LOCALSTACK_VERSIONS.values())))
def test_localstack_is_locked_without_its_commercial_part(version: str) -> None:
    text = lock_file(f"localstack-{version}").read_text()
    assert f"localstack-core=={version} " in text
    assert "localstack-ext" not in text


@pytest.mark.parametrize("lock", ALL_LOCKS, ids=lambda lock: lock.name)
def test_every_list_is_pinned_and_hashed_and_holds_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_projects_list_holds_all_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["project"]["dependencies"]]
    named += [entry for group in project["dependency-groups"].values() for entry in group]
    locked = set(re.findall(r"^([a-z0-9.-]+)==", ALL_LOCKS[0].read_text(), re.MULTILINE))
    names = {re.split(r"[^A-Za-z0-9_.-]", entry)[0].lower() for entry in named}
    assert names <= locked, "run: make lock"


def test_every_list_has_its_input() -> None:
    assert {path.stem for path in LOCKS.glob("*.txt")} == {p.stem for p in LOCKS.glob("*.in")}
