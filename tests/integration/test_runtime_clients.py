"""How a handler fares in an execution environment, with AWS's runtime client and with our own.

These drive the process executor without LocalStack around it; ``test_handlers.py`` goes through
the Lambda API.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamdev.engine.environment import handler_runtime
from streamdev.plugins.executor.environment import Environment
from streamdev.plugins.executor.errors import EnvironmentStoppedError
from streamdev.plugins.executor.function import Function, Host, LogSettings, Request, Result
from streamdev.plugins.executor.waiting import WaitingEnvironment
from tests.support.project import eventually

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


class Silent:
    """Progress that nobody watches."""

    def step(self, message: str) -> None: ...

    def download(self, what: str, done: int, total: int | None) -> None: ...

    def note(self, message: str) -> None: ...


@pytest.fixture(scope="session")
def runtime_dir() -> Path:
    return handler_runtime(Silent())


@pytest.fixture(params=["awslambdaric", "own"])
def host(request: pytest.FixtureRequest, runtime_dir: Path, tmp_path: Path) -> Host:
    return Host(
        python=str(Path(sys.executable).resolve()),
        runtime_dir=runtime_dir,
        endpoint_url="http://127.0.0.1:1",
        temp_root=tmp_path / "temp",
        engine_id="test-engine",
        own_client=request.param == "own",
    )


class Handler:
    """A handler in an environment of its own."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.printed: list[tuple[str | None, bytes]] = []
        self._count = 0

    def invoke(self, event: Any = None) -> Result:
        self._count += 1
        request_id = f"request-{self._count}"
        payload = json.dumps(event).encode()
        return self.environment.invoke(Request(request_id, ARN, payload, "Root=1-2-3"))

    def answer(self, event: Any = None) -> Any:
        result = self.invoke(event)
        assert not result.is_error, result
        return json.loads(result.payload)

    def error(self, event: Any = None) -> dict[str, Any]:
        result = self.invoke(event)
        assert result.is_error, result
        loaded: dict[str, Any] = json.loads(result.payload)
        return loaded


def function_at(folder: Path) -> Function:
    """A function whose code is in ``folder``."""
    return Function(
        name="f",
        qualifier="$LATEST",
        account="000000000000",
        region="us-east-1",
        handler="handler.lambda_handler",
        runtime="python3.13",
        memory_mib=128,
        timeout=5,
        task_root=folder,
    )


Make = Callable[..., Handler]


@pytest.fixture
def make(host: Host, tmp_path: Path) -> Iterator[Make]:
    """Makes a handler of code; ``start`` loads it beforehand."""
    made: list[Handler] = []

    def make_handler(
        code: str,
        *,
        start: bool = True,
        init_timeout: float = 10,
        logs: LogSettings = LogSettings("group", "stream"),  # noqa: B008
        **changes: Any,
    ) -> Handler:
        root = tmp_path / f"task-{len(made)}"
        root.mkdir()
        (root / "handler.py").write_text(code, encoding="utf-8")
        function = replace(function_at(root), **changes)

        def write(_function: str, request_id: str | None, data: bytes) -> None:
            handler.printed.append((request_id, data))

        environment = Environment(function, replace(host, init_timeout=init_timeout), logs, write)
        handler = Handler(environment)
        made.append(handler)
        if start:
            assert environment.start() is None
        return handler

    yield make_handler
    for handler in made:
        handler.environment.kill()


# What a handler can tell of its process.
TELLS = """\
import logging
import os
import sys
import boto3
import library
import own

def lambda_handler(event, context):
    return {
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
        "finders": [getattr(one, "__name__", type(one).__name__) for one in sys.meta_path],
        "modules": sorted(sys.modules),
        "arguments": sys.argv[1:],
        "input": sys.stdin.read(),
        "files": len(os.listdir("/dev/fd")),
        "loggers": [type(handler).__name__ for handler in logging.getLogger().handlers],
        "stream": context.log_stream_name,
        "own": [own.VERSION, own.__file__],
        "library": [library.loaded_by, os.path.realpath(library.__file__)],
        "data": library.data(),
    }
"""
LIBRARY = """\
import os
import pathlib

loaded_by = os.getpid()
print("the library is loaded")

def data():
    return pathlib.Path(__file__).with_name("data.txt").read_text()
"""
OWN = ("handler", "own")


