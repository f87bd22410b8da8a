"""What a Compose project has in Docker: its container, network and volume, by their labels."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from streamdev.engine.compose_files import DATA, SERVICE
from streamdev.engine.docker_client import is_disk_full
from streamdev.semantics.log import PREFIX

DISK_FULL = "the disk is full"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
VOLUME_LABEL = "com.docker.compose.volume"
ENGINE_LABEL = "streamdev.engine"
CHECKOUT_LABEL = "streamdev.checkout"

# LocalStack's interpreter, in its own image and in ours.
PYTHON = "/opt/code/localstack/.venv/bin/python"
STOP_PATIENCE_S = 30
TAIL_LINES = 400
# In the volume: by what its data was last written.
MARKER = f"{DATA}/streamdev-volume.json"


@dataclass(frozen=True)
class ContainerState:
    """How the container is.

    Attributes:
        running: Whether its process lives.
        status: Docker's word: ``running``, ``exited``, ``restarting``...
        health: Docker's word: ``starting``, ``healthy``, ``unhealthy``; ``None`` without check.
        ended: Why it does not run, for people: ``exit code 1``, ``out of memory``.
    """

    running: bool
    status: str
    health: str | None
    ended: str | None


@dataclass(frozen=True)
class EngineContainer:
    """An engine's container.

    Attributes:
        name: Its name.
        project: Its Compose project.
        checkout: The folder of the checkout that it was started in.
    """

    name: str
    project: str
    checkout: Path


def find_container(client: docker.DockerClient, project: str) -> Container | None:
    """The project's LocalStack container, running or not."""
    labels = [f"{PROJECT_LABEL}={project}", f"{SERVICE_LABEL}={SERVICE}"]
    found = client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    return found[0] if found else None


def state_of(container: Container) -> ContainerState:
    """How it is now.

    Raises:
        docker.errors.NotFound: It was removed.
    """
    container.reload()
    state: dict[str, Any] = container.attrs["State"]
    running = bool(state.get("Running")) and not state.get("Restarting")
    return ContainerState(
        running=running,
        status=str(state.get("Status")),
        health=(state.get("Health") or {}).get("Status"),
        ended=None if running else _why_ended(container, state),
    )


def _why_ended(container: Container, state: dict[str, Any]) -> str:
    code = state.get("ExitCode")
    memory = container.attrs["HostConfig"].get("Memory") or 0
    if state.get("OOMKilled"):
        limit = f", its limit is {memory // 2**20} MiB" if memory else ""
        return f"out of memory{limit}"
    if state.get("Status") == "created":
        return str(state.get("Error") or "it was never started")
    if is_disk_full("\n".join(recent_lines(container, width=400))):
        return f"the disk is full (exit code {code})"
    if isinstance(code, int) and code > 128:
        with contextlib.suppress(ValueError):
            return f"exit code {code}: killed by {signal.Signals(code - 128).name}"
    return f"exit code {code}{': ' + state['Error'] if state.get('Error') else ''}"


def variable_of(container: Container, name: str) -> str | None:
    """The value of an environment variable that it was made with."""
    for line in container.attrs["Config"]["Env"] or ():
        key, _, value = line.partition("=")
        if key == name:
            return str(value)
    return None


def recent_lines(container: Container, count: int = 10, width: int = 200) -> list[str]:
    """The last lines of its log that are words for people, shortened."""
    with contextlib.suppress(NotFound):
        text = container.logs(tail=TAIL_LINES).decode("utf-8", "replace")
        words = [
            line.rstrip()
            for line in text.splitlines()
            if line.strip() and not line.startswith(PREFIX)
        ]
        return [
            line if len(line) <= width else line[: width - 3] + "..." for line in words[-count:]
        ]
    return []


def free_space(container: Container) -> int | None:
    """Bytes left for its data; ``None`` where it can't be asked (it does not run)."""
    code = f"import os; s = os.statvfs({DATA!r}); print(s.f_bavail * s.f_frsize)"
    with contextlib.suppress(APIError, ValueError):
        output = container.exec_run([PYTHON, "-I", "-S", "-c", code]).output
        return int(output) if isinstance(output, bytes) else None
    return None


