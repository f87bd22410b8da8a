"""Any LocalStack-compatible endpoint that runs already: worked with, never started or stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from streamdev.engine.base import EngineInfo, EngineName, Progress
from streamdev.engine.readiness import get_json
from streamdev.errors import EngineNotRunningError, EngineStartError, InvalidInputError

ANSWER_TIMEOUT_S = 10.0
# Others that have LocalStack's health path (MiniStack does) name editions of their own.
LOCALSTACK_EDITIONS = ("community", "pro", "enterprise")


@dataclass
class ExternalEngine:
    """An endpoint of somebody else's.

    Attributes:
        endpoint_url: Where it answers, checked to be this machine's or allowed otherwise.
    """

    endpoint_url: str
    name: EngineName = "external"

    def start(self, progress: Progress) -> EngineInfo:
        """Find out that it answers.

        Raises:
            EngineStartError: It does not.
        """
        try:
            info = self.running()
        except EngineNotRunningError as error:
            raise EngineStartError(error.message, hint=error.hint) from error
        progress.note(
            f"Working with {self.endpoint_url}, which streamdev did not start: single records, "
            "their outcome and --wait need streamdev's plugins, so they are not told."
        )
        return info

    def stop(self, *, keep: bool) -> bool:
        """Refuse: who started it stops it.

        Raises:
            InvalidInputError: Always.
        """
        del keep
        raise InvalidInputError(
            f"{self.endpoint_url} was not started by streamdev, so it is not stopped either.",
            hint="Stop it the way it was started.",
        )

    def running(self) -> EngineInfo:
        """What it says of itself.

        Raises:
            EngineNotRunningError: Nothing answers there.
        """
        try:
            status, body = get_json(
                self.endpoint_url, "/_localstack/health", timeout=ANSWER_TIMEOUT_S
            )
        except OSError as error:
            raise EngineNotRunningError(
                f"Nothing answers at {self.endpoint_url} ({error.strerror or error}).",
                hint="Start what is to answer there, or correct --endpoint-url "
                "(STREAMDEV_ENDPOINT_URL).",
            ) from error
        told = body if status == 200 and isinstance(body, dict) else {}
        edition, version = told.get("edition"), told.get("version")
        return EngineInfo(
            name=self.name,
            endpoint_url=self.endpoint_url,
            version=str(version) if version and edition in LOCALSTACK_EDITIONS else None,
            started_at=None,
            has_plugins=False,
            detail={"says of itself": f"{edition} {version}"} if version else {},
        )

    def read_log(
        self, *, since: datetime | None, follow: bool, stop: threading.Event
    ) -> Iterator[str]:
        """Nothing: its log is not ours to read. What handlers print is in CloudWatch Logs."""
        del since, follow, stop
        return iter(())

    def debugger(self, progress: Progress) -> str:
        """Refuse: its handlers are not ours to start.

        Raises:
            InvalidInputError: Always.
        """
        del progress
        raise InvalidInputError(
            "Handlers of an external engine can't be debugged: streamdev does not start them.",
            hint="Use an engine of streamdev's: ./dev.py up --engine host",
        )
