"""The life of the engine's container: what becomes of it, and how that is told."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable

import docker
import pytest

from tests.support.containers import (
    all_of,
    compose_environments,
    container_of,
    keys,
    put,
    what_is_left,
)
from tests.support.killing import kill_database
from tests.support.project import COMMAND, Project, Result, eventually


@pytest.mark.parametrize("version", compose_environments() or ["no compose"])
def test_up_and_down_with_each_compose_there_is(
    client: docker.DockerClient, own_project: Project, version: str
) -> None:
    own_project.environ.update(compose_environments()[version])
    own_project.run("up", timeout=400)
    info = own_project.run("status", "--json").json()["engine"]
    assert version in info["detail"]["compose"]
    put(own_project, "kept")
    stream = own_project.gateway.tables.find("Things")

    assert "Wiping" not in own_project.run("down", "--keep").stderr
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 1}

    own_project.run("up")
    assert keys(own_project) == {"kept"}
    assert own_project.gateway.tables.find("Things") == stream
    told = own_project.run("down").stderr
    assert "Wiping Things (1 item)" in told
    assert "--keep" in told
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 0}
    assert not own_project.state.engine_record.exists()


def test_a_second_up_leaves_the_container_as_it_is(
    client: docker.DockerClient, running: Project
) -> None:
    before = container_of(client, running)
    running.run("up")
    after = container_of(client, running)
    assert (after.id, after.attrs["State"]["StartedAt"]) == (
        before.id,
        before.attrs["State"]["StartedAt"],
    )


def test_the_container_is_bound_to_the_loopback_address_and_has_no_docker_socket(
    client: docker.DockerClient, running: Project
) -> None:
    attributes = container_of(client, running).attrs
    bound = [b["HostIp"] for bs in attributes["HostConfig"]["PortBindings"].values() for b in bs]
    assert set(bound) == {"127.0.0.1"}
    assert len(bound) == 51
    assert not any("docker.sock" in mount["Source"] for mount in attributes["Mounts"])
    ours = [m for m in attributes["Mounts"] if m["Destination"].startswith("/opt/streamdev")]
    assert len(ours) == 3
    assert not any(mount["RW"] for mount in ours)
    assert attributes["HostConfig"]["RestartPolicy"]["Name"] in ("no", "")
    assert attributes["HostConfig"]["Memory"] == 4 * 2**30


def test_status_shows_container_image_and_health(
    client: docker.DockerClient, running: Project
) -> None:
    container = container_of(client, running)
    eventually(
        lambda: running.run("status", "--json").json()["engine"]["detail"]["health"] == "healthy",
        timeout=90,
        interval=1,
    )
    detail = running.run("status", "--json").json()["engine"]["detail"]
    assert detail["container"] == container.name
    assert "localstack:4.14.0" in detail["image"]
    shown = running.run("status").stdout
    assert str(container.name) in shown


def test_a_killed_container_is_told_with_its_last_lines_gone_on_with_and_removed(
    client: docker.DockerClient, own_project: Project
) -> None:
    own_project.run("up")
    for number in range(20):
        put(own_project, str(number))
    container_of(client, own_project).kill()

    for command in ("status", "scan", "reset"):
        died = own_project.run(command, check=False)
        assert died.exit_code == 3, died
        assert "ended: exit code 137: killed by SIGKILL" in died.stderr
        assert "The last lines of its log" in died.stderr
        assert "./dev.py up" in died.stderr

    own_project.run("up")
    assert keys(own_project) == {str(number) for number in range(20)}

    container_of(client, own_project).kill()
    own_project.run("down")
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 0}


def test_up_goes_on_after_a_restart_a_removal_and_the_end_of_the_database(
    client: docker.DockerClient, own_project: Project
) -> None:
    own_project.run("up")
    put(own_project, "1")
    container_of(client, own_project).restart()
    own_project.run("up")
    own_project.run("put-item", "id=2", "--wait")

    kill_database(own_project)
    own_project.run("up")
    put(own_project, "3")

    container_of(client, own_project).remove(force=True)
    gone = own_project.run("status", check=False)
    assert gone.exit_code == 3
    assert "was removed" in gone.stderr
    own_project.run("up")
    assert keys(own_project) == {"1", "2", "3"}


def test_down_works_without_the_record_and_with_a_broken_compose_file(
    client: docker.DockerClient, own_project: Project
) -> None:
    own_project.run("up")
    own_project.state.engine_record.unlink()
    (own_project.root / "docker-compose.yml").write_text("streamdev localstack: [\n")
    own_project.run("down")
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 0}


def test_two_ups_at_once_end_in_one_container(
    client: docker.DockerClient, own_project: Project
) -> None:
    results: list[Result] = []

    def up() -> None:
        results.append(own_project.run("up", check=False, timeout=280))

    threads = [threading.Thread(target=up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.exit_code for result in results] == [0, 0], "\n".join(map(str, results))
    container_of(client, own_project)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing_half_made(
    client: docker.DockerClient, own_project: Project, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [*COMMAND, "up"],
        cwd=own_project.root,
        env=own_project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        eventually(lambda: all_of(client, own_project), what="the container was made")
        up.send_signal(number)
        _, errors = up.communicate(timeout=90)
    assert up.returncode in (130, 128 + number)
    assert "Traceback" not in errors
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 0}
    assert own_project.run("status", check=False).exit_code == 3


def test_two_checkouts_run_side_by_side_on_ports_that_are_neighbours(
    client: docker.DockerClient, new_project: Callable[..., Project]
) -> None:
    one = new_project("one")
    other = new_project("other", port=one.port + 1)
    one.run("up")
    other.run("up")
    ports = [
        {int(b["HostPort"]) for bs in bindings.values() for b in bs}
        for bindings in (
            container_of(client, each).attrs["HostConfig"]["PortBindings"] for each in (one, other)
        )
    ]
    assert not ports[0] & ports[1]
    put(one, "1")
    assert keys(other) == set()
    one.run("down")
    put(other, "2")
    assert keys(other) == {"2"}


def test_another_port_than_the_running_engines_is_refused(running: Project) -> None:
    ended = running.run("up", "--port", "1234", check=False)
    assert ended.exit_code == 4
    assert f"on port {running.port}" in ended.stderr


def test_the_host_engine_does_not_start_beside_it(running: Project) -> None:
    ended = running.run("up", "--engine", "host", check=False)
    assert ended.exit_code == 2
    assert "runs already, as compose" in ended.stderr
    assert json.loads(running.state.engine_record.read_text())["engine"] == "compose"


def test_an_edited_override_is_noticed_and_used_at_the_next_start(
    client: docker.DockerClient, own_project: Project
) -> None:
    repository_file = own_project.root / "docker-compose.yml"
    from streamdev.engine.compose_files import compose_file

    repository_file.write_text(compose_file(own_project.root).read_text())
    own_project.run("up")
    (own_project.root / "docker-compose.override.yml").write_text(
        "services: {localstack: {environment: {LS_LOG: warn}}}\n"
    )
    again = own_project.run("up")
    assert "docker-compose.override.yml was changed after the engine was started" in again.stderr
    own_project.run("down", "--keep")
    own_project.run("up")
    assert "LS_LOG=warn" in container_of(client, own_project).attrs["Config"]["Env"]
