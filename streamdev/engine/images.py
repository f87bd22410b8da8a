"""LocalStack's image: which one, whether it is here, bringing it here, its version."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, ImageNotFound

from streamdev.engine.base import Progress
from streamdev.engine.docker_client import disk_full, is_disk_full
from streamdev.errors import EngineStartError, InvalidInputError

# The last community release; later tags stop at start without an auth token.
VERSION = "4.14.0"
OFFICIAL = f"localstack/localstack:{VERSION}"
OWN = f"streamdev/localstack:{VERSION}"

REGISTRY_TIMEOUT_S = 3
# How long "can't be pulled" is believed, so that an offline machine is not asked each time.
REMEMBERED_S = 600
_NO_PULL = "Build one here (make image), or work without Docker: ./dev.py up --engine host"


class ImageUnavailableError(EngineStartError):
    """The image is not here and can't be pulled."""


@dataclass(frozen=True)
class Image:
    """An image that is here.

    Attributes:
        name: As it was asked for, e.g. ``localstack/localstack:4.14.0``.
        id: Its content's hash.
        version: LocalStack's version in it, as far as the image tells.
        machine: Its processor architecture, as Docker names it (``amd64``, ``arm64``).
    """

    name: str
    id: str
    version: str | None
    machine: str


def asked_for(environ: Mapping[str, str]) -> str | None:
    """The image that ``LOCALSTACK_IMAGE`` names, if it does."""
    return environ.get("LOCALSTACK_IMAGE") or None


def find_image(client: docker.DockerClient, environ: Mapping[str, str]) -> Image | None:
    """The image to run if it is here: the one asked for, else LocalStack's, else our own.

    Raises:
        InvalidInputError: ``LOCALSTACK_IMAGE`` is no name of an image.
    """
    name = asked_for(environ)
    for candidate in (name,) if name else (OFFICIAL, OWN):
        try:
            found = client.images.get(candidate)
        except ImageNotFound:
            continue
        except APIError as error:
            _refuse_name(candidate, error)
            raise
        return Image(
            candidate,
            str(found.id),
            _version(candidate, found.attrs),
            str(found.attrs.get("Architecture") or ""),
        )
    return None


def _refuse_name(name: str, error: APIError) -> None:
    if error.status_code == 400 or "invalid reference" in str(error.explanation):
        raise InvalidInputError(
            f"LOCALSTACK_IMAGE is '{name}', which is no name of an image: {error.explanation}",
            hint=f"For instance: LOCALSTACK_IMAGE={OFFICIAL}",
        ) from error


def _version(name: str, attributes: Mapping[str, Any]) -> str | None:
    """What the image's environment says, as LocalStack's own does, else its tag."""
    for line in (attributes.get("Config") or {}).get("Env") or ():
        key, _, value = line.partition("=")
        if key == "LOCALSTACK_BUILD_VERSION" and value:
            return str(value)
    tag = re.search(r":(\d+\.\d+\.\d+)[^/:]*$", name)
    return tag[1] if tag else None


def ensure_image(
    client: docker.DockerClient, environ: Mapping[str, str], progress: Progress
) -> Image:
    """The image to run, pulled if it is not here.

    Raises:
        ImageUnavailableError: It is not here and can't be pulled.
        DiskFullError: There is no room for it.
        InvalidInputError: ``LOCALSTACK_IMAGE`` is no name of an image.
    """
    found = find_image(client, environ)
    if found is None:
        name = asked_for(environ) or OFFICIAL
        progress.step(f"Pulling {name}")
        _pull(client, name, progress)
        found = find_image(client, environ)
    if found is None:
        raise ImageUnavailableError(
            f"{asked_for(environ) or OFFICIAL} was pulled, but is not here.", hint=_NO_PULL
        )
    return found


def _pull(client: docker.DockerClient, name: str, progress: Progress) -> None:
    repository, tag = _split(name)
    layers: dict[str, tuple[int, int]] = {}
    try:
        for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if message := event.get("error"):
                raise _not_pulled(name, str(message))
            detail = event.get("progressDetail") or {}
            if event.get("status") == "Downloading" and "current" in detail:
                layers[event["id"]] = (detail["current"], detail.get("total") or 0)
            elif event.get("status") == "Download complete" and event.get("id") in layers:
                total = layers[event["id"]][1]
                layers[event["id"]] = (total, total)
            else:
                continue
            done = sum(layer[0] for layer in layers.values())
            progress.download(name, done, sum(layer[1] for layer in layers.values()) or None)
    except APIError as error:
        _refuse_name(name, error)
        raise _not_pulled(name, str(error.explanation or error)) from error


def _split(name: str) -> tuple[str, str | None]:
    """Repository and tag; a name without either tag or digest means ``latest``."""
    if "@" in name:
        return name, None
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return name, "latest"


def _not_pulled(name: str, why: str) -> EngineStartError:
    if is_disk_full(why):
        return disk_full(why)
    if re.search(r"manifest unknown|not found|denied|does not exist|unauthorized", why):
        return ImageUnavailableError(
            f"There is no image {name} to pull, or it needs a login: {why}",
            hint=f"LocalStack's last community image is {OFFICIAL}. {_NO_PULL}",
        )
    return ImageUnavailableError(
        f"The image {name} is not here, and its registry can't be reached: {why}",
        hint=_NO_PULL,
    )


def why_not_pullable(client: docker.DockerClient, name: str, memory: Path) -> str | None:
    """Ask the registry, through the daemon, whether ``name`` could be pulled.

    Args:
        client: The daemon.
        name: The image.
        memory: A file that remembers for ten minutes that it can't.

    Returns:
        ``None`` if it can, else the reason as a phrase.
    """
    if (told := _remembered(memory, name)) is not None:
        return told
    client.api.timeout, usual = REGISTRY_TIMEOUT_S, client.api.timeout
    try:
        client.api.inspect_distribution(name)  # type: ignore[no-untyped-call]
    except (APIError, requests.ConnectionError, requests.Timeout):
        reason = f"the image {name} is not here and can't be pulled"
    else:
        return None
    finally:
        client.api.timeout = usual
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"image": name, "reason": reason, "at": time.time()}), "utf-8")
    return reason


def _remembered(memory: Path, name: str) -> str | None:
    try:
        told = json.loads(memory.read_text(encoding="utf-8"))
        if told["image"] == name and 0 <= time.time() - told["at"] < REMEMBERED_S:
            return str(told["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None
