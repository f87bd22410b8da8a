"""Calls the function, directly in LocalStack's process."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localstack.aws.api import ServiceException
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.utils.xray.trace_header import TraceHeader

from streamdev.plugins import invocations
from streamdev.plugins.loops import LoopGuard
from streamdev.semantics.cascades import Chain
from streamdev.semantics.records import Record


class NotReachedError(Exception):
    """The function was not run: throttled, missing, not active yet, or the engine is stopping."""


@dataclass(frozen=True)
class Answer:
    """What an invocation came to.

    Attributes:
        request_id: Of the invocation.
        payload: What the function returned, or its error, as JSON.
        function_error: ``Unhandled`` or ``Handled`` when it failed, else ``None``.
        version: The version that ran.
    """

    request_id: str
    payload: bytes
    function_error: str | None
    version: str


class Invoker:
    """Invokes one function for one mapping.

    Args:
        service: Gives LocalStack's Lambda service (another one after its state was reset).
        function_arn: The function, with its qualifier if the mapping names one.
        mapping: The mapping's UUID.
        table: The table the records come from.
        report_failures: Whether ``batchItemFailures`` counts.
        guard: Told of invocations and what caused them.
    """

    def __init__(
        self,
        service: Callable[[], Any],
        function_arn: str,
        *,
        mapping: str,
        table: str,
        report_failures: bool,
        guard: LoopGuard,
    ) -> None:
        self._service = service
        self._mapping = mapping
        self._table = table
        self._report_failures = report_failures
        self._guard = guard
        located = function_locators_from_arn(function_arn)
        self.function, self._qualifier, self._account, self._region = located

    def invoke(
        self,
        payload: bytes,
        records: tuple[Record, ...],
        attempt: int,
        chain: Chain,
        window: Mapping[str, Any] | None,
    ) -> Answer:
        """Run the function and wait for it.

        Args:
            payload: The event as JSON.
            records: The same records, for the log.
            attempt: Which try this is, from 1.
            chain: What causes the function's writes.
            window: What a tumbling window adds to the event, for the log.

        Raises:
            NotReachedError: It was not run.
        """
        request_id = str(uuid.uuid4())
        context = invocations.InvocationContext(
            mapping=self._mapping,
            attempt=attempt,
            table=self._table,
            records=[record.event for record in records],
            window=window,
            report_failures=self._report_failures,
        )
        invocations.expect(request_id, context)
        self._guard.invoked(request_id, chain)
        try:
            result = self._service().invoke(
                function_name=self.function,
                qualifier=self._qualifier,
                region=self._region,
                account_id=self._account,
                invocation_type="RequestResponse",
                client_context=None,
                request_id=request_id,
                payload=payload,
                trace_context={"aws_trace_header": TraceHeader().ensure_root_exists()},
            )
        except ServiceException as error:
            raise NotReachedError(f"{error.code}: {error.message}") from error
        except AttributeError as error:
            # LocalStack 4.7.0 does not check that the version exists.
            raise NotReachedError(f"no such version of {self.function}: {error}") from error
        finally:
            self._guard.returned(request_id)
        return Answer(
            request_id=request_id,
            payload=result.payload or b"",
            function_error="Unhandled" if result.is_error else None,
            version=result.executed_version or "$LATEST",
        )
