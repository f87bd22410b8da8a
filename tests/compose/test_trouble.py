"""What can be wrong with Docker, the image, the files or the data: each told apart and clearly."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from streamdev.engine.compose_files import compose_file
from streamdev.engine.images import OWN
from tests.support.containers import keys, put, what_is_left
from tests.support.project import Project
from tests.support.socket_proxy import SocketProxy

NOTHING = {"containers": 0, "networks": 0, "volumes": 0}


def our_compose_file(project: Project) -> Path:
    """A docker-compose.yml of the project's own, to be changed."""
    own = project.root / "docker-compose.yml"
    own.write_text(compose_file(project.root).read_text())
    return own


# -- Docker itself --------------------------------------------------------------------------


def test_no_compose(own_project: Project) -> None:
    ended = own_project.run("up", check=False, environ={"PATH": "/nonexistent"})
    assert ended.exit_code == 4
    assert "There is no Docker Compose" in ended.stderr
    assert "docker-compose-plugin" in ended.stderr


def test_no_daemon(own_project: Project, tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    ended = own_project.run("up", check=False, environ=nowhere)
    assert ended.exit_code == 4
    assert f"No Docker daemon answers at unix://{tmp_path}/none.sock" in ended.stderr
    assert "--engine host" in ended.stderr
    assert "No engine was running" in own_project.run("down", environ=nowhere).stderr


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({"DOCKER_HOST": "unix:///nonexistent/docker.sock"}, "host engine would be started"),
        ({}, "compose engine would be started"),
    ],
    ids=["no daemon", "a daemon"],
)
def test_auto_says_which_engine_it_takes_and_why_in_a_line(
    own_project: Project, environ: dict[str, str], chosen: str
) -> None:
    planned = own_project.run("up", "--plan", environ={"STREAMDEV_ENGINE": "auto", **environ})
    (line,) = [line for line in planned.stderr.splitlines() if "would be started" in line]
    assert chosen in line
    why = "no Docker daemon answers" if environ else "a Docker daemon answers"
    assert why in line


def test_a_daemon_that_stops_is_told_and_found_again(
    own_project: Project, docker_host: str, tmp_path: Path
) -> None:
    proxy = SocketProxy(tmp_path / "d.sock", docker_host.removeprefix("unix://"))
    proxy.start()
    own_project.environ["DOCKER_HOST"] = proxy.host
    own_project.run("up")
    put(own_project, "1")
    with own_project.running("logs", "-f", "--raw") as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline()
        proxy.stop()
        _, told = logs.communicate(timeout=60)
        assert logs.returncode not in (0, None)
        assert "Traceback" not in told
        assert "No Docker daemon answers" in told or "can't be reached" in told

    for command in ("status", "scan", "down"):
        ended = own_project.run(command, check=False)
        assert ended.exit_code in (3, 4), ended
        assert "No Docker daemon answers" in ended.stderr

    proxy.start()
    own_project.run("up")
    assert keys(own_project) == {"1"}


# -- Ports ----------------------------------------------------------------------------------