class Waiting:
    """A process that waits for the next version of a function, and makes handlers of it."""

    def __init__(self, host: Host, root: Path, **files: str) -> None:
        self.host, self.root = host, root
        self.printed: list[tuple[str | None, bytes]] = []
        function = self.version("one", **files)
        logs = LogSettings("group", "")
        self.environment = WaitingEnvironment(function, host, logs, self._write, OWN)

    def _write(self, _function: str, request_id: str | None, data: bytes) -> None:
        self.printed.append((request_id, data))

    def version(self, name: str, **files: str) -> Function:
        """A version of the function, in a folder of its own."""
        folder = self.root / name
        folder.mkdir()
        code = {"handler": TELLS, "own": f"VERSION = {name!r}\n", "library": LIBRARY} | files
        for module, text in code.items():
            (folder / f"{module}.py").write_text(text)
        (folder / "data.txt").write_text("some")
        return replace(
            function_at(folder), memory_mib=512, timeout=20, environment={"STAGE": "test"}
        )


@pytest.fixture
def waiting(host: Host, tmp_path: Path) -> Iterator[Callable[..., Waiting]]:
    """Makes processes that wait; ``files`` are code in place of what the version has."""
    made: list[Waiting] = []

    def make_waiting(**files: str) -> Waiting:
        made.append(Waiting(host, tmp_path, **files))
        return made[-1]

    yield make_waiting
    for one in made:
        one.environment.kill()


def test_a_process_that_waited_for_its_code_is_as_one_that_was_started_with_it(
    waiting: Callable[..., Waiting],
) -> None:
    early = waiting()
    eventually(lambda: early.environment.is_ready, what="all is imported ahead")
    pid = early.environment.pid
    # It was printed, but belongs to a version that is not there yet.
    assert early.printed == []
    function, logs = early.version("two"), LogSettings("group", "stream")
    assert early.environment.take_over(function, logs)
    assert early.environment.start() is None
    told = Handler(early.environment).answer()
    assert b"the library is loaded" in b"".join(data for _, data in early.printed)
    assert told["library"] == [pid, str(function.task_root / "library.py")]
    assert told["own"] == ["two", str(function.task_root / "own.py")]

    usual = Environment(function, early.host, logs, lambda *_: None)
    try:
        assert usual.start() is None
        expected = Handler(usual).answer()
    finally:
        usual.kill()
    for answer in (told, expected):
        # These are each environment's own.
        for name in ("HOME", "TMPDIR", "AWS_LAMBDA_RUNTIME_API"):
            del answer["variables"][name]
        del answer["library"]
    assert told == expected


@pytest.mark.parametrize(
    "library",
    [
        "import own\n",
        "try:\n    import own\nexcept ImportError:\n    pass\n",
        "import no_such_module\n",
        "raise SystemExit(1)\n",
    ],
)
def test_what_has_to_be_imported_with_the_code_is_not_imported_ahead(
    waiting: Callable[..., Waiting], library: str
) -> None:
    early = waiting(library=library)
    # At once: it may still be busy with what it can't do.
    assert not early.environment.take_over(early.version("two"), LogSettings("group", "s"))
    eventually(lambda: not early.environment.lives, what="it ends")


def test_an_edit_of_what_is_imported_first_makes_another_process_of_it(
    waiting: Callable[..., Waiting],
) -> None:
    early = waiting()
    edits = {
        "less": TELLS.replace("import boto3\n", ""),
        "before": TELLS.replace("import boto3\n", "os.environ['X'] = '1'\nimport boto3\n"),
        "other": TELLS.replace("import boto3\n", "import json\nimport boto3\n"),
    }
    for name, code in edits.items():
        version = early.version(name, handler=code)
        assert not early.environment.take_over(version, LogSettings("group", "s"))
    more = early.version("more", handler=TELLS.replace("import own\n", "import own\nimport csv\n"))
    assert early.environment.take_over(more, LogSettings("group", "s"))
    assert early.environment.start() is None
    assert "csv" in Handler(early.environment).answer()["modules"]


def test_a_process_that_waits_ends_with_its_environment(waiting: Callable[..., Waiting]) -> None:
    early = waiting()
    pid = early.environment.pid
    assert pid is not None
    folders = list(early.host.temp_root.iterdir())
    assert folders
    early.environment.kill()
    assert not psutil.pid_exists(pid)
    assert not any(folder.exists() for folder in folders)


RETURNS = "def lambda_handler(event, context):\n    return "


