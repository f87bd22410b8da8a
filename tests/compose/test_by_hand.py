"""docker-compose.yml without the command line: ``docker compose up -d``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import docker
import pytest

from streamdev.engine.compose_files import choose_block
from streamdev.engine.images import OWN
from tests.support.ports import free_port
from tests.support.project import Project, eventually


def by_hand(*arguments: str, project: str, environ: dict[str, str]) -> str:
    words = ["docker", "compose"]
    probe = [*words, "version"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        words = ["docker-compose"]
    ended = subprocess.run(
        [*words, "--project-name", project, *arguments],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, **environ},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("kind", ["our own image", "LocalStack's layout"])
def test_the_file_works_by_hand_and_its_health_check_tells_when(
    client: docker.DockerClient,
    own_project: Project,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    image = OWN if kind == "our own image" else request.getfixturevalue("official")
    port = free_port()
    block = choose_block(port)
    environ = {
        "LOCALSTACK_IMAGE": image,
        "STREAMDEV_PORT": str(port),
        "STREAMDEV_SERVICE_PORTS": str(block),
        "STREAMDEV_SERVICE_PORTS_START": str(block.first),
        "STREAMDEV_SERVICE_PORTS_END": str(block.first_debug_port),
    }
    name = f"by-hand-{port}"
    try:
        by_hand("up", "--detach", project=name, environ=environ)
        (container,) = client.containers.list(
            filters={"label": f"com.docker.compose.project={name}"}
        )

        def health() -> str:
            container.reload()
            return str(container.attrs["State"]["Health"]["Status"])

        eventually(lambda: health() == "healthy", timeout=90, interval=0.5)
        external = {
            "STREAMDEV_ENGINE": "external",
            "STREAMDEV_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
        own_project.write_handler(
            "things",
            "import boto3\n"
            "def lambda_handler(event, context):\n"
            "    print('handled by hand', boto3.__version__)\n",
        )
        own_project.run("up", environ=external)
        own_project.run("put-item", "id=1", environ=external)
        eventually(lambda: b"handled by hand" in container.logs(), timeout=60, interval=0.5)
    finally:
        by_hand("down", "--volumes", project=name, environ=environ)
