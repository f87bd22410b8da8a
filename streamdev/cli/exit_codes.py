"""The exit codes, by name, and which error ends in which."""

from __future__ import annotations

from enum import IntEnum

from streamdev import errors


class ExitCode(IntEnum):
    """How a command ended (docs/cli.md lists them)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ENGINE_NOT_RUNNING = 3
    ENGINE_START_FAILED = 4
    DEPLOY_FAILED = 5
    NOT_FOUND = 6
    TIMED_OUT = 7
    INTERRUPTED = 130
    PIPE_CLOSED = 141


_BY_ERROR: dict[type[errors.StreamdevError], ExitCode] = {
    errors.InvalidInputError: ExitCode.USAGE,
    errors.EngineNotRunningError: ExitCode.ENGINE_NOT_RUNNING,
    errors.EngineStartError: ExitCode.ENGINE_START_FAILED,
    errors.DeployError: ExitCode.DEPLOY_FAILED,
    errors.NotFoundError: ExitCode.NOT_FOUND,
    errors.TimedOutError: ExitCode.TIMED_OUT,
}


def exit_code_of(error: errors.StreamdevError) -> ExitCode:
    """The exit code of ``error``, by its nearest known class."""
    for cls in type(error).__mro__:
        if cls in _BY_ERROR:
            return _BY_ERROR[cls]
    return ExitCode.FAILED