def test_the_answer_comes_back_and_the_output_has_aws_lines(make: Make) -> None:
    handler = make("def lambda_handler(event, context):\n    print('hello')\n    return event\n")
    result = handler.invoke({"text": "ä", "number": 1.5})
    assert json.loads(result.payload) == {"text": "ä", "number": 1.5}
    start, hello, end, report = result.logs.splitlines()
    assert start == "START RequestId: request-1 Version: $LATEST"
    assert hello == "hello"
    assert end == "END RequestId: request-1"
    fields = dict(field.split(": ", 1) for field in report.split("\t"))
    assert list(fields) == [
        "REPORT RequestId",
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ]
    assert fields["Memory Size"] == "128 MB"
    assert 5 < int(fields["Max Memory Used"].split()[0]) < 128


def test_an_environment_is_reused_and_inits_once(make: Make) -> None:
    handler = make("count = 0\ndef lambda_handler(event, context):\n"
                   "    global count\n    count += 1\n    return count\n")  # fmt: skip
    first, second = handler.invoke(), handler.invoke()
    assert (first.payload, second.payload) == (b"1", b"2")
    assert "Init Duration" in first.logs
    assert "Init Duration" not in second.logs


def test_the_context_says_what_aws_says(make: Make) -> None:
    code = (
        "def lambda_handler(event, context):\n"
        "    names = ['aws_request_id', 'invoked_function_arn', 'function_name',\n"
        "             'function_version', 'memory_limit_in_mb', 'log_group_name',\n"
        "             'log_stream_name', 'client_context']\n"
        "    return {**{name: getattr(context, name) for name in names},\n"
        "            'left': context.get_remaining_time_in_millis(),\n"
        "            'cognito': context.identity.cognito_identity_id}\n"
    )
    answer = make(code).answer()
    assert 4_000 < answer.pop("left") <= 5_000
    assert answer == {
        "aws_request_id": "request-1",
        "invoked_function_arn": ARN,
        "function_name": "f",
        "function_version": "$LATEST",
        "memory_limit_in_mb": "128",
        "log_group_name": "group",
        "log_stream_name": "stream",
        "client_context": None,
        "cognito": None,
    }


def test_the_environment_variables_are_aws_and_the_functions_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARENTS_SECRET", "leaked")
    monkeypatch.setenv("AWS_PROFILE", "leaked")
    code = "import os\ndef lambda_handler(event, context):\n    return dict(os.environ)\n"
    variables = make(code, environment={"STAGE": "test", "AWS_REGION": "mars"}).answer()

    assert "leaked" not in variables.values()
    assert variables["STAGE"] == "test"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert variables["_HANDLER"] == "handler.lambda_handler"
    assert variables["_X_AMZN_TRACE_ID"] == "Root=1-2-3"
    assert variables["AWS_ACCESS_KEY_ID"] == "test"
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert variables["STREAMDEV_ENGINE_ID"] == "test-engine"
    assert variables["HOME"] != os.environ.get("HOME")
    assert set(variables) == {
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "_HANDLER", "LANG"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_ENDPOINT_URL"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "TZ"),
        *("LAMBDA_RUNTIME_DIR", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PATH", "HOME"),
        *("AWS_SESSION_TOKEN", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "STAGE"),
        *("TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "AWS_EC2_METADATA_DISABLED"),
        *("STREAMDEV_ENGINE_ID", "_X_AMZN_TRACE_ID"),
    }


def test_only_its_package_and_what_aws_gives_can_be_imported(make: Make, runtime_dir: Path) -> None:
    code = (
        "import sys, boto3\n"
        "def lambda_handler(event, context):\n"
        "    return {'boto3': boto3.__file__, 'path': sys.path, 'exit': str(exit)}\n"
    )
    handler = make(code, memory_mib=512)
    answer = handler.answer()
    assert answer["boto3"].startswith(str(runtime_dir))
    assert "Use exit()" in answer["exit"]
    assert not any("site-packages" in path or ".venv" in path for path in answer["path"])


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        (
            "import pydantic_is_not_packaged\n",
            "Runtime.ImportModuleError",
            "Unable to import module 'handler': No module named 'pydantic_is_not_packaged'",
        ),
        (
            "def lambda_handler(:\n",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'handler': invalid syntax (handler.py, line 1)",
        ),
        (
            "def other(event, context): ...\n",
            "Runtime.HandlerNotFound",
            "Handler 'lambda_handler' missing on module 'handler'",
        ),
        ("raise KeyError('at init')\n", "KeyError", "'at init'"),
    ],
)
def test_a_handler_that_cannot_be_loaded_says_why(
    make: Make, code: str, error_type: str, message: str
) -> None:
    handler = make(code, start=False)
    failure = handler.environment.start()
    assert failure is not None
    assert failure.error_type == error_type

    result = handler.invoke()
    error = json.loads(result.payload)
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    assert f"[ERROR] {error_type}: {message}" in result.logs
    assert f"Status: error\tError Type: {error_type}" in result.logs
    # The next invocation tries again.
    assert handler.error()["errorType"] == error_type


