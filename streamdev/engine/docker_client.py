"""The connection to a Docker daemon, and its errors in words that tell them apart."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import docker
import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from streamdev.errors import EngineStartError

DEFAULT_HOST = "unix:///var/run/docker.sock"
PROBE_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_S = 60
_HOST_ENGINE = "Or work without Docker: ./dev.py up --engine host"


class DockerUnavailableError(EngineStartError):
    """There is no Docker daemon to work with.

    Attributes:
        reason: Why, as a phrase for the middle of a sentence.
    """

    def __init__(self, message: str, *, hint: str, reason: str) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class DiskFullError(EngineStartError):
    """The daemon's disk is full."""


def docker_host(environ: Mapping[str, str]) -> str:
    """The address of the daemon: ``DOCKER_HOST``, else the current context's, else the default.

    Docker Desktop, Colima and rootless Docker make a context of their own and leave the
    default socket to others.

    Raises:
        DockerUnavailableError: ``DOCKER_CONTEXT`` names a context that does not exist.
    """
    if host := environ.get("DOCKER_HOST"):
        return host
    name = environ.get("DOCKER_CONTEXT")
    try:
        context = ContextAPI.get_context(name) if name else ContextAPI.get_current_context()
    except DockerException as error:
        raise DockerUnavailableError(
            f"Docker's current context can't be used: {error}",
            hint="See which there are: docker context ls",
            reason="Docker's current context can't be used",
        ) from error
    if context is None:
        raise DockerUnavailableError(
            f"There is no Docker context named {name!r}.",
            hint="See which there are: docker context ls",
            reason=f"there is no Docker context {name!r}",
        )
    return str(context.Host or DEFAULT_HOST)


@contextmanager
def connected(environ: Mapping[str, str]) -> Iterator[docker.DockerClient]:
    """A client of the daemon that ``docker`` on the command line would talk to.

    Raises:
        DockerUnavailableError: None answers there, or it may not be used.
        EngineStartError: What the daemon refuses inside the block, in words.
    """
    host = docker_host(environ)
    _probe(host)
    try:
        client = docker.DockerClient(
            base_url=host,
            tls=kwargs_from_env(dict(environ)).get("tls", False) if environ else False,
            version="auto",
            timeout=REQUEST_TIMEOUT_S,
        )
    except (DockerException, requests.RequestException) as error:
        raise _no_answer(host, str(error)) from error
    try:
        yield client
    except APIError as error:
        raise explain(error) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _no_answer(host, "it stopped answering") from error
    finally:
        client.close()


def _probe(host: str) -> None:
    """Find out at once, and by its cause, whether the daemon's address can be reached."""
    parts = urlsplit(host)
    if parts.scheme != "unix" and parts.hostname not in (None, "localhost", "127.0.0.1", "::1"):
        raise DockerUnavailableError(
            f"The Docker daemon at {host} is on another machine: it can't mount this one's "
            "files, and its ports are not here.",
            hint=f"Use a daemon of this machine (DOCKER_HOST, docker context use). {_HOST_ENGINE}",
            reason="Docker's daemon is on another machine",
        )
    if parts.scheme == "unix":
        family, address = socket.AF_UNIX, parts.path
    elif parts.scheme in ("tcp", "http", "https") and parts.hostname:
        family, address = socket.AF_INET, ""
    else:
        return  # a named pipe, SSH: the client finds out
    try:
        if address:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(PROBE_TIMEOUT_S)
                probe.connect(address)
        else:
            target = (parts.hostname or "", parts.port or 2375)
            socket.create_connection(target, PROBE_TIMEOUT_S).close()
    except PermissionError as error:
        raise DockerUnavailableError(
            f"You may not use the Docker socket {address or host}.",
            hint="Add yourself to its group (sudo usermod -aG docker $USER), log in again. "
            + _HOST_ENGINE,
            reason="the Docker socket may not be used by this user",
        ) from error
    except OSError as error:
        absent = error.errno in (errno.ENOENT, errno.ECONNREFUSED)
        raise _no_answer(host, "" if absent else str(error)) from error


def _no_answer(host: str, why: str) -> DockerUnavailableError:
    because = f" ({why})" if why else ""
    return DockerUnavailableError(
        f"No Docker daemon answers at {host}{because}.",
        hint=f"Start Docker. {_HOST_ENGINE}",
        reason="no Docker daemon answers",
    )


def explain(error: APIError) -> EngineStartError:
    """What the daemon refused, as an error of ours."""
    text = str(error.explanation or error)
    if is_disk_full(text):
        return disk_full(text)
    return EngineStartError(
        f"Docker refused: {text}", hint="See what Docker says of itself: docker info"
    )


def is_disk_full(text: str) -> bool:
    """Whether these words of Docker, Compose or LocalStack tell of a full disk."""
    return any(mark in text for mark in ("no space left on device", "No space left on device"))


def disk_full(text: str) -> DiskFullError:
    """The error for a full disk; ``text`` is what told of it."""
    return DiskFullError(
        f"The disk that Docker keeps images and volumes on is full: {text.strip()[:300]}",
        hint="See what takes the room: docker system df    Remove what is unused: "
        "docker system prune",
    )
