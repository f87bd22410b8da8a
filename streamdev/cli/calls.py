"""Calling a pipeline's function with an event of one's own."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsNotFoundError
from streamdev.engine.base import require
from streamdev.errors import NotFoundError
from streamdev.observe.follow import output_of
from streamdev.semantics.outcome import Outcome, judge

if TYPE_CHECKING:
    from streamdev.cli.context import Context
    from streamdev.config.models import Pipeline

#: What an invocation may take besides the function's timeout: a cold start, a queue before it.
MARGIN_S = 60
# AWS gives the last 4 KB of what an invocation printed.
_TAIL = 4096
_LOG_WAIT_S = 10.0


@dataclass(frozen=True)
class Called:
    """How a call went.

    Attributes:
        answer: What the function returned, or its error in AWS's shape, as JSON.
        tail: The end of what it printed.
        began: When it was called (aware).
    """

    request_id: str
    outcome: Outcome
    answer: bytes
    tail: bytes
    began: datetime

    @property
    def result(self) -> Any:
        """The answer, read; as text where it is no JSON."""
        try:
            return json.loads(self.answer) if self.answer else None
        except ValueError:
            return self.answer.decode("utf-8", "replace")


def to_payload(event: Any) -> bytes:
    """An event as it is sent."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def call(ctx: Context, pipeline: Pipeline, payload: bytes) -> Called:
    """Run the pipeline's function, as it is deployed, and wait for it.

    Raises:
        NotFoundError: The function does not exist.
        TimedOutError: There is no answer long after its timeout.
    """
    began = datetime.now(UTC)
    function = pipeline.function
    try:
        answer = ctx.gateway.functions.invoke(
            function.name, payload, timeout_s=function.timeout + MARGIN_S
        )
    except AwsNotFoundError as error:
        raise NotFoundError(
            f"There is no function {function.name!r} in the engine.",
            hint="Make it: ./dev.py deploy",
        ) from error
    outcome = judge(
        answer.payload,
        is_error=answer.failed,
        logs=answer.tail.decode("utf-8", "replace"),
        report_failures=pipeline.mapping.report_batch_item_failures,
    )
    return Called(answer.request_id, outcome, answer.payload, answer.tail, began)


def printed(ctx: Context, called: Called) -> list[str]:
    """What the function printed, whole where the engine's log has it, else the last 4 KB."""
    lines: list[str] = []
    if len(called.tail) >= _TAIL and require(ctx.engine).has_plugins:
        stop = threading.Event()
        timer = threading.Timer(_LOG_WAIT_S, stop.set)
        timer.daemon = True
        timer.start()
        try:
            log = ctx.engine.read_log(since=called.began, follow=True, stop=stop)
            lines = output_of(log, called.request_id)
        finally:
            timer.cancel()
            stop.set()
    return lines or called.tail.decode("utf-8", "replace").splitlines()
