"""A Docker daemon, our image, and projects with the compose engine.

``scripts/docker-for-tests start`` brings a daemon where there is none. Without one, everything
in this folder is skipped, and pytest says so in one line.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from streamdev.engine.docker_client import DockerUnavailableError, connected
from streamdev.engine.images import OWN
from tests.compose.official.build import build
from tests.support.containers import remove_all
from tests.support.ports import free_port
from tests.support.project import Project, create_project

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a Docker daemon and the image."""
    ours = [item for item in items if HERE in item.path.parents]
    reason = _why_not() if ours else None
    for item in ours:
        item.add_marker(pytest.mark.compose)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _why_not() -> str | None:
    try:
        with connected(os.environ) as client:
            if not client.images.list(OWN):
                return f"there is no image {OWN}: make image"
    except DockerUnavailableError as error:
        return f"{error.reason}: scripts/docker-for-tests start"
    return None


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The daemon."""
    with connected(os.environ) as connection:
        yield connection


@pytest.fixture(scope="session")
def docker_host(client: docker.DockerClient) -> str:
    """Where the daemon answers."""
    from streamdev.engine.docker_client import docker_host

    return docker_host(os.environ)


@pytest.fixture(scope="session")
def base_image(client: docker.DockerClient) -> str:
    """What our image was built on: an image with Python, to make others from."""
    ours = client.images.get(OWN).attrs["RootFS"]["Layers"]
    candidates = (
        os.environ.get("STREAMDEV_TEST_BASE_IMAGE"),
        "python:3.13-slim",
        "streamdev/base:trixie",
    )
    for name in filter(None, candidates):
        for image in client.images.list(name):
            layers = image.attrs["RootFS"]["Layers"]
            if layers == ours[: len(layers)]:
                return name
    pytest.skip(f"what {OWN} was built on is not here: scripts/docker-for-tests start")


@pytest.fixture(scope="session")
def official(
    client: docker.DockerClient, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image laid out as LocalStack's own, with nothing of streamdev in it."""
    name = build(client, base_image, tmp_path_factory.mktemp("official"))
    yield name
    client.images.remove(name, force=True)


@pytest.fixture
def new_project(tmp_path: Path, client: docker.DockerClient) -> Iterator[Callable[..., Project]]:
    """Makes projects with the compose engine; what they start is removed after the test."""
    made: list[Project] = []

    def make(name: str = "project", port: int | None = None, **environ: str) -> Project:
        project = create_project(tmp_path / name, port or free_port(), "compose")
        project.environ.update(environ)
        project.write_handler("things", "def lambda_handler(event, context):\n    print('hi')\n")
        project.write_pipelines(
            "[pipelines.things]\n"
            'table = { name = "Things", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }\n'
            'function = { source = "lambda_src/things", runtime = "python3.13",'
            ' handler = "handler.lambda_handler" }\n'
            'mapping = { batch-size = 1, starting-position = "TRIM_HORIZON" }\n'
        )
        made.append(project)
        return project

    yield make
    for project in made:
        remove_all(client, project)


@pytest.fixture
def own_project(new_project: Callable[..., Project]) -> Project:
    """A project with one pipeline ``things`` (table ``Things``); nothing runs."""
    return new_project()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient
) -> Iterator[Project]:
    """A project that is up, for the tests of a module that leave it as it is."""
    repository = HERE.parents[1]
    project = create_project(tmp_path_factory.mktemp("running"), free_port(), "compose")
    shutil.copy(repository / "pipelines.toml", project.root)
    shutil.copytree(repository / "lambda_src", project.root / "lambda_src")
    try:
        project.run("up", timeout=600)
        yield project
    finally:
        remove_all(client, project)


@pytest.fixture
def derived_image(client: docker.DockerClient) -> Iterator[Callable[..., str]]:
    """Makes images from another by a container's changes; they are removed after the test."""
    made: list[str] = []

    def make(base: str, *changes: str) -> str:
        name = f"streamdev-test/derived:{uuid.uuid4().hex[:8]}"
        container = client.containers.create(base)
        try:
            container.commit(*name.split(":"), changes=list(changes))
        finally:
            container.remove(v=True)
        made.append(name)
        return name

    yield make
    for name in made:
        client.images.remove(name, force=True)
