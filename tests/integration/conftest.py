"""Engines for the tests: one for the session, and new ones for those that end them."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.project import Project, create_project, unique
from tests.support.stack import Deployed, deploy_stack

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def pytest_configure() -> None:
    """When the run is ended from outside (SIGTERM), fixtures still end their engines."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a real engine."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine the tests run against (``pytest --engine``, tests/conftest.py)."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def project(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project like this repository's (its pipelines and handlers), up and deployed.

    It lives for the whole session. A test keeps to tables and functions of its own, under
    unique names: by AWS's API, or by a further pipelines file and ``--config``.
    """
    project = create_project(tmp_path_factory.mktemp("project"), free_port(), engine)
    shutil.copy(REPOSITORY / "pipelines.toml", project.root)
    shutil.copytree(REPOSITORY / "samples", project.root / "samples")
    shutil.copytree(
        REPOSITORY / "lambda_src",
        project.root / "lambda_src",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    try:
        project.run("up", timeout=600)
        yield project
    finally:
        project.run("down", check=False)


@pytest.fixture(scope="session")
def stack(project: Project) -> Deployed:
    """The same pipelines again, as `export sam` and CloudFormation deploy them."""
    return deploy_stack(project, suffix=unique(""))


@pytest.fixture(scope="session", params=["up", "export"])
def deployed(project: Project, request: pytest.FixtureRequest) -> Deployed:
    """The repository's pipelines, as `up` deployed them and as a stack has them."""
    if request.param == "up":
        return Deployed(project)
    stack: Deployed = request.getfixturevalue("stack")
    return stack


@pytest.fixture(scope="session")
def streamdev_config(project: Project) -> Path:
    """streamdev's own pytest plugin works with the session's project and its engine."""
    return project.root / "pipelines.toml"


@pytest.fixture
def new_project(engine: str, tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """Makes projects whose engines are down; what they start is ended after the test."""
    made: list[Project] = []

    def make(name: str = "project") -> Project:
        project = create_project(tmp_path / name, free_port(), engine)
        made.append(project)
        return project

    yield make
    for project in made:
        project.run("down", check=False)
        for process in project.processes():
            process.kill()


@pytest.fixture
def own_project(new_project: Callable[[str], Project]) -> Project:
    """A project with one pipeline ``things`` (table ``Things``) and an engine that is down."""
    project = new_project("project")
    project.write_handler("things", "def lambda_handler(event, context):\n    return None\n")
    project.write_pipelines(
        "[pipelines.things]\n"
        'table = { name = "Things", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }\n'
        'function = { source = "lambda_src/things", runtime = "python3.13",'
        ' handler = "handler.lambda_handler" }\n'
        'mapping = { batch-size = 1, starting-position = "TRIM_HORIZON" }\n'
    )
    return project
