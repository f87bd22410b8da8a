"""botocore's exceptions as streamdev's, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as AnyConnectionError

from streamdev.errors import (
    EngineNotRunningError,
    InvalidInputError,
    NotFoundError,
    StreamdevError,
    TimedOutError,
)


class AwsError(StreamdevError):
    """An AWS call was refused.

    Attributes:
        code: AWS's error code, such as ``ConditionalCheckFailedException``.
        operation: The API operation, such as ``PutItem``.
    """

    def __init__(
        self, message: str, *, code: str = "", operation: str = "", hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.operation = operation


class AwsNotFoundError(AwsError, NotFoundError):
    """The table, function, queue... that the call names does not exist."""


class AwsInvalidError(AwsError, InvalidInputError):
    """AWS refused the values of the call."""


_NOT_FOUND = frozenset(
    {
        "ResourceNotFoundException",
        "NoSuchEntity",
        "NoSuchBucket",
        "NotFound",
        "404",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
    }
)
_INVALID = frozenset(
    {
        "ValidationException",
        "ValidationError",
        "InvalidParameterValueException",
        "InvalidParameterValue",
        "InvalidParameter",
        "SerializationException",
    }
)


@contextmanager
def translated(endpoint_url: str) -> Iterator[None]:
    """Raise botocore's errors of the block as streamdev's.

    Raises:
        EngineNotRunningError: Nothing answers at ``endpoint_url``.
        TimedOutError: It took the call and did not answer it.
        AwsNotFoundError: What the call names does not exist.
        AwsInvalidError: AWS, or boto3 before it, refused the values.
        AwsError: Any other refusal.
    """
    try:
        yield
    except (
        EndpointConnectionError,
        ConnectTimeoutError,
        ConnectionClosedError,
    ) as error:
        raise EngineNotRunningError(
            f"Nothing answers at {endpoint_url}.", hint="Start the engine: ./dev.py up"
        ) from error
    except ReadTimeoutError as error:
        raise TimedOutError(
            f"{endpoint_url} took a call and did not answer it.",
            hint="See what it does: ./dev.py logs --raw",
        ) from error
    except AnyConnectionError as error:
        raise EngineNotRunningError(
            f"{endpoint_url} can't be reached: {error}", hint="Check: ./dev.py status"
        ) from error
    except ClientError as error:
        raise _refusal(error) from error
    except ParamValidationError as error:
        # boto3's report has a line a problem under a heading; the problems are what matters.
        problems = str(error.kwargs.get("report", error)).replace("\n", "; ")
        raise AwsInvalidError(problems, code="ParamValidation") from error
    except BotoCoreError as error:
        raise AwsError(str(error), code=type(error).__name__) from error


def _refusal(error: ClientError) -> AwsError:
    details = error.response.get("Error", {})
    code, operation = details.get("Code", ""), error.operation_name
    message = f"{operation}: {details.get('Message') or 'no message'} ({code})"
    if code in _NOT_FOUND:
        return AwsNotFoundError(message, code=code, operation=operation)
    if code in _INVALID:
        return AwsInvalidError(message, code=code, operation=operation)
    return AwsError(message, code=code, operation=operation)