def publisher_of(client: docker.DockerClient, port: int, *, but_not: str) -> str | None:
    """The name of the container that publishes ``port`` of this machine, if one does.

    Args:
        client: The daemon.
        port: The port.
        but_not: A project whose containers don't count.
    """
    for container in client.containers.list(ignore_removed=True):
        if container.labels.get(PROJECT_LABEL) == but_not:
            continue
        for bindings in (container.ports or {}).values():
            if any(binding.get("HostPort") == str(port) for binding in bindings or ()):
                return str(container.name)
    return None


def engines(client: docker.DockerClient) -> list[EngineContainer]:
    """The engines of all checkouts, running or not."""
    found = client.containers.list(all=True, filters={"label": CHECKOUT_LABEL}, ignore_removed=True)
    return [
        EngineContainer(
            name=str(each.name),
            project=str(each.labels.get(PROJECT_LABEL)),
            checkout=Path(each.labels[CHECKOUT_LABEL]),
        )
        for each in found
    ]


def read_marker(container: Container) -> dict[str, str]:
    """What the volume says of who wrote it; empty for a new one. The container need not run."""
    try:
        chunks, _ = container.get_archive(MARKER)
    except NotFound:
        return {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        member = archive.next()
        file = archive.extractfile(member) if member else None
        content = file.read() if file else b""
    with contextlib.suppress(ValueError):
        found = json.loads(content)
        if isinstance(found, dict):
            return {str(key): str(value) for key, value in found.items()}
    return {}


def write_marker(container: Container, marker: dict[str, str]) -> None:
    """Note in the volume by what it is written now."""
    content = json.dumps(marker).encode()
    folder, _, name = MARKER.rpartition("/")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    container.put_archive(folder, packed.getvalue())


def copy_folder(container: Container, folder: Path) -> str:
    """Put a folder into the container, unless it is there; return where it is.

    Args:
        container: It runs.
        folder: Its name tells what is in it.
    """
    target = f"/tmp/streamdev-{folder.name}"
    done = f"{target}/.complete"
    with contextlib.suppress(NotFound):
        container.get_archive(done)
        return target
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, target.lstrip("/"), filter=_readable)
        # Last, so that a copy that was cut off does not count.
        archive.addfile(tarfile.TarInfo(done.lstrip("/")))
    container.put_archive("/", packed.getvalue())
    return target


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """For the container's user, whoever that is."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= 0o555 if entry.isdir() else 0o444
    return entry


def has_volume(client: docker.DockerClient, project: str) -> bool:
    """Whether the project has data from before."""
    return any(True for _ in _volumes(client, project))


def _volumes(client: docker.DockerClient, project: str) -> Iterator[Any]:
    yield from client.volumes.list(filters={"label": f"{PROJECT_LABEL}={project}"})


def remove_project(client: docker.DockerClient, project: str, *, mark: str, keep: bool) -> bool:
    """Stop and remove the project's containers and network, and its volumes unless ``keep``.

    This needs no Compose and no Compose file, so that a broken file is no obstacle.

    Args:
        client: The daemon.
        project: The Compose project.
        mark: What the ids of all engines of the checkout begin with: the containers of their
            handlers go as well.
        keep: Keep the data.

    Returns:
        Whether a container ran.
    """
    label = f"{PROJECT_LABEL}={project}"
    containers = client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
    ran = any(container.status == "running" for container in containers)
    for container in containers:
        with contextlib.suppress(NotFound):
            container.stop(timeout=STOP_PATIENCE_S)
            container.remove(force=True, v=True)
    for container in handler_containers(client, mark):
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)
    for network in client.networks.list(filters={"label": label}):
        with contextlib.suppress(NotFound):
            network.remove()
    if not keep:
        for volume in _volumes(client, project):
            with contextlib.suppress(NotFound):
                volume.remove(force=True)
    return ran


def handler_containers(client: docker.DockerClient, mark: str) -> list[Container]:
    """The containers that LocalStack started for handlers (``STREAMDEV_EXECUTOR=docker``)."""
    found = client.containers.list(all=True, filters={"label": ENGINE_LABEL}, ignore_removed=True)
    return [
        each
        for each in found
        if each.labels[ENGINE_LABEL].startswith(mark) and PROJECT_LABEL not in each.labels
    ]
