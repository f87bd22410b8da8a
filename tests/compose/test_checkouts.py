"""One checkout's engine as others and its own later commands see it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import docker

from tests.support.containers import container_of, put, what_is_left
from tests.support.project import Project


def finding(project: Project, name: str, of: str) -> dict[str, Any] | None:
    """What ``doctor`` says under ``name`` of the container ``of``; Docker may have others."""
    for each in project.run("doctor", "--json").json():
        if each["name"] == name and of in each["found"]:
            return dict(each)
    return None


def test_doctor_names_containers_that_hold_the_port_or_outlived_their_checkout(
    client: docker.DockerClient, new_project: Callable[..., Project]
) -> None:
    project = new_project("one")
    other = new_project("other", port=project.port)
    project.run("up")
    name = str(container_of(client, project).name)

    port = finding(other, "Port", name)
    assert port
    assert f"is taken by the container {name} (the engine of {project.root})" in port["found"]
    assert finding(other, "Orphans", name) is None

    away = project.root.with_name("moved")
    project.root.rename(away)
    orphan = finding(other, "Orphans", name)
    away.rename(project.root)
    assert orphan
    assert orphan["found"] == f"the container {name} of {project.root}, which is gone"
    assert f"docker rm --force {name}" in orphan["cure"]
    assert "docker volume rm" in orphan["cure"]


def test_what_a_running_engine_can_not_take_up_is_told_and_a_hanging_one_goes_down(
    client: docker.DockerClient, own_project: Project
) -> None:
    own_project.run("up")
    asked = {"LOCALSTACK_IMAGE": "localstack/localstack:4.14.1", "STREAMDEV_EXECUTOR": "docker"}
    told = own_project.run("up", environ=asked).stderr
    assert "not localstack/localstack:4.14.1 (LOCALSTACK_IMAGE)" in told
    assert "was started without STREAMDEV_EXECUTOR=docker" in told
    assert told.count("To use it: ./dev.py down --keep, then ./dev.py up") == 2
    assert "To use it" not in own_project.run("up").stderr

    put(own_project, "1")
    container = container_of(client, own_project)
    container.pause()
    began = time.monotonic()
    down = own_project.run("down")
    # Docker gives it 30 s to end by itself.
    assert time.monotonic() - began < 90
    assert "Wiping the volume streamdev-" in down.stderr
    assert what_is_left(client, own_project) == {"containers": 0, "networks": 0, "volumes": 0}
