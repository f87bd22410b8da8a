"""Waiting for LocalStack's container, and telling why it did not come up."""

from __future__ import annotations

import time

from docker.errors import NotFound
from docker.models.containers import Container

from streamdev.engine import readiness
from streamdev.engine.base import Progress
from streamdev.engine.compose_files import DATA
from streamdev.engine.container import DISK_FULL, free_space, recent_lines, state_of
from streamdev.engine.docker_client import disk_full
from streamdev.errors import EngineStartError

ALIVE_INTERVAL_S = 0.25
# A start takes a few seconds; where it takes longer, there may be no room for the data.
PATIENCE_WITHOUT_A_LOOK_S = 8.0
LEAST_SPACE = 1_000_000


def wait_until_ready(
    container: Container, endpoint_url: str, *, timeout: float, progress: Progress
) -> readiness.Health:
    """Wait until LocalStack in the container can be worked with.

    Args:
        container: It.
        endpoint_url: Where it is to answer.
        timeout: Seconds it has.
        progress: Told when its status changes.

    Raises:
        EngineStartError: It ended, or was not ready in time.
    """
    alive = _Alive(container)
    try:
        return readiness.wait_until_ready(
            lambda: readiness.probe(endpoint_url),
            alive=alive,
            recent_output=lambda: recent_words(container),
            timeout=timeout,
            progress=progress,
        )
    except EngineStartError as error:
        if alive.ended and alive.ended.startswith(DISK_FULL):
            raise disk_full(f"there is no room for LocalStack's data ({DATA})") from error
        if hint := cure(alive.ended):
            raise EngineStartError(error.message, hint=hint) from error
        raise


class _Alive:
    """Asks Docker a few times a second how the container ended, if it did."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._asked = 0.0
        self._look_at_disk_at = time.monotonic() + PATIENCE_WITHOUT_A_LOOK_S
        self.ended: str | None = None

    def __call__(self) -> str | None:
        if self.ended is None and time.monotonic() - self._asked > ALIVE_INTERVAL_S:
            self._asked = time.monotonic()
            try:
                self.ended = state_of(self._container).ended or self._disk()
            except NotFound:
                self.ended = "its container was removed"
        return self.ended

    def _disk(self) -> str | None:
        """A full disk, which makes DynamoDB Local wait instead of ending."""
        if time.monotonic() < self._look_at_disk_at:
            return None
        self._look_at_disk_at = float("inf")
        left = free_space(self._container)
        return DISK_FULL if left is not None and left < LEAST_SPACE else None


def recent_words(container: Container) -> str:
    """The last lines of the container's log, as the end of an error message."""
    lines = recent_lines(container)
    if not lines:
        return "Its log is empty."
    return "\n".join(["The last lines of its log:", *(f"  {line}" for line in lines)])


def cure(ended: str | None) -> str | None:
    """What to do about such an end, where there is something particular to do."""
    if ended and ended.startswith("out of memory"):
        return "Give it more: ./dev.py down --keep, then STREAMDEV_MEMORY=6g ./dev.py up"
    return None