def test_a_syntax_error_shows_its_place(make: Make) -> None:
    handler = make("x = 1\ndef lambda_handler(:\n", start=False)
    (frame,) = handler.error()["stackTrace"]
    assert 'handler.py" Line 2' in frame
    assert "def lambda_handler(:" in frame


def test_an_exception_comes_with_its_stack_trace(make: Make) -> None:
    handler = make("def lambda_handler(event, context):\n    return event['missing']\n")
    result = handler.invoke({})
    error = json.loads(result.payload)
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'missing'")
    assert error["requestId"] == "request-1"
    (frame,) = error["stackTrace"]
    assert 'handler.py", line 2, in lambda_handler' in frame
    assert "[ERROR] KeyError: 'missing'\nTraceback (most recent call last):\n" in result.logs
    assert handler.error({})["requestId"] == "request-2"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import sys; sys.exit(0)", "Runtime exited without providing a reason"),
        ("import sys; sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("import os; os._exit(4)", "Runtime exited with error: exit status 4"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("import os; os.abort()", "Runtime exited with error: signal: aborted"),
    ],
)
def test_a_handler_that_ends_its_process_is_replaced(
    make: Make, statement: str, reason: str
) -> None:
    handler = make(
        f"def lambda_handler(event, context):\n    if event:\n        {statement}\n    return 1\n"
    )
    assert handler.answer() == 1
    result = handler.invoke(True)
    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: request-2 Error: {reason}",
    }
    assert f"RequestId: request-2 Error: {reason}\nRuntime.ExitError\nEND " in result.logs
    replaced = handler.invoke()
    assert replaced.payload == b"1"
    assert "Init Duration" in replaced.logs


def test_a_handler_that_takes_too_long_is_killed_with_what_it_started(make: Make) -> None:
    code = (
        "import subprocess, sys, time\n"
        "def lambda_handler(event, context):\n"
        "    if not event:\n        return 1\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "    print('child', child.pid)\n    time.sleep(60)\n"
    )
    handler = make(code, timeout=1)
    assert handler.answer() == 1
    result = handler.invoke(True)
    assert json.loads(result.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: request-2 Error: Task timed out after 1.00 seconds",
    }
    assert "request-2 Task timed out after 1.00 seconds\n" in result.logs
    assert "\tDuration: 1000.00 ms\t" in result.logs
    assert result.logs.endswith("Status: timeout\n")
    child = int(result.logs.split("child ")[1].split()[0])
    eventually(lambda: not psutil.pid_exists(child), timeout=10)
    assert handler.answer() == 1


def test_more_memory_than_the_function_has_ends_it(make: Make) -> None:
    code = (
        "def lambda_handler(event, context):\n"
        "    if event:\n"
        "        blocks = [bytearray(10_000_000) for _ in range(60)]\n"
        "    return 1\n"
    )
    handler = make(code)
    assert handler.answer() == 1
    result = handler.invoke(True)
    assert json.loads(result.payload) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": "RequestId: request-2 Error: Runtime exited with error: signal: killed",
    }
    assert handler.answer() == 1


def test_the_memory_of_its_children_counts(make: Make) -> None:
    code = (
        "import subprocess, sys\n"
        "def lambda_handler(event, context):\n"
        "    hog = 'x = bytearray(300_000_000); import time; time.sleep(60)'\n"
        "    subprocess.run([sys.executable, '-S', '-c', hog])\n"
    )
    assert make(code, timeout=30).error()["errorType"] == "Runtime.OutOfMemory"


def test_a_response_over_6_mb_is_an_error(make: Make) -> None:
    handler = make(RETURNS + "'x' * event\n", memory_mib=512)
    assert len(handler.answer(6_291_554)) == 6_291_554
    result = handler.invoke(6_291_555)
    assert json.loads(result.payload) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    assert handler.answer(1) == "x"


