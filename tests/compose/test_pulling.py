"""Images that are not here: pulled with progress, or told why not."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from streamdev.engine import images
from streamdev.engine.compose import why_not
from streamdev.errors import InvalidInputError
from tests.support.programs import Notes
from tests.support.project import Project
from tests.support.registry import Registry, serving

NOWHERE = "127.0.0.1:1/streamdev-test/none:4.14.0"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as started:
        yield started


@pytest.fixture
def pulled(client: docker.DockerClient) -> Iterator[list[str]]:
    """Names of images to remove after the test."""
    names: list[str] = []
    yield names
    for name in names:
        client.images.remove(name, force=True)


def test_a_pull_shows_its_progress_in_bytes(
    client: docker.DockerClient, registry: Registry, pulled: list[str]
) -> None:
    registry.pause_s = 0.15
    name = registry.add("a/localstack", "4.14.0", {"random": os.urandom(6 * 2**20)})
    told = Notes()

    image = images.ensure_image(client, {"LOCALSTACK_IMAGE": name}, told)

    pulled.append(name)
    assert (image.name, image.version, image.machine) == (name, "4.14.0", "amd64")
    assert told.notes[0] == f"Pulling {name}"
    steps = [note for note in told.notes if note.startswith(f"{name}: ")]
    done = [int(note.split()[-3]) for note in steps]
    total = int(steps[-1].split()[-1])
    assert done == sorted(done)
    assert done[-1] == total > 6 * 2**20
    assert any(0 < each < total for each in done)


def test_what_is_here_is_not_asked_for(
    client: docker.DockerClient, registry: Registry, pulled: list[str]
) -> None:
    name = registry.add("a/localstack", "4.14.0", {"file": b"content"})
    environ = {"LOCALSTACK_IMAGE": name}
    images.ensure_image(client, environ, Notes())
    pulled.append(name)
    registry.requests.clear()
    images.ensure_image(client, environ, Notes())
    assert registry.requests == []


def test_an_image_that_its_registry_does_not_have_is_named(
    client: docker.DockerClient, registry: Registry
) -> None:
    name = f"{registry.host}/a/localstack:9.9.9"
    with pytest.raises(images.ImageUnavailableError, match=f"There is no image {name}") as caught:
        images.ensure_image(client, {"LOCALSTACK_IMAGE": name}, Notes())
    assert images.OFFICIAL in str(caught.value.hint)


def test_without_a_network_other_ways_are_named(own_project: Project) -> None:
    ended = own_project.run("up", check=False, environ={"LOCALSTACK_IMAGE": NOWHERE})
    assert ended.exit_code == 4
    assert f"The image {NOWHERE} is not here, and its registry can't be reached" in ended.stderr
    assert "make image" in ended.stderr
    assert "--engine host" in ended.stderr
    assert not own_project.state.engine_record.exists()


@pytest.mark.parametrize("name", ["Not A Name", "localstack/localstack:", "a//b", "x" * 300])
def test_an_invalid_name_is_refused(own_project: Project, name: str) -> None:
    ended = own_project.run("up", check=False, environ={"LOCALSTACK_IMAGE": name})
    assert ended.exit_code == 2, ended
    assert "LOCALSTACK_IMAGE is " in ended.stderr
    assert f"LOCALSTACK_IMAGE={images.OFFICIAL}" in ended.stderr


def test_auto_takes_compose_when_the_image_could_be_pulled(
    registry: Registry, tmp_path: Path
) -> None:
    name = registry.add("a/localstack", "4.14.0", {"file": b"content"})
    environ = {**os.environ, "LOCALSTACK_IMAGE": name, "STREAMDEV_CACHE": str(tmp_path)}
    assert why_not(environ=environ) is None


def test_auto_does_not_take_it_otherwise_and_remembers(tmp_path: Path) -> None:
    environ = {**os.environ, "LOCALSTACK_IMAGE": NOWHERE, "STREAMDEV_CACHE": str(tmp_path)}
    reason = why_not(environ=environ)
    assert reason == f"the image {NOWHERE} is not here and can't be pulled"
    memory = tmp_path / "unpullable.json"
    before = memory.stat().st_mtime_ns
    assert why_not(environ=environ) == reason
    assert memory.stat().st_mtime_ns == before


def test_what_is_remembered_is_forgotten_after_a_while(
    client: docker.DockerClient, registry: Registry, tmp_path: Path
) -> None:
    name = registry.add("a/localstack", "4.14.0", {"file": b"content"})
    memory = tmp_path / "unpullable.json"
    told = {"image": name, "reason": "offline", "at": time.time()}
    memory.write_text(json.dumps(told))
    assert images.why_not_pullable(client, name, memory) == "offline"
    memory.write_text(json.dumps(told | {"at": time.time() - 3600}))
    assert images.why_not_pullable(client, name, memory) is None
    memory.write_text("damaged")
    assert images.why_not_pullable(client, name, memory) is None


def test_auto_refuses_an_invalid_name_instead_of_passing_over_it(tmp_path: Path) -> None:
    environ = {**os.environ, "LOCALSTACK_IMAGE": "Not A Name", "STREAMDEV_CACHE": str(tmp_path)}
    with pytest.raises(InvalidInputError, match="LOCALSTACK_IMAGE is 'Not A Name'"):
        why_not(environ=environ)
