"""How Lambda words the failures of an execution environment.

The shapes are those of AWS's answers to ``Invoke`` (``FunctionError: Unhandled``): a JSON object
with ``errorType`` and ``errorMessage``, and where the runtime itself reports the error also
``requestId`` and ``stackTrace``.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes of a response that Lambda takes: 6 MB and 100 bytes."""


@dataclass(frozen=True)
class Failure:
    """Why there is no answer of the handler's.

    Attributes:
        payload: What the caller gets.
        error_type: As the REPORT line names it.
        status: As the REPORT line says it, ``error`` or ``timeout``.
        lines: What the log tells before END; empty where the runtime told it already.
    """

    payload: bytes
    error_type: str
    status: str = "error"
    lines: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it was, and on a second line the last frame of the trace where there is one."""
        try:
            error = json.loads(self.payload)
            trace = [str(line).strip() for line in error.get("stackTrace") or ()]
            first = f"{error['errorType']}: {error['errorMessage']}"
        except (ValueError, KeyError, AttributeError):
            return self.payload.decode("utf-8", "replace")
        return "\n".join([first, *trace[-1:]])


class EnvironmentStoppedError(Exception):
    """The environment was ended from outside while it worked (the engine stops)."""


class ProcessStartError(Exception):
    """The handler's process could not be started at all."""


def _payload(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def timed_out(timeout: float, request_id: str) -> Failure:
    """The invocation took longer than the function's timeout.

    Args:
        timeout: The function's timeout in seconds.
        request_id: The invocation's.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = f"Task timed out after {timeout:.2f} seconds"
    message = f"RequestId: {request_id} Error: {told}"
    return Failure(
        _payload("Sandbox.Timedout", message),
        "Sandbox.Timedout",
        status="timeout",
        lines=(f"{at} {request_id} {told}", ""),
    )


def exited(returncode: int, request_id: str) -> Failure:
    """The handler's process ended by itself, or was killed by someone else.

    Args:
        returncode: As ``subprocess`` gives it: below zero for a signal.
        request_id: The invocation's.
    """
    if returncode == 0:
        reason = "Runtime exited without providing a reason"
    elif returncode < 0:
        reason = f"Runtime exited with error: signal: {_signal_name(-returncode)}"
    else:
        reason = f"Runtime exited with error: exit status {returncode}"
    return _ended(request_id, "Runtime.ExitError", reason)


def out_of_memory(request_id: str) -> Failure:
    """The processes of the function took more memory than the function has."""
    reason = "Runtime exited with error: signal: killed"
    return _ended(request_id, "Runtime.OutOfMemory", reason)


def _ended(request_id: str, error_type: str, reason: str) -> Failure:
    message = f"RequestId: {request_id} Error: {reason}"
    return Failure(_payload(error_type, message), error_type, lines=(message, error_type))


def response_too_large(size: int, _request_id: str) -> Failure:
    """The handler's answer is over the limit; ``size`` is its size in bytes."""
    error_type = "Function.ResponseSizeTooLarge"
    message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
    line = f"{error_type}: {message} It has {size} bytes."
    return Failure(_payload(error_type, message), error_type, lines=(line,))


def reported(payload: bytes, error_type: str | None, _request_id: str) -> Failure:
    """An error that the runtime reported and has printed itself."""
    if not error_type:
        try:
            error_type = json.loads(payload).get("errorType")
        except (ValueError, AttributeError):
            error_type = None
    return Failure(payload, error_type or "Runtime.Unknown")


# Go's words, in which Lambda's init process tells the signal.
_SIGNALS = {
    "SIGKILL": "killed",
    "SIGTERM": "terminated",
    "SIGSEGV": "segmentation fault",
    "SIGABRT": "aborted",
    "SIGBUS": "bus error",
    "SIGFPE": "floating point exception",
    "SIGILL": "illegal instruction",
    "SIGINT": "interrupt",
    "SIGHUP": "hangup",
    "SIGQUIT": "quit",
}


def _signal_name(number: int) -> str:
    try:
        return _SIGNALS.get(signal.Signals(number).name, f"signal {number}")
    except ValueError:
        return f"signal {number}"