def test_a_result_that_is_no_json_is_an_error(make: Make) -> None:
    error = make(RETURNS + "{'x': object()}\n").error()
    assert error["errorType"] == "Runtime.MarshalError"
    assert error["errorMessage"] == (
        "Unable to marshal response: Object of type object is not JSON serializable"
    )


def test_decimals_keep_their_digits(make: Make) -> None:
    code = (
        "from decimal import Decimal\n"
        "def lambda_handler(event, context):\n"
        "    return {'n': Decimal('12345678901234567890.1234567890'), 'text': 'ä'}\n"
    )
    payload = make(code).invoke().payload.decode()
    assert payload == '{"n": 12345678901234567890.1234567890, "text": "ä"}'


def test_layers_come_after_the_package_and_later_ones_first(make: Make, tmp_path: Path) -> None:
    layers = []
    for name in ("first", "second"):
        folder = tmp_path / name / "python"
        folder.mkdir(parents=True)
        (folder / "shared.py").write_text(f"where = {name!r}\n")
        (folder / f"only_{name}.py").write_text("")
        layers.append(tmp_path / name)
    handler = make(
        "import shared, only_first, only_second\n" + RETURNS + "shared.where\n",
        layers=tuple(layers),
    )
    assert handler.answer() == "second"


def test_the_callers_client_context_arrives(make: Make) -> None:
    handler = make(RETURNS + "[context.client_context.custom, context.client_context.env]\n")
    context = json.dumps({"custom": {"a": "1"}, "env": {"locale": "en"}, "client": None})
    result = handler.environment.invoke(Request("r", ARN, b"{}", client_context=context))
    assert json.loads(result.payload) == [{"a": "1"}, {"locale": "en"}]


def test_a_handler_may_open_as_many_files_as_on_aws(make: Make) -> None:
    handler = make("import resource\n" + RETURNS + "resource.getrlimit(resource.RLIMIT_NOFILE)\n")
    assert handler.answer() == [1024, 1024]


def test_json_log_lines(make: Make) -> None:
    code = (
        "import logging\n"
        "def lambda_handler(event, context):\n"
        "    logging.getLogger('mine').info('n is %d', 5)\n"
        "    logging.getLogger('mine').debug('not this')\n"
    )
    handler = make(code, logs=LogSettings("group", "stream", "JSON", "INFO"))
    lines = [line for line in handler.invoke().logs.splitlines() if line.startswith("{")]
    (entry,) = [json.loads(line) for line in lines]
    assert entry["level"] == "INFO"
    assert entry["message"] == "n is 5"
    assert entry["logger"] == "mine"
    assert entry["requestId"] == "request-1"


def test_stdout_and_stderr_keep_their_order(make: Make) -> None:
    code = (
        "import sys, logging, subprocess\n"
        "def lambda_handler(event, context):\n"
        "    for number in range(300):\n"
        "        print(number, file=sys.stdout if number % 2 else sys.stderr)\n"
        "    subprocess.run(['echo', 'a child'])\n"
        "    logging.warning('logged')\n"
        "    print('no end', end='')\n"
    )
    lines = make(code).invoke().logs.splitlines()
    assert lines[1:301] == [str(number) for number in range(300)]
    assert lines[301] == "a child"
    level, at, request_id, message = lines[302].split("\t")
    assert (level, request_id, message) == ("[WARNING]", "request-1", "logged")
    assert at.endswith("Z")
    assert lines[303] == "no end"
    assert lines[304].startswith("END ")


def test_a_hundred_thousand_lines_come_through(make: Make) -> None:
    code = (
        "def lambda_handler(event, context):\n"
        "    for number in range(100_000):\n        print('line', number)\n"
    )
    handler = make(code, timeout=60)
    result = handler.invoke()
    assert not result.is_error
    printed = b"".join(data for _, data in handler.printed).split(b"\n")
    lines = [line for line in printed if line.startswith(b"line ")]
    assert lines == [b"line %d" % number for number in range(100_000)]
    assert "bytes of output left out" in result.logs
    assert "line 99999\n" in result.logs


def test_invalid_utf8_goes_to_the_log_as_it_is(make: Make) -> None:
    code = "import os\ndef lambda_handler(event, context):\n    os.write(1, b'a\\xff\\xfeb\\n')\n"
    handler = make(code)
    assert "a\ufffd\ufffdb\n" in handler.invoke().logs
    assert any(b"a\xff\xfeb\n" in data for _, data in handler.printed)