def test_a_port_held_by_a_process_is_named_with_it(
    client: docker.DockerClient, own_project: Project
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", own_project.port))
        holder.listen()
        ended = own_project.run("up", check=False)
    assert ended.exit_code == 4
    assert f"Port {own_project.port} is taken by pid {os.getpid()}" in ended.stderr
    assert "--port" in ended.stderr
    assert what_is_left(client, own_project) == NOTHING


def test_a_port_published_by_another_container_is_named_with_it(
    client: docker.DockerClient, own_project: Project, base_image: str
) -> None:
    other = client.containers.run(
        base_image,
        entrypoint=["sleep", "600"],
        detach=True,
        init=True,
        ports={"80/tcp": ("127.0.0.1", own_project.port)},
    )
    try:
        ended = own_project.run("up", check=False)
    finally:
        other.remove(force=True)
    assert ended.exit_code == 4
    assert f"Port {own_project.port} is taken by the container {other.name}" in ended.stderr
    assert f"docker stop {other.name}" in ended.stderr


def test_a_taken_service_port_moves_the_range_and_harms_nothing(own_project: Project) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", own_project.port - 20))
        holder.listen()
        own_project.run("up")
    ports = own_project.run("status", "--json").json()["engine"]["detail"]["service ports"]
    first, last = (int(number) for number in ports.split()[0].split("-"))
    assert not first <= own_project.port - 20 <= last


# -- The container --------------------------------------------------------------------------


def test_a_container_that_ends_at_once_is_told_with_its_exit_code_and_words(
    client: docker.DockerClient,
    own_project: Project,
    derived_image: Callable[..., str],
    base_image: str,
) -> None:
    image = derived_image(
        base_image, 'ENTRYPOINT ["python3", "-c", "print(\'out of luck\'); raise SystemExit(3)"]'
    )
    ended = own_project.run("up", check=False, environ={"LOCALSTACK_IMAGE": image})
    assert ended.exit_code == 4
    assert "exit code 3" in ended.stderr
    assert "out of luck" in ended.stderr
    assert "disk" not in ended.stderr
    assert what_is_left(client, own_project) == NOTHING
    assert not own_project.state.engine_record.exists()


def test_out_of_memory_is_named_as_such_with_what_to_do(
    client: docker.DockerClient, own_project: Project
) -> None:
    ended = own_project.run("up", check=False, environ={"STREAMDEV_MEMORY": "64m"})
    assert ended.exit_code == 4
    assert "out of memory, its limit is 64 MiB" in ended.stderr
    assert "STREAMDEV_MEMORY=" in ended.stderr
    assert what_is_left(client, own_project) == NOTHING


def test_a_container_that_never_gets_ready_is_told_after_the_time_it_has(
    client: docker.DockerClient,
    own_project: Project,
    derived_image: Callable[..., str],
    base_image: str,
) -> None:
    image = derived_image(
        base_image,
        'ENTRYPOINT ["python3", "-u", "-c", "import time; print(\'idle\'); time.sleep(600)"]',
    )
    environ = {"LOCALSTACK_IMAGE": image, "STREAMDEV_START_TIMEOUT": "4"}
    ended = own_project.run("up", check=False, environ=environ)
    assert ended.exit_code == 4
    assert "was not ready after 4 s" in ended.stderr
    assert "idle" in ended.stderr
    assert what_is_left(client, own_project) == NOTHING


# -- The image and the data -----------------------------------------------------------------


def test_another_localstack_version_is_warned_of_and_does_not_get_at_the_data(
    client: docker.DockerClient, own_project: Project, derived_image: Callable[..., str]
) -> None:
    older = derived_image(OWN, "ENV LOCALSTACK_BUILD_VERSION=4.13.1")
    own_project.run("up")
    put(own_project, "precious")
    own_project.run("down", "--keep")

    ended = own_project.run("up", check=False, environ={"LOCALSTACK_IMAGE": older})

    assert f"{older} is LocalStack 4.13.1" in ended.stderr
    assert "made for 4.14.0" in ended.stderr
    assert ended.exit_code == 4
    assert "was written by LocalStack 4.14.0" in ended.stderr
    assert "./dev.py down" in ended.stderr
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 1}
    own_project.run("up")
    assert keys(own_project) == {"precious"}


def test_a_full_disk_is_named_as_such(client: docker.DockerClient, own_project: Project) -> None:
    (own_project.root / "docker-compose.override.yml").write_text(
        "volumes: {localstack: {driver_opts: {type: tmpfs, device: tmpfs, o: size=16k}}}\n"
    )
    our_compose_file(own_project)
    ended = own_project.run("up", check=False)
    assert ended.exit_code == 4, ended
    assert "is full" in ended.stderr
    assert "docker system df" in ended.stderr
    assert what_is_left(client, own_project) == NOTHING


# -- The Compose file -----------------------------------------------------------------------


def changed(project: Project, old: str, new: str) -> None:
    file = our_compose_file(project)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("services:", "services: [", "docker-compose.yml can't be used"),
        ("    init: true", "    innit: true", "innit"),
        ("  localstack:\n    # 4.14.0", "  aws:\n    # 4.14.0", "no service named localstack"),
        ("      - localstack:/var/lib/localstack\n", "", "No volume of its own is mounted at /v"),
        (
            '"127.0.0.1:${STREAMDEV_PORT:-4566}:${STREAMDEV_PORT:-4566}"',
            '"4566"',
            "does not publish port",
        ),
    ],
    ids=["no YAML", "unknown key", "no service", "no volume", "no port"],
)
def test_a_compose_file_that_was_changed_is_told(
    client: docker.DockerClient, own_project: Project, old: str, new: str, told: str
) -> None:
    changed(own_project, old, new)
    ended = own_project.run("up", check=False)
    assert ended.exit_code in (2, 4), ended
    assert told in ended.stderr
    assert "git" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert what_is_left(client, own_project) == NOTHING


def test_a_compose_file_that_can_not_be_read_is_named(own_project: Project) -> None:
    (own_project.root / "docker-compose.yml").mkdir()
    ended = own_project.run("up", check=False)
    assert ended.exit_code == 2
    assert "docker-compose.yml can't be read" in ended.stderr


def test_mounts_that_were_taken_out_come_back(own_project: Project) -> None:
    changed(own_project, "      - ./streamdev:/opt/streamdev/plugins/streamdev:ro\n", "")
    own_project.run("up")
    own_project.run("put-item", "id=1", "--wait")
