"""Which Docker Compose is taken, and what becomes of its words when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdev.engine.compose_command import (
    ComposeCommand,
    ComposeProject,
    NoComposeError,
    find_compose,
)
from streamdev.engine.docker_client import DiskFullError
from streamdev.errors import EngineStartError, InvalidInputError
from tests.support.programs import program

WITHOUT_PLUGIN = 'echo "docker: unknown command: docker compose" >&2; exit 1'


def path_with(folder: Path, **scripts: str) -> dict[str, str]:
    for name, script in scripts.items():
        program(folder / name.replace("_", "-"), script)
    return {"PATH": str(folder)}


def test_v2_is_preferred(tmp_path: Path) -> None:
    environ = path_with(tmp_path, docker="echo 2.39.1", docker_compose="echo 1.29.2")
    assert find_compose(environ) == ComposeCommand(("docker", "compose"), "2.39.1")


def test_v1_is_taken_where_docker_has_no_compose(tmp_path: Path) -> None:
    environ = path_with(tmp_path, docker=WITHOUT_PLUGIN, docker_compose="echo 1.29.2")
    assert find_compose(environ) == ComposeCommand(("docker-compose",), "1.29.2")


def test_compose_alone_is_enough(tmp_path: Path) -> None:
    environ = path_with(tmp_path, docker_compose="echo v2.26.1")
    assert str(find_compose(environ)) == "docker-compose 2.26.1"


def test_a_v1_that_is_too_old_is_named(tmp_path: Path) -> None:
    environ = path_with(tmp_path, docker_compose="echo 1.25.0")
    with pytest.raises(NoComposeError, match=r"docker-compose 1\.25\.0 is too old"):
        find_compose(environ)


def test_neither_is_told_with_what_to_do(tmp_path: Path) -> None:
    environ = path_with(tmp_path, docker=WITHOUT_PLUGIN)
    with pytest.raises(NoComposeError, match="neither") as caught:
        find_compose(environ)
    assert "--engine host" in str(caught.value.hint)


def project(tmp_path: Path, script: str) -> ComposeProject:
    compose = program(tmp_path / "bin" / "docker-compose", script)
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {}\n")
    return ComposeProject(
        ComposeCommand((str(compose),), "1.29.2"), "a-project", [file], {"PATH": "/usr/bin:/bin"}
    )


def test_it_is_called_with_the_projects_name_and_files(tmp_path: Path) -> None:
    words = tmp_path / "words"
    project(tmp_path, f'echo "$@" > {words}').up()
    file = str(tmp_path / "docker-compose.yml")
    given = words.read_text().split()
    assert given[:6] == ["--project-name", "a-project", "--file", file, "up", "--detach"]


def test_a_file_that_means_nothing_is_named_with_composes_reason(tmp_path: Path) -> None:
    broken = project(tmp_path, 'echo "yaml: line 2: did not find expected key" >&2; exit 15')
    with pytest.raises(InvalidInputError, match=r"docker-compose\.yml can't be used: yaml: line 2"):
        broken.up()


def only_up_fails(words: str) -> str:
    return f'case "$*" in *config*) exit 0;; esac; echo "{words}" >&2; exit 1'


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    words = "failed to create: write /var/lib/docker/x: no space left on device"
    with pytest.raises(DiskFullError, match="disk that Docker keeps images and volumes on is full"):
        project(tmp_path, only_up_fails(words)).up()


def test_a_port_that_was_taken_meanwhile_is_named(tmp_path: Path) -> None:
    words = "Bind for 127.0.0.1:4566 failed: port is already allocated"
    with pytest.raises(EngineStartError, match="Port 4566 is taken"):
        project(tmp_path, only_up_fails(words)).up()


def test_what_v1_tells_twice_is_told_once(tmp_path: Path) -> None:
    words = (
        "ERROR: for things_localstack_1  Cannot create container: too many CPUs\n\n"
        "ERROR: for localstack  Cannot create container: too many CPUs\n"
        "ERROR: Encountered errors while bringing up the project."
    )
    with pytest.raises(EngineStartError) as caught:
        project(tmp_path, only_up_fails(words)).up()
    assert caught.value.message == (
        "docker-compose 1.29.2 could not start LocalStack: Cannot create container: too many CPUs"
    ).replace("docker-compose", f"{tmp_path}/bin/docker-compose")


def test_other_failures_show_what_compose_said_was_wrong(tmp_path: Path) -> None:
    words = "Creating network x\nERROR: for x  Cannot start: out of luck"
    with pytest.raises(EngineStartError, match="Cannot start: out of luck") as caught:
        project(tmp_path, only_up_fails(words)).up()
    assert "Creating network" not in caught.value.message
