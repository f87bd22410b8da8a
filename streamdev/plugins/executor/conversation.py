"""What is said between an environment and its runtime: init, and one invocation."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from streamdev.plugins.executor import errors
from streamdev.plugins.executor.errors import Failure
from streamdev.plugins.executor.function import Request
from streamdev.plugins.executor.process import (
    HandlerProcess,
    MemoryExceededError,
    ProcessEndedError,
)
from streamdev.plugins.executor.runtime_api import (
    InitError,
    InvocationError,
    Message,
    Next,
    Response,
)

MakeFailure = Callable[[str], Failure]
"""Words a failure, given the request id of the invocation that is told of it."""

_LAST_WORDS = 1.0


class FailedError(Exception):
    """The process can't go on, and is to be ended if it has not ended; carries why."""

    def __init__(self, failure: MakeFailure) -> None:
        super().__init__()
        self.failure = failure


def initialize(process: HandlerProcess, deadline: float) -> bool:
    """Wait until the runtime is ready for an invocation; false if that takes too long.

    Args:
        process: Just started.
        deadline: By ``time.monotonic()``.

    Raises:
        FailedError: The handler could not be loaded.
    """
    while True:
        message = _next_message(process, deadline, process.started)
        if message is None:
            return False
        if isinstance(message, Next):
            process.init_ms = (time.monotonic() - process.started) * 1000
            return True
        if isinstance(message, InitError):
            # It prints nothing after this, and its exit code is of no interest.
            raise FailedError(partial(errors.reported, message.body, message.error_type))


def is_waiting(process: HandlerProcess, deadline: float) -> bool:
    """Whether the runtime asks for an invocation; waits for its question until the deadline."""
    if process.api.waiting:
        return not process.exited
    try:
        return isinstance(process.next_message(deadline, time.monotonic()), Next)
    except (ProcessEndedError, MemoryExceededError):
        return False


def exchange(
    process: HandlerProcess, request: Request, begun: float, timeout: float
) -> tuple[bytes, bool]:
    """Hand an event over and take the answer: payload, and whether it is an error.

    Args:
        process: One whose runtime waits.
        request: The invocation.
        begun: When it began, by ``time.monotonic()``.
        timeout: Seconds it may take.

    Raises:
        FailedError: There is no answer of the handler's.
    """
    deadline = begun + timeout
    left = deadline - time.monotonic()
    timed_out = FailedError(partial(errors.timed_out, timeout))
    try:
        process.api.hand_over(request, int((time.time() + left) * 1000), left)
    except TimeoutError:
        raise timed_out from None
    except OSError:
        # The connection broke under our hands; the loop below finds out why.
        pass
    while True:
        message = _next_message(process, deadline, begun)
        if message is None:
            raise timed_out
        if (
            isinstance(message, Response | InvocationError)
            and message.request_id == request.request_id
        ):
            return _answer(process, message, deadline)


def _answer(
    process: HandlerProcess, message: Response | InvocationError, deadline: float
) -> tuple[bytes, bool]:
    process.memory.look_back()
    if process.memory.exceeded:
        raise FailedError(errors.out_of_memory)
    if isinstance(message, InvocationError):
        return message.body, True
    if message.body is None:
        # The runtime takes the refusal for its end, and prints why.
        is_waiting(process, min(deadline, time.monotonic() + _LAST_WORDS))
        raise FailedError(partial(errors.response_too_large, message.size))
    return message.body, False


def _next_message(process: HandlerProcess, deadline: float, since: float) -> Message | None:
    """As the process's own, with its end told as Lambda's failure."""
    try:
        return process.next_message(deadline, since)
    except MemoryExceededError:
        raise FailedError(errors.out_of_memory) from None
    except ProcessEndedError:
        raise FailedError(partial(errors.exited, process.end())) from None
