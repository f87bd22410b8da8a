"""LocalStack as a container, by Docker Compose, under a project of its own a checkout."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from docker.models.containers import Container

from streamdev.aws.names import DEFAULT_REGION
from streamdev.engine import compose_files, images, readiness
from streamdev.engine.base import DEFAULT_PORT, EngineInfo, EngineName, Progress
from streamdev.engine.compose_command import NoComposeError, find_compose
from streamdev.engine.compose_start import ComposeStart, engine_mark
from streamdev.engine.container import (
    copy_folder,
    find_container,
    handler_containers,
    has_volume,
    remove_project,
    state_of,
    variable_of,
)
from streamdev.engine.container_log import read_lines
from streamdev.engine.container_watch import cure, recent_words, wait_until_ready
from streamdev.engine.docker_client import DockerUnavailableError, connected
from streamdev.engine.lock import engine_lock
from streamdev.engine.record import EngineRecord, forget_record, read_record
from streamdev.errors import EngineNotRunningError, EngineStartError, InvalidInputError
from streamdev.paths import StateDir, user_cache

START_TIMEOUT_S = 180.0
_TO_USE_IT = "To use it: ./dev.py down --keep, then ./dev.py up"
_START = "Start it: ./dev.py up"


def why_not(*, environ: Mapping[str, str]) -> str | None:
    """Why Compose can't be used on this machine, as a phrase; ``None`` if it can.

    Quick: a registry is asked for at most three seconds, and its "no" is remembered for ten
    minutes.

    Raises:
        InvalidInputError: ``LOCALSTACK_IMAGE`` is no name of an image.
    """
    try:
        with connected(environ) as client:
            if images.find_image(client, environ) is None:
                name = images.asked_for(environ) or images.OFFICIAL
                memory = user_cache(environ) / "unpullable.json"
                if reason := images.why_not_pullable(client, name, memory):
                    return reason
            find_compose(environ)
    except DockerUnavailableError as error:
        return error.reason
    except NoComposeError:
        return "there is no Docker Compose"
    except EngineStartError as error:
        return error.message
    return None


@dataclass
class ComposeEngine:
    """The compose engine of one checkout.

    Attributes:
        state: The checkout's state folder.
        port: Where to listen; ``None`` for the port of a crashed engine, else 4566.
        region: The engine's region.
        environ: The user's environment.
        start_timeout: Seconds a start may take after the image is here.
    """

    state: StateDir
    port: int | None = None
    region: str = DEFAULT_REGION
    environ: Mapping[str, str] = field(default_factory=dict)
    start_timeout: float = START_TIMEOUT_S
    name: EngineName = "compose"

    @property
    def project(self) -> str:
        """The name of the Compose project."""
        return compose_files.project_name(self.state)

    def start(self, progress: Progress) -> EngineInfo:
        """Start the container, or do nothing if it runs.

        Safe to call from several processes at once, and to interrupt. Data of a container
        that died, or was stopped with ``keep``, is gone on with.

        Raises:
            EngineStartError: No Docker, no image, no free port, or it did not come up.
            InvalidInputError: The Compose file or ``LOCALSTACK_IMAGE`` can't be used.
        """
        with engine_lock(self.state, progress), connected(self.environ) as client:
            start = ComposeStart(
                self.state, self.region, self.environ, self.start_timeout, client, progress
            )
            record = self._record()
            container = find_container(client, self.project)
            if record and container and state_of(container).running:
                self._refuse_other_port(record)
                if (info := self._join(start, container, record)) is not None:
                    return info
            port = self.port or (record.port if record else DEFAULT_PORT)
            return _info(*start.run(port))

    def stop(self, *, keep: bool) -> bool:
        """Remove the containers and the network, and the volume unless ``keep``.

        Raises:
            DockerUnavailableError: Something may run, but the daemon does not answer.
        """
        with engine_lock(self.state):
            try:
                with connected(self.environ) as client:
                    ran = remove_project(
                        client, self.project, mark=engine_mark(self.state), keep=keep
                    )
            except DockerUnavailableError:
                if self._record() is None:
                    return False
                raise
            forget_record(self.state.engine_record)
            return ran

    def running(self) -> EngineInfo | None:
        """The engine as its record and its container tell.

        Raises:
            EngineNotRunningError: The container died or was removed, Docker does not answer,
                or the engine is still starting.
        """
        record = self._record()
        if record is None:
            return None
        try:
            with connected(self.environ) as client:
                container = find_container(client, self.project)
                if container is None:
                    raise EngineNotRunningError(
                        f"The engine's container (project {self.project}) was removed.",
                        hint="Start it again: ./dev.py up    Or clean up: ./dev.py down",
                    )
                state = state_of(container)
                if not state.running:
                    raise EngineNotRunningError(
                        f"The engine's container {container.name} ended: {state.ended}. "
                        f"{recent_words(container)}",
                        hint=cure(state.ended)
                        or "Go on with its data: ./dev.py up    Or clean up: ./dev.py down",
                    )
        except DockerUnavailableError as error:
            raise EngineNotRunningError(
                f"The engine's container can't be reached. {error.message}", hint=error.hint
            ) from error
        if not record.ready:
            raise EngineNotRunningError(
                f"The engine (container {container.name}) is still starting.",
                hint="Wait for it: ./dev.py up",
            )
        return _info(record, container)

    def read_log(
        self, *, since: datetime | None, follow: bool, stop: threading.Event
    ) -> Iterator[str]:
        """Lines of the container's log, and of its handlers' where those have their own."""
        with connected(self.environ) as client:
            container = find_container(client, self.project)
            if container is None:
                return
            handlers = None
            if variable_of(container, "LAMBDA_RUNTIME_EXECUTOR") == "docker":

                def handlers() -> list[Container]:
                    return handler_containers(client, engine_mark(self.state))

            yield from read_lines(
                client, str(container.id),
                since=since, follow=follow, stop=stop, handlers=handlers,
            )  # fmt: skip

    def volume(self) -> str | None:
        """The volume with its data; ``None`` where there is none, or no daemon to ask."""
        try:
            with connected(self.environ) as client:
                there = has_volume(client, self.project)
        except DockerUnavailableError:
            return None
        return compose_files.volume_name(self.project) if there else None

    def debugger(self, progress: Progress) -> str:
        """The folder in the container that ``debugpy`` is in, put there at the first call."""
        from streamdev.engine.environment import debugger_folder

        if compose_files.executor_of(self.environ) == "docker":
            raise InvalidInputError(
                "Handlers in AWS's own images (STREAMDEV_EXECUTOR=docker) can't be debugged.",
                hint="Run them as processes: unset it, then ./dev.py down --keep; ./dev.py up",
            )
        record = self._record()
        with connected(self.environ) as client:
            container = find_container(client, self.project)
            if record is None or container is None:
                raise EngineNotRunningError("The engine is not running.", hint=_START)
            folder = debugger_folder(
                progress,
                python_version=record.detail["python"],
                platform=record.detail["platform"],
            )
            return copy_folder(container, folder)

    # -- starting ------------------------------------------------------------------------

    def _record(self) -> EngineRecord | None:
        record = read_record(self.state.engine_record)
        return record if record and record.engine == self.name else None

    def _refuse_other_port(self, record: EngineRecord) -> None:
        if self.port is not None and self.port != record.port:
            raise EngineStartError(
                f"The engine of this checkout runs already, on port {record.port}.",
                hint=f"Stop it first: ./dev.py down --keep, then ./dev.py up --port {self.port}",
            )

    def _join(
        self, start: ComposeStart, container: Container, record: EngineRecord
    ) -> EngineInfo | None:
        """The running engine once it is ready; ``None`` when it has to be replaced."""
        self._note_edits(record, start.progress)
        self._note_settings(record, container, start.progress)
        if record.ready and readiness.probe(record.endpoint_url).ready:
            return _info(record, container)
        start.progress.step("Waiting for the engine that was started before")
        try:
            wait_until_ready(
                container,
                record.endpoint_url,
                timeout=self.start_timeout,
                progress=start.progress,
            )
        except EngineStartError as error:
            start.progress.note(f"The container that was running is replaced: {error.message}")
            remove_project(start.client, self.project, mark=engine_mark(self.state), keep=True)
            return None
        record = replace(record, ready=True)
        record.write(self.state.engine_record)
        return _info(record, container)

    def _note_edits(self, record: EngineRecord, progress: Progress) -> None:
        file = compose_files.compose_file(self.state.root.parent)
        for each in (file, file.with_name(compose_files.OVERRIDE_FILE_NAME)):
            if each.is_file() and each.stat().st_mtime > record.started.timestamp():
                progress.note(f"{each.name} was changed after the engine was started. {_TO_USE_IT}")

    def _note_settings(
        self, record: EngineRecord, container: Container, progress: Progress
    ) -> None:
        """What is asked for otherwise than the container that runs was made."""
        image = record.detail["image"].partition(" ")[0]
        asked = images.asked_for(self.environ)
        if asked not in (None, image):
            progress.note(f"The engine runs {image}, not {asked} (LOCALSTACK_IMAGE). {_TO_USE_IT}")
        runs = variable_of(container, "LAMBDA_RUNTIME_EXECUTOR") == "docker"
        executor = compose_files.executor_of(self.environ)
        if self.environ.get("STREAMDEV_EXECUTOR") and runs != (executor == "docker"):
            progress.note(
                f"The engine was started without STREAMDEV_EXECUTOR={executor}. {_TO_USE_IT}"
            )


def _info(record: EngineRecord, container: Container) -> EngineInfo:
    health = (container.attrs["State"].get("Health") or {}).get("Status") or "not checked"
    return EngineInfo(
        name=record.engine,
        endpoint_url=record.endpoint_url,
        version=record.version,
        started_at=record.started,
        has_plugins=True,
        detail={"container": str(container.name), "health": health} | record.detail,
        debug_port=record.debug_port,
    )
