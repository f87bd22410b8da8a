"""Every invocation's start and end, as events, whichever executor runs it.

LocalStack's version manager takes all invocations: those of the API, asynchronous ones and those
of event source mappings. Its ``invoke`` is wrapped to tell the end, and that of the execution
environment to tell the start, when the invocation is neither throttled nor waiting any more.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localstack.aws.api.lambda_ import RequestTooLargeException, ServiceException
from localstack.services.lambda_.invocation.assignment import AssignmentException
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_models import Invocation, InvocationResult
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.utils.patch import patch
from localstack.utils.xray.trace_header import TraceHeader

from streamdev.plugins import log
from streamdev.plugins.executor.errors import EnvironmentStoppedError, ProcessStartError
from streamdev.semantics.outcome import (
    Failure,
    Outcome,
    judge,
    records_of,
    shown_records,
    table_of,
)

_REMEMBERED = 10_000
# Bytes of an event, invoked synchronously and asynchronously ("Lambda quotas").
_MAX_EVENT = 6 * 1024 * 1024
_MAX_ASYNC_EVENT = 1024 * 1024


@dataclass(frozen=True)
class InvocationContext:
    """What a mapping knows about an invocation it is about to make.

    Attributes:
        mapping: UUID of the mapping.
        attempt: 1 for the first try of this batch, then 2...
        table: Name of the table the records come from.
        records: The event's records as the function gets them, to spare parsing the payload.
        window: What a tumbling window adds to the event, or ``None``.
        report_failures: Whether ``batchItemFailures`` in the answer counts
            (``ReportBatchItemFailures``); ``None`` counts any.
    """

    mapping: str | None = None
    attempt: int = 1
    table: str | None = None
    records: Sequence[Mapping[str, Any]] | None = None
    window: Mapping[str, Any] | None = None
    report_failures: bool | None = None


@dataclass
class _Open:
    """An invocation that has not ended."""

    context: InvocationContext | None
    attempt: int = 1
    began: float = field(default_factory=time.monotonic)
    told: bool = False


class _Recent:
    """A small table that forgets its oldest entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str) -> Any:
        return self._entries.get(key)

    def pop(self, key: str) -> Any:
        return self._entries.pop(key, None)

    def put(self, key: str, value: Any) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > _REMEMBERED:
            self._entries.popitem(last=False)


_lock = threading.Lock()
_expected = _Recent()
_open: dict[str, _Open] = {}
_attempts = _Recent()
_traces = _Recent()


def expect(request_id: str, context: InvocationContext) -> None:
    """Tell beforehand what the invocation with this request id is about."""
    with _lock:
        _expected.put(request_id, context)


def outcome_of(result: InvocationResult, *, report_failures: bool | None = None) -> Outcome:
    """How an invocation ended.

    Args:
        result: As LocalStack's Lambda service returns it.
        report_failures: As in ``InvocationContext``.
    """
    return judge(
        result.payload or b"",
        is_error=bool(result.is_error),
        logs=result.logs or "",
        report_failures=report_failures,
    )


def request_of_trace(header: str) -> str | None:
    """The request id of the invocation that a trace header (``X-Amzn-Trace-Id``) comes from.

    AWS's SDKs pass on the header a handler was given. A tracer may have put a parent of its own
    in; then the trace's latest invocation is taken.
    """
    root, parent = _trace_ids(header)
    with _lock:
        found = _traces.get(f"{root};{parent}") or _traces.get(root)
    return found if isinstance(found, str) else None


def _trace_ids(header: str) -> tuple[str, str]:
    parts = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    return parts.get("Root", ""), parts.get("Parent", "")


def _trace(invocation: Invocation) -> None:
    """Give the invocation a trace segment of its own, as Lambda does, and remember it."""
    given = invocation.trace_context.get("aws_trace_header")
    header = TraceHeader(
        root=given.root if given else None,
        sampled=given.sampled if given else None,
        data=given.data if given else None,
        lineage=given.lineage if given else None,
    )
    header.ensure_root_exists().ensure_parent_exists()
    invocation.trace_context = {**invocation.trace_context, "aws_trace_header": header}
    with _lock:
        _traces.put(f"{header.root};{header.parent}", invocation.request_id)
        _traces.put(header.root, invocation.request_id)


