"""STREAMDEV_EXECUTOR=docker, as far as it goes without AWS's images."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest
from docker.errors import NotFound

from streamdev.cli.exit_codes import ExitCode
from streamdev.engine.container import PYTHON
from tests.support.containers import container_of, what_is_left
from tests.support.project import Project


def test_the_socket_is_handed_over_and_handlers_containers_are_followed_and_removed(
    client: docker.DockerClient, new_project: Callable[..., Project], base_image: str
) -> None:
    project = new_project(STREAMDEV_EXECUTOR="docker")
    # A function needs AWS's images: where they can't be had, the engine is up all the same.
    assert project.run("up", check=False).exit_code in (ExitCode.OK, ExitCode.DEPLOY_FAILED)

    container = container_of(client, project)
    assert container.attrs["Config"]["User"] == "root"
    assert "LAMBDA_RUNTIME_EXECUTOR=docker" in container.attrs["Config"]["Env"]
    mark = project.record["engine_id"]
    assert (
        f"LAMBDA_DOCKER_FLAGS=--label streamdev.engine={mark}" in container.attrs["Config"]["Env"]
    )
    # The Docker that LocalStack reaches is the one that it runs in.
    asks = "import docker; print(docker.from_env().containers.get('{}').name)"
    told = container.exec_run([PYTHON, "-c", asks.format(container.id)]).output
    assert told == f"{container.name}\n".encode()

    handler = client.containers.run(
        base_image,
        entrypoint=["python3", "-c", "print('START RequestId: 1'); print('hello')"],
        detach=True,
        environment={"AWS_LAMBDA_FUNCTION_NAME": "things"},
        labels={"streamdev.engine": mark},
    )
    handler.wait()
    # The container says how it runs handlers; the variable need not be set again.
    unset = {"STREAMDEV_EXECUTOR": ""}
    assert "hello" in project.run("logs", "--raw", environ=unset).stdout.splitlines()

    project.run("down", environ=unset)
    assert what_is_left(client, project) == {"containers": 0, "networks": 0, "volumes": 0}
    with pytest.raises(NotFound):
        handler.reload()