def test_an_event_of_6_mb_is_handed_over(make: Make) -> None:
    handler = make(RETURNS + "len(event)\n", memory_mib=512)
    assert handler.answer("x" * 6_000_000) == 6_000_000


def test_an_init_that_takes_too_long_runs_again_in_the_invocation(make: Make) -> None:
    code = "import time\ntime.sleep(1)\n" + RETURNS + "1\n"
    handler = make(code, init_timeout=0.2)
    assert handler.answer() == 1


def test_an_init_that_never_ends_times_out_with_the_invocation(make: Make) -> None:
    code = "import time\ntime.sleep(60)\n" + RETURNS + "1\n"
    handler = make(code, init_timeout=0.2, timeout=1)
    assert handler.error()["errorType"] == "Sandbox.Timedout"


def test_a_process_that_is_killed_while_idle_costs_no_invocation(make: Make) -> None:
    handler = make("import os\n" + RETURNS + "os.getpid()\n")
    first = handler.answer()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(first), timeout=10)
    assert handler.answer() != first


def test_temporary_files_last_as_long_as_the_environment(make: Make) -> None:
    code = (
        "import os, tempfile\n"
        "def lambda_handler(event, context):\n"
        "    if event == 'end':\n        os._exit(1)\n"
        "    folder = tempfile.gettempdir()\n"
        "    found = os.listdir(folder)\n"
        "    open(os.path.join(folder, 'kept'), 'w').close()\n"
        "    return {'folder': folder, 'found': found}\n"
    )
    handler = make(code)
    folder = Path(handler.answer()["folder"])
    handler.error("end")
    assert handler.answer()["found"] == ["kept"]
    handler.environment.stop()
    assert not folder.exists()


def test_stop_lets_a_running_invocation_finish(make: Make) -> None:
    handler = make("import time\ndef lambda_handler(event, context):\n"
                   "    time.sleep(1)\n    return 'done'\n")  # fmt: skip
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(handler.invoke()))
    thread.start()
    eventually(lambda: b"START" in b"".join(data for _, data in handler.printed))
    handler.environment.stop()
    thread.join()
    assert results[0].payload == b'"done"'
    with pytest.raises(EnvironmentStoppedError):
        handler.invoke()


def test_kill_ends_a_running_invocation(make: Make) -> None:
    handler = make("import time\ndef lambda_handler(event, context):\n    time.sleep(60)\n",
                   timeout=60)  # fmt: skip
    raised: list[BaseException] = []

    def invoke() -> None:
        try:
            handler.invoke()
        except EnvironmentStoppedError as error:
            raised.append(error)

    thread = threading.Thread(target=invoke)
    thread.start()
    eventually(lambda: b"START" in b"".join(data for _, data in handler.printed))
    began = time.monotonic()
    handler.environment.kill(grace=0.5)
    thread.join()
    assert raised
    assert time.monotonic() - began < 5


def test_a_handler_dies_with_the_process_that_started_it(
    host: Host, tmp_path: Path, runtime_dir: Path
) -> None:
    (tmp_path / "handler.py").write_text(
        "import os, time\n"
        "def lambda_handler(event, context):\n"
        "    print('handler', os.getpid(), flush=True)\n    time.sleep(60)\n"
    )
    parent = (
        "import os, signal, threading\n"
        "from pathlib import Path\n"
        "from streamdev.plugins.executor.environment import Environment\n"
        "from streamdev.plugins.executor.function import *\n"
        f"function = Function('f', '1', '0', 'r', 'handler.lambda_handler', 'python3.13', 128, 60,"
        f" Path({str(tmp_path)!r}))\n"
        f"host = Host({host.python!r}, Path({str(runtime_dir)!r}), 'http://127.0.0.1:1',"
        f" Path({str(tmp_path / 'temp')!r}), own_client={host.own_client})\n"
        "def write(function, request_id, data):\n"
        "    os.write(1, data)\n"
        "    if b'handler' in data:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "environment = Environment(function, host, LogSettings('g', 's'), write)\n"
        "threading.Thread(target=environment.start).start()\n"
        "environment.invoke(Request('r', 'arn', b'{}'))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", parent], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    handler = int(ended.stdout.split(b"handler ")[1].split()[0])
    eventually(
        lambda: (
            not psutil.pid_exists(handler)
            or psutil.Process(handler).status() == psutil.STATUS_ZOMBIE
        ),
        timeout=10,
    )