def _begin(invocation: Invocation) -> _Open:
    with _lock:
        opened = _Open(_expected.pop(invocation.request_id))
        _open[invocation.request_id] = opened
    return opened


def _attempt_of(invocation: Invocation, context: InvocationContext | None) -> int:
    if context is not None:
        return context.attempt
    if invocation.invocation_type != "Event":
        return 1
    # The retries of an asynchronous invocation keep its request id.
    attempt = (_attempts.get(invocation.request_id) or 0) + 1
    _attempts.put(invocation.request_id, attempt)
    return attempt


def _tell_start(function: str, invocation: Invocation) -> None:
    with _lock:
        opened = _open.get(invocation.request_id)
        if opened is None or opened.told:
            return
        opened.told = True
        opened.began = time.monotonic()
        opened.attempt = _attempt_of(invocation, opened.context)
    context = opened.context or InvocationContext()
    records = context.records
    if records is None:
        records = records_of(invocation.payload)
    log.emit(
        "invocation.start",
        function=function,
        request_id=invocation.request_id,
        attempt=opened.attempt,
        mapping=context.mapping,
        table=context.table or table_of(records),
        batch_size=len(records),
        records=shown_records(records),
        **({"window": context.window} if context.window else {}),
    )


def _tell_end(function: str, invocation: Invocation, opened: _Open, outcome: Outcome) -> None:
    failure = outcome.failure
    duration_ms = outcome.duration_ms
    if duration_ms is None:
        duration_ms = round((time.monotonic() - opened.began) * 1000, 2)
    log.emit(
        "invocation.end",
        function=function,
        request_id=invocation.request_id,
        attempt=opened.attempt,
        mapping=opened.context.mapping if opened.context else None,
        outcome=outcome.kind,
        duration_ms=duration_ms,
        memory_mib=outcome.memory_mib,
        init_ms=outcome.init_ms,
        error=(
            {"type": failure.type, "message": failure.message, "trace": list(failure.trace)}
            if failure
            else None
        ),
        failures=list(outcome.failures),
        answer=outcome.answer,
    )


def install() -> None:
    """Wrap LocalStack's invocation layer; to be called once."""
    patch(ExecutionEnvironment.invoke)(_invoke_in_environment)
    patch(LambdaVersionManager.invoke)(_invoke_version)
    patch(LambdaService.invoke)(_invoke_service)


def _invoke_service(fn: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Refuse what is too large for an event, as Lambda's quotas say; LocalStack takes any."""
    is_async = kwargs.get("invocation_type") == "Event"
    limit = _MAX_ASYNC_EVENT if is_async else _MAX_EVENT
    if len(kwargs.get("payload") or b"") > limit:
        raise RequestTooLargeException(
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
            Type="User",
        )
    return fn(self, *args, **kwargs)


def _invoke_in_environment(fn: Any, self: Any, invocation: Invocation) -> Any:
    _trace(invocation)
    _tell_start(self.function_version.id.function_name, invocation)
    return fn(self, invocation)


def _invoke_version(fn: Any, self: Any, *, invocation: Invocation) -> Any:
    function = self.function_version.id.function_name
    opened = _begin(invocation)
    try:
        result = fn(self, invocation=invocation)
    except Exception as error:
        # Throttled, or the function is being replaced: it did not start, so it has no end.
        if opened.told:
            failure = Failure(type(error).__name__, str(error))
            _tell_end(function, invocation, opened, Outcome("crash", failure))
        if isinstance(error, AssignmentException | EnvironmentStoppedError | ProcessStartError):
            # Lambda's own failure, not the function's: the caller may try again.
            raise ServiceException(str(error)) from error
        raise
    else:
        # An environment that failed to start answers without having been invoked.
        _tell_start(function, invocation)
        report_failures = opened.context.report_failures if opened.context else None
        outcome = outcome_of(result, report_failures=report_failures)
        _tell_end(function, invocation, opened, outcome)
        return result
    finally:
        with _lock:
            _open.pop(invocation.request_id, None)
