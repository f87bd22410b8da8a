"""One way to wait for an engine, whatever it runs in."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from streamdev.engine.base import Progress
from streamdev.errors import EngineStartError

POLL_INTERVAL_S = 0.03

Alive = Callable[[], str | None]
"""``None`` while the engine lives, else how it ended (``exit code 1``)."""


@dataclass(frozen=True)
class Health:
    """What an endpoint says of itself.

    Attributes:
        ready: Whether it can be worked with.
        status: Where it is, a phrase for people.
        version: LocalStack's version, if it told one.
        failed: It says that it will not become ready.
        database: DynamoDB's state as the plugins see it, ``None`` without plugins.
    """

    ready: bool
    status: str
    version: str | None = None
    failed: bool = False
    database: str | None = None


def get_json(endpoint_url: str, path: str, *, timeout: float = 5.0) -> tuple[int, Any]:
    """``GET`` a path of the endpoint; return status and parsed body (``None`` if no JSON).

    Raises:
        OSError: Nothing answers there.
    """
    parts = urlsplit(endpoint_url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(
        parts.hostname or "127.0.0.1", parts.port or (443 if secure else 80), timeout=timeout
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"no HTTP answer from {endpoint_url}: {error!r}") from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(body)
    except ValueError:
        return response.status, None


def probe(endpoint_url: str, *, timeout: float = 5.0) -> Health:
    """Ask an engine with streamdev's plugins how it is."""
    try:
        status, body = get_json(endpoint_url, "/_localstack/health", timeout=timeout)
    except OSError as error:
        return Health(False, f"LocalStack does not answer yet ({_reason(error)})")
    if status != 200 or not isinstance(body, dict):
        return Health(False, f"LocalStack answers with status {status}")
    version = body.get("version")
    try:
        status, body = get_json(endpoint_url, "/_streamdev/health", timeout=timeout)
    except OSError as error:
        return Health(False, f"the plugins do not answer ({_reason(error)})", version)
    if status != 200 or not isinstance(body, dict):
        return Health(False, f"the plugins answer with status {status}", version)
    database = str(body.get("dynamodb"))
    detail = f": {body['detail']}" if body.get("detail") else ""
    return Health(
        ready=database == "running",
        status=f"DynamoDB Local is {database}{detail}",
        version=version,
        failed=database == "failed",
        database=database,
    )


def wait_until_ready(
    check: Callable[[], Health],
    *,
    alive: Alive,
    recent_output: Callable[[], str],
    timeout: float,
    progress: Progress,
) -> Health:
    """Wait until ``check`` says ready.

    Args:
        check: Asks the engine how it is.
        alive: Tells when the engine has ended.
        recent_output: The last lines of its log, for the message when it fails.
        timeout: Seconds it has.
        progress: Told when its status changes.

    Raises:
        EngineStartError: It ended, failed, or took too long. The message holds its status
            and its recent output.
    """
    deadline = time.monotonic() + timeout
    shown = ""
    while True:
        ended = alive()
        if ended is not None:
            raise EngineStartError(
                f"LocalStack ended while it started ({ended}). {recent_output()}",
                hint="See what this machine lacks: ./dev.py doctor",
            )
        health = check()
        if health.ready:
            return health
        if health.failed:
            raise EngineStartError(
                f"The engine did not come up: {health.status}. {recent_output()}",
                hint="See what this machine lacks: ./dev.py doctor",
            )
        if time.monotonic() > deadline:
            raise EngineStartError(
                f"The engine was not ready after {timeout:.0f} s: {health.status}. "
                f"{recent_output()}",
                hint="A slow machine may need longer: STREAMDEV_START_TIMEOUT=300 ./dev.py up",
            )
        if health.version and health.status != shown:
            shown = health.status
            progress.step(shown)
        time.sleep(POLL_INTERVAL_S)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
