"""The errors people can act on. Each says what went wrong and, in ``hint``, what to do next.

The library raises these; only the command line turns them into words and exit codes
(``streamdev.cli.exit_codes``).
"""

from __future__ import annotations


class StreamdevError(Exception):
    """Base of every error streamdev raises on purpose.

    Args:
        message: What failed and where, one line where possible.
        hint: What to do next, one line; shown under the message.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInputError(StreamdevError):
    """What the user typed or wrote (an option, an item, pipelines.toml) can't be used."""


class EngineNotRunningError(StreamdevError):
    """A command needs the engine and none runs, or it died."""


class EngineStartError(StreamdevError):
    """The engine could not be started."""


class DeployError(StreamdevError):
    """What pipelines.toml asks for could not be brought about."""


class NotFoundError(StreamdevError):
    """A named thing (pipeline, item, table, function) does not exist."""


class TimedOutError(StreamdevError):
    """Something did not happen within the time given."""
