"""A client of the Lambda Runtime API in plain Python, where AWS's ``awslambdaric`` can't be had.

``awslambdaric`` needs a C extension that is published for Linux only. This does what it does,
and says what it says: the same error types, messages and log lines, the same context object, the
same JSON. It runs in the handler's process and imports nothing of streamdev.
"""

import http.client
import importlib
import json
import logging
import math
import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

_BASE = "/2018-06-01/runtime"
_UNESCAPED_SINCE = (3, 12)  # AWS's runtimes from here on write non-ASCII text as it is
_request_id = ""


class _Fault(Exception):  # noqa: N818 - no error of the handler's
    """An error that the runtime words itself, without a stack trace of its own."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.result: dict[str, Any] = {
            "errorMessage": message,
            "errorType": kind,
            "requestId": "",
            "stackTrace": trace or [],
        }


class _Context:
    """What a handler gets as its second argument."""

    def __init__(self, headers: Any) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.tenant_id = None
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        client = headers["Lambda-Runtime-Client-Context"]
        self.client_context = _client_context(json.loads(client)) if client else None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Print without a line end, as AWS's context does."""
        sys.stdout.write(str(message))


def _client_context(given: dict[str, Any]) -> SimpleNamespace:
    client = given.get("client")
    if client is not None:
        names = "installation_id app_title app_package_name app_version_name app_version_code"
        client = SimpleNamespace(**{name: client.get(name) for name in names.split()})
    return SimpleNamespace(custom=given.get("custom"), env=given.get("env"), client=client)


class _Flushing:
    """A text stream that writes at once, so that output keeps its order."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def writelines(self, texts: list[str]) -> None:
        self._stream.writelines(texts)
        self._stream.flush()


class _JsonFormatter(logging.Formatter):
    """Log lines of functions whose log format is JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0]:
            line["stackTrace"] = traceback.format_tb(record.exc_info[2])
            line["errorType"] = record.exc_info[0].__name__
            line["errorMessage"] = str(record.exc_info[1])
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        line["requestId"] = _request_id
        return json.dumps(line, ensure_ascii=False, default=str)


class _LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = _request_id
        sys.stdout.write(self.format(record) + "\n")


def _set_up_logging() -> None:
    logging.Formatter.converter = time.gmtime
    handler = _LogHandler()
    if _json_logs():
        handler.setFormatter(_JsonFormatter())
    else:
        text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
        handler.setFormatter(logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)
    root.addHandler(handler)


def _json_logs() -> bool:
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def _print_error(result: dict[str, Any]) -> None:
    if _json_logs():
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        print(json.dumps({"timestamp": at, "level": "ERROR", **result}, ensure_ascii=False))
        return
    lines = [f"[ERROR] {result['errorType']}: {result['errorMessage']}"]
    lines.append("Traceback (most recent call last):")
    for frame in result["stackTrace"]:
        for line in frame.splitlines():
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    sys.stdout.write("\n".join(lines) + "\n")


def _load(handler: str) -> Callable[[Any, _Context], Any]:
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise _Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {reason}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise _Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise _Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise _Fault("Runtime.UserCodeSyntaxError", message, trace) from None
    try:
        function: Callable[[Any, _Context], Any] = getattr(module, function_name)
    except AttributeError:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise _Fault("Runtime.HandlerNotFound", message) from None
    return function


def _raised(error: BaseException, request_id: str = "") -> dict[str, Any]:
    """The error object of an exception of the handler's, without the frames of this file."""
    frames = [
        (frame.filename, frame.lineno or 0, frame.name, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    own = [file == __file__ for file, *_ in frames]
    kept = frames[own.index(False) :] if False in own else []
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(kept),
    }


# Decimals are written as the numbers they are: first as marked texts, then without the marks.
_MARK = f"decimal-{uuid.uuid4().hex}:"


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return math.nan if value.is_nan() else f"{_MARK}{value}"
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _marshal(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    version = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python")[2]
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    try:
        text = json.dumps(value, default=_default, ensure_ascii=numbers < _UNESCAPED_SINCE)
    except Exception as error:
        message = f"Unable to marshal response: {error}"
        raise _Fault("Runtime.MarshalError", message) from None
    while _MARK in text:
        before, _, rest = text.partition(f'"{_MARK}')
        number, _, after = rest.partition('"')
        text = before + number + after
    return text.encode("utf-8")


class _Client:
    """The connection to the Runtime API; the process ends when that does."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def _call(
        self, method: str, path: str, body: bytes | None = None, error_type: str = ""
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if error_type:
            headers["Lambda-Runtime-Function-Error-Type"] = error_type
        try:
            self._connection.request(method, f"{_BASE}/{path}", body, headers)
            return self._connection.getresponse()
        except OSError:
            os._exit(1)  # LocalStack is gone: nobody wants an answer any more

    def next(self) -> tuple[Any, bytes]:
        answer = self._call("GET", "invocation/next")
        return answer.headers, answer.read()

    def post(self, path: str, body: bytes, error_type: str = "") -> None:
        answer = self._call("POST", path, body, error_type)
        answer.read()
        if answer.status != http.HTTPStatus.ACCEPTED:
            what = "Failed to post handler success response. Http response code:"
            print(f"[ERROR] [{int(time.time() * 1000)}] LAMBDA_RUNTIME {what} {answer.status}.")
            sys.exit(1)


def _invoke(client: _Client, function: Callable[[Any, _Context], Any]) -> None:
    global _request_id
    headers, body = client.next()
    _request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"] or ""
    try:
        answer = _marshal(function(_unmarshal(body), _Context(headers)))
    except _Fault as fault:
        result = {**fault.result, "requestId": _request_id}
    except Exception as error:
        result = _raised(error, _request_id)
    else:
        client.post(f"invocation/{_request_id}/response", answer)
        return
    _print_error(result)
    path = f"invocation/{_request_id}/error"
    client.post(path, json.dumps(result).encode(), result["errorType"])


def _unmarshal(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        message = f"Unable to unmarshal input: {error}"
        raise _Fault("Runtime.UnmarshalError", message) from None


def run(address: str, handler: str, before_loading: Callable[[], object]) -> None:
    """Load the handler, ``module.function``, and run invocations until the environment is ended.

    ``address`` is ``host:port`` of the Runtime API; ``before_loading`` is called when all is
    ready for the handler to be loaded.
    """
    sys.stdout = _Flushing(sys.stdout)
    sys.stderr = _Flushing(sys.stderr)
    client = _Client(address)
    result = None
    try:
        _set_up_logging()
        before_loading()
        function = _load(handler)
    except _Fault as fault:
        result = fault.result
    except Exception as error:
        result = _raised(error)
    if result is not None:
        _print_error(result)
        client.post("init/error", json.dumps(result).encode(), result["errorType"])
        sys.exit(1)
    while True:
        _invoke(client, function)
