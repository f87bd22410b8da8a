"""Starting LocalStack's container: what it needs, creating it, waiting until it is ready."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from streamdev.engine import compose_files, images, plugin_folder, ports
from streamdev.engine.base import HOST, IN_CONTAINER, Progress
from streamdev.engine.compose_command import ComposeProject, find_compose
from streamdev.engine.compose_files import DATA
from streamdev.engine.container import (
    CHECKOUT_LABEL,
    ENGINE_LABEL,
    PROJECT_LABEL,
    find_container,
    has_volume,
    publisher_of,
    read_marker,
    remove_project,
    write_marker,
)
from streamdev.engine.container_watch import wait_until_ready
from streamdev.engine.docker_client import docker_host
from streamdev.engine.processes import no_interrupts
from streamdev.engine.record import EngineRecord, checkout_mark, forget_record, new_engine_id
from streamdev.errors import EngineStartError, InvalidInputError
from streamdev.paths import StateDir

PYTHON_IN_IMAGE = "3.13"
_WAS_CHANGED = (
    "Was docker-compose.yml changed? git diff -- docker-compose.yml    Changes of your own go "
    "into docker-compose.override.yml."
)


def engine_mark(state: StateDir) -> str:
    """What the ids of all compose engines of a checkout begin with.

    Not the host engine's mark: on Linux that sees the container's processes as well.
    """
    return IN_CONTAINER + checkout_mark(state.root)


@dataclass(frozen=True)
class ComposeStart:
    """One start of a checkout's container.

    Attributes:
        state: The checkout's state folder.
        region: The engine's region.
        environ: The user's environment.
        timeout: Seconds until it has to be ready.
        client: The daemon.
        progress: Told what goes on.
    """

    state: StateDir
    region: str
    environ: Mapping[str, str]
    timeout: float
    client: docker.DockerClient
    progress: Progress

    @property
    def _project(self) -> str:
        return compose_files.project_name(self.state)

    def run(self, port: int) -> tuple[EngineRecord, Container]:
        """Start it on ``port`` and wait until it is ready.

        Raises:
            EngineStartError: It did not come up; nothing of it is left but its old data.
            InvalidInputError: The Compose file or ``LOCALSTACK_IMAGE`` can't be used.
        """
        from streamdev.engine.environment import container_platform

        compose_files.check_limits(self.environ)
        command = find_compose(self.environ)
        image = images.ensure_image(self.client, self.environ, self.progress)
        if image.version and image.version != images.VERSION:
            self.progress.note(_other_version(image.name, image.version))
        self._require_free(port)
        block = compose_files.choose_block(port)
        record = EngineRecord(
            engine="compose",
            engine_id=IN_CONTAINER + new_engine_id(self.state.root),
            endpoint_url=f"http://{HOST}:{port}",
            port=port,
            started_at=datetime.now(UTC).isoformat(),
            version=image.version,
            debug_port=block.first_debug_port,
            detail={
                "image": f"{image.name} ({image.id.removeprefix('sha256:')[:12]})",
                "service ports": f"{block} (debuggers: {block.first_debug_port}-{block.last})",
                "data": f"volume {compose_files.volume_name(self._project)}",
                # What packages of handlers are made for.
                "python": PYTHON_IN_IMAGE,
                "platform": container_platform(image.machine),
                "executor": compose_files.executor_of(self.environ),
                "compose": str(command),
            },
        )
        variables = compose_files.interpolated(
            self.environ,
            image=image.name,
            port=port,
            block=block,
            engine_id=record.engine_id,
            region=self.region,
            host=docker_host(self.environ),
        )
        files = self._files(image, record)
        project = ComposeProject(command, self._project, files, variables)
        had_data = has_volume(self.client, self._project)
        try:
            record.write(self.state.engine_record)
            self.progress.step("Starting LocalStack's container")
            if had_data:
                project.create()
                self._check_volume(image, record)
            project.up()
            return self._ready(image, record)
        except BaseException:
            # Also Ctrl-C: nothing half-made stays. A second Ctrl-C waits until this is done.
            with no_interrupts():
                mark = engine_mark(self.state)
                remove_project(self.client, self._project, mark=mark, keep=had_data)
                forget_record(self.state.engine_record)
            raise

    def _ready(self, image: images.Image, record: EngineRecord) -> tuple[EngineRecord, Container]:
        container = self._container(record.port)
        health = wait_until_ready(
            container, record.endpoint_url, timeout=self.timeout, progress=self.progress
        )
        version = health.version or record.version or images.VERSION
        if image.version is None and version != images.VERSION:
            self.progress.note(_other_version(image.name, version))
        write_marker(container, {"localstack": version, "image": image.name})
        record = replace(record, ready=True, version=version)
        record.write(self.state.engine_record)
        return record, container

    def _files(self, image: images.Image, record: EngineRecord) -> list[Path]:
        from streamdev.engine.environment import container_platform, handler_runtime

        executor = compose_files.executor_of(self.environ)
        runtime = handler_runtime(
            self.progress,
            python_version=PYTHON_IN_IMAGE,
            platform=container_platform(image.machine),
        )
        plugin_folder.assemble(self.state.plugins)
        if sys.version_info[:2] == tuple(map(int, PYTHON_IN_IMAGE.split("."))):
            # The container can't write bytecode: the folder is mounted read-only.
            compileall.compile_dir(self.state.plugins, quiet=2)
        for folder in (self.state.plugins, runtime):
            _make_readable(folder)
        engine_file = self.state.root / "docker-compose.engine.json"
        compose_files.write_engine_file(
            engine_file,
            plugins=self.state.plugins,
            runtime=runtime,
            variables=compose_files.container_variables(
                port=record.port,
                engine_id=record.engine_id,
                region=self.region,
                executor=executor,
                environ=self.environ,
            ),
            labels={
                ENGINE_LABEL: record.engine_id,
                CHECKOUT_LABEL: str(self.state.root.resolve().parent),
            },
        )
        file = compose_files.compose_file(self.state.root.parent)
        return compose_files.files_in_force(file, executor, engine_file)

    def _require_free(self, port: int) -> None:
        if name := publisher_of(self.client, port, but_not=self._project):
            raise EngineStartError(
                f"Port {port} is taken by the container {name}.",
                hint=f"Choose another: ./dev.py up --port {ports.free_port()} "
                f"(or STREAMDEV_PORT), or stop it: docker stop {name}",
            )
        ports.require_free(port)

    def _check_volume(self, image: images.Image, record: EngineRecord) -> None:
        container = find_container(self.client, self._project)
        marker = read_marker(container) if container else {}
        written_by, now = marker.get("localstack"), record.version
        if written_by and now and written_by != now:
            raise EngineStartError(
                f"The data in {record.detail['data']} was written by LocalStack {written_by} "
                f"({marker.get('image')}), and {image.name} is LocalStack {now}.",
                hint=f"Use that again: LOCALSTACK_IMAGE={marker.get('image')} ./dev.py up    "
                "Or wipe the data: ./dev.py down",
            )

    def _container(self, port: int) -> Container:
        container = find_container(self.client, self._project)
        if container is None:
            raise EngineStartError(
                f"Compose made no container for the service {compose_files.SERVICE}.",
                hint=_WAS_CHANGED,
            )
        container.reload()
        published = {
            binding["HostPort"]
            for bindings in (container.attrs["HostConfig"]["PortBindings"] or {}).values()
            for binding in bindings or ()
        }
        if str(port) not in published:
            raise InvalidInputError(
                f"The container does not publish port {port}.", hint=_WAS_CHANGED
            )
        if not any(mount.get("Destination") == DATA for mount in _volumes(container)):
            raise InvalidInputError(
                f"No volume of its own is mounted at {DATA}, so all data would be lost with the "
                "container.",
                hint=_WAS_CHANGED,
            )
        return container


def _volumes(container: Container) -> list[dict[str, Any]]:
    """Its named volumes; the nameless one that an image asks for goes with the container."""
    project = container.labels.get(PROJECT_LABEL, "")
    return [
        mount
        for mount in container.attrs["Mounts"]
        if mount.get("Type") == "bind" or str(mount.get("Name", "")).startswith(project)
    ]


def _other_version(name: str, version: str) -> str:
    return (
        f"{name} is LocalStack {version}. streamdev's plugins are made for {images.VERSION} "
        "and may not work in it."
    )


def _make_readable(folder: Path) -> None:
    """Let the container's user read it, whatever the umask was when it was made."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        wanted = mode | (0o555 if path.is_dir() else 0o444)
        if wanted != mode:
            path.chmod(wanted)
