"""Docker Compose as a program: which one there is, and running it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamdev.engine import subprocesses
from streamdev.engine.docker_client import disk_full, is_disk_full
from streamdev.engine.ports import free_port, holder_of
from streamdev.engine.subprocesses import CommandFailedError
from streamdev.errors import EngineStartError, InvalidInputError

PROBE_TIMEOUT_S = 30.0
# Long enough to pull an image that a hand-written file names beside ours.
RUN_TIMEOUT_S = 1800.0
# Compose v1 before this asks for a `version` key, which v2 calls obsolete.
OLDEST_V1 = (1, 27)
_SAYS_NOTHING = "Encountered errors while bringing up the project"


class NoComposeError(EngineStartError):
    """There is no Docker Compose, or too old a one."""


@dataclass(frozen=True)
class ComposeCommand:
    """A Docker Compose that works.

    Attributes:
        words: What its command line begins with.
        version: Its version, e.g. ``2.26.1``.
    """

    words: tuple[str, ...]
    version: str

    def __str__(self) -> str:
        return f"{' '.join(self.words)} {self.version}"


def find_compose(environ: Mapping[str, str]) -> ComposeCommand:
    """``docker compose`` (v2), else ``docker-compose`` (v1 or v2).

    Raises:
        NoComposeError: There is neither, or v1 older than 1.27.
    """
    path = environ.get("PATH")
    for words in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(words[0], path=path) is None:
            continue
        try:
            answer = subprocesses.run(
                [*words, "version", "--short"], environ=environ, timeout_s=PROBE_TIMEOUT_S
            )
        except CommandFailedError:
            continue  # a docker without the compose plugin
        found = re.search(r"(\d+)\.(\d+)\.\d+", answer)
        if found is None:
            continue
        if (int(found[1]), int(found[2])) < OLDEST_V1:
            raise NoComposeError(
                f"{' '.join(words)} {found[0]} is too old.",
                hint="Install Compose v2 (the package docker-compose-plugin or docker-compose), "
                "or work without: ./dev.py up --engine host",
            )
        return ComposeCommand(words, found[0])
    raise NoComposeError(
        "There is no Docker Compose: neither `docker compose` nor `docker-compose` works.",
        hint="Install it (the package docker-compose-plugin or docker-compose), or work "
        "without: ./dev.py up --engine host",
    )


@dataclass(frozen=True)
class ComposeProject:
    """One checkout's project: the same arguments for every call.

    Attributes:
        command: The Compose to run.
        name: The project's name.
        files: Its Compose files, the later over the earlier.
        environ: The whole environment, with what the files interpolate.
    """

    command: ComposeCommand
    name: str
    files: Sequence[Path]
    environ: Mapping[str, str]

    def create(self) -> None:
        """Create what is missing and renew what was changed, without starting it.

        Raises:
            EngineStartError: Compose says why not.
            InvalidInputError: A file can't be read or means nothing to Compose.
        """
        self._up("--no-start")

    def up(self) -> None:
        """Create what is missing, renew what was changed, start what does not run.

        Raises:
            EngineStartError: Compose says why not.
            InvalidInputError: A file can't be read or means nothing to Compose.
        """
        self._up("--detach")

    def _up(self, how: str) -> None:
        try:
            self._run("up", how, "--no-build", "--remove-orphans")
        except CommandFailedError as error:
            self._check_files()
            raise self._explained(error) from error

    def _check_files(self) -> None:
        """Find out whether a file is at fault; asked only when something failed."""
        try:
            self._run("config", "--quiet")
        except CommandFailedError as error:
            words = _last_words(error.output)
            if "neither an image nor a build context" in error.output:
                words = "it has no service named localstack"
            raise InvalidInputError(
                f"{self.files[0]} can't be used: {words}",
                hint=f"Mend it, or take back what was changed: git diff -- {self.files[0].name}",
            ) from error

    def _explained(self, error: CommandFailedError) -> EngineStartError:
        words = _last_words(error.output)
        if is_disk_full(error.output):
            return disk_full(words)
        taken = re.search(r":(\d+)\b.*(?:already in use|already allocated)", error.output)
        if taken:
            return EngineStartError(
                f"Port {taken[1]} is taken by {holder_of(int(taken[1]))}.",
                hint=f"Choose another: ./dev.py up --port {free_port()} (or STREAMDEV_PORT)",
            )
        return EngineStartError(
            f"{self.command} could not start LocalStack: {words}",
            hint="See the whole of it: ./dev.py up --debug",
        )

    def _run(self, *arguments: str) -> str:
        command = [*self.command.words, "--project-name", self.name]
        for file in self.files:
            command += ["--file", str(file)]
        return subprocesses.run(
            [*command, *arguments],
            environ=self.environ,
            cwd=self.files[0].parent,
            timeout_s=RUN_TIMEOUT_S,
        )


def _last_words(output: str) -> str:
    """What Compose says is wrong, without its account of what went well before."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if re.search(r"error|invalid|unsupported|failed", line, re.I)]
    # v1 tells each failure twice, for the container and for the service.
    plain = [re.sub(r"^ERROR: for \S+\s+", "", line) for line in told or lines]
    words = " ".join(list(dict.fromkeys(w for w in plain if _SAYS_NOTHING not in w))[-3:])
    return words if len(words) <= 500 else words[:497] + "..."
