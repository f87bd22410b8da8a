"""The plugins come by mount alone: an image laid out as LocalStack's own, with nothing of ours."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from tests.support.containers import container_of, keys
from tests.support.project import Project


@pytest.fixture
def project(new_project: Callable[..., Project], official: str) -> Project:
    project: Project = new_project(LOCALSTACK_IMAGE=official)
    project.write_handler(
        "things",
        "import sys\n"
        "import boto3\n"
        "def lambda_handler(event, context):\n"
        "    print('boto3 from', boto3.__file__)\n"
        "    print('localstack', 'localstack' in sys.modules, *sys.path)\n"
        "    items = boto3.client('dynamodb').scan(TableName='Things')['Count']\n"
        "    print('sees', items, 'items')\n",
    )
    return project


def test_the_image_holds_nothing_of_streamdev(client: docker.DockerClient, official: str) -> None:
    found = client.containers.run(
        official,
        entrypoint=["find", "/", "-xdev", "-iname", "*streamdev*", "-not", "-path", "/proc/*"],
        remove=True,
    )
    assert found == b""
    attributes = client.images.get(official).attrs["Config"]
    assert not any("STREAMDEV" in line for line in attributes["Env"])
    assert not attributes.get("User")


def test_the_main_job_runs_in_it_and_its_data_survives(
    client: docker.DockerClient, project: Project
) -> None:
    project.run("up", timeout=400)
    project.run("put-item", "id=1", "name=Ann", "--wait")

    printed = project.run("logs", "--raw").stdout
    assert "boto3 from /opt/streamdev/runtime/boto3" in printed
    assert "localstack False" in printed
    assert "sees 1 items" in printed

    container = container_of(client, project)
    processes = container.top(ps_args="-eo pid,args")["Processes"]
    (java,) = [line for line in processes if "DynamoDBLocal" in " ".join(line)]
    assert "/usr/lib/localstack/dynamodb-local/2/DynamoDBLocal.jar" in " ".join(java)
    assert project.run("status", "--json").json()["engine"]["version"] == "4.14.0"

    project.run("down", "--keep")
    project.run("up")
    assert keys(project) == {"1"}
