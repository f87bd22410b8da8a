"""What Docker has of a project, and which Docker Compose there are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import docker
from docker.models.containers import Container

from streamdev.engine.compose_files import project_name
from tests.support.project import Project


def remove_all(client: docker.DockerClient, project: Project) -> None:
    """Remove whatever Docker has of a project, without the command line under test."""
    label = label_of(project)
    for container in all_of(client, project):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=label):
        network.remove()
    for volume in client.volumes.list(filters=label):
        volume.remove(force=True)


def label_of(project: Project) -> dict[str, str | list[str] | bool]:
    """Docker's filter for all that belongs to its Compose project."""
    return {"label": f"com.docker.compose.project={project_name(project.state)}"}


def container_of(client: docker.DockerClient, project: Project) -> Container:
    (found,) = all_of(client, project)
    return found


def all_of(client: docker.DockerClient, project: Project) -> list[Container]:
    # One that goes between the list and its details is not there.
    return client.containers.list(all=True, filters=label_of(project), ignore_removed=True)


def what_is_left(client: docker.DockerClient, project: Project) -> dict[str, int]:
    label = label_of(project)
    return {
        "containers": len(all_of(client, project)),
        "networks": len(client.networks.list(filters=label)),
        "volumes": len(client.volumes.list(filters=label)),
    }


def put(project: Project, key: str) -> None:
    project.client("dynamodb").put_item(TableName="Things", Item={"id": {"S": key}})


def keys(project: Project) -> set[str]:
    items = project.client("dynamodb").scan(TableName="Things", ConsistentRead=True)["Items"]
    return {item["id"]["S"] for item in items}


def compose_environments() -> dict[str, dict[str, str]]:
    """What makes each Docker Compose of this machine the one that is found, by its version."""
    found: dict[str, dict[str, str]] = {}
    candidates: list[dict[str, str]] = [{}]
    if v2 := os.environ.get("STREAMDEV_TEST_COMPOSE_V2"):
        candidates.append({"DOCKER_CONFIG": v2})
    for environ in candidates:
        for words in (["docker", "compose"], ["docker-compose"]):
            if shutil.which(words[0]) is None:
                continue
            told = subprocess.run(
                [*words, "version", "--short"],
                env={**os.environ, **environ},
                capture_output=True,
                text=True,
                check=False,
            )
            version = re.search(r"\d+\.\d+\.\d+", told.stdout)
            if told.returncode == 0 and version:
                found.setdefault(version[0], environ)
                break
    return found
