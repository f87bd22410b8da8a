"""Handlers on a running engine, by Lambda's API.

What an execution environment does in each case is tested in ``test_runtime_clients.py``; here it
is seen as a caller of the API sees it, and as the engine's log tells it.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from streamdev.semantics.log import parse
from tests.support.project import Project, eventually, unique

ROLE = "arn:aws:iam::000000000000:role/handlers"


@dataclass
class Invoked:
    """What ``Invoke`` answered."""

    payload: Any
    error: str | None
    log: str
    request_id: str


class Function:
    """A function of the test's own on the session's engine."""

    def __init__(self, project: Project, name: str) -> None:
        self.project = project
        self.name = name
        self.client = project.client("lambda")

    def invoke(self, event: Any = None, **options: Any) -> Invoked:
        answer = self.client.invoke(
            FunctionName=self.name, Payload=json.dumps(event), LogType="Tail", **options
        )
        payload = answer["Payload"].read()
        return Invoked(
            json.loads(payload) if payload else None,
            answer.get("FunctionError"),
            base64.b64decode(answer.get("LogResult", "")).decode(),
            answer["ResponseMetadata"]["RequestId"],
        )

    def answer(self, event: Any = None) -> Any:
        invoked = self.invoke(event)
        assert invoked.error is None, invoked
        return invoked.payload

    def logged(self) -> list[dict[str, Any]]:
        """Its invocations as ``logs`` shows them."""
        entries = self.project.run("logs", "--json").json_lines()
        return [entry for entry in entries if entry.get("function") == self.name]

    def printed(self) -> list[str]:
        """Its output as ``logs --raw`` shows it."""
        lines = self.project.run("logs", "--raw", "--json").json_lines()
        return [line["line"] for line in lines if line["function"] == self.name]

    def state(self) -> dict[str, Any]:
        configuration: dict[str, Any] = self.client.get_function_configuration(
            FunctionName=self.name
        )
        return configuration

    def wait(self) -> str:
        """Wait until it is created or updated; the state it has then."""
        eventually(
            lambda: (
                self.state()["State"] != "Pending"
                and self.state().get("LastUpdateStatus") != "InProgress"
            ),
            what=f"{self.name} leaves its pending state",
        )
        return str(self.state()["State"])


def zipped(code: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", code)
    return packed.getvalue()


Make = Callable[..., Function]


@pytest.fixture
def make(project: Project) -> Iterator[Make]:
    """Makes functions with this code; they are deleted after the test."""
    made: list[Function] = []

    def make_function(
        code: str,
        *,
        expect: str = "Active",
        runtime: str = "python3.13",
        project: Project = project,
        **options: Any,
    ) -> Function:
        function = Function(project, unique("handler"))
        variables = options.pop("environment", {})
        function.client.create_function(
            **{"Timeout": 10, "MemorySize": 256} | options,
            FunctionName=function.name,
            Runtime=runtime,
            Role=ROLE,
            Handler="handler.lambda_handler",
            Code={"ZipFile": zipped(code)},
            Environment={"Variables": variables},
        )
        made.append(function)
        assert function.wait() == expect, function.state()
        return function

    yield make_function
    for function in made:
        with suppress(function.client.exceptions.ResourceNotFoundException):
            function.client.delete_function(FunctionName=function.name)


def test_a_handler_that_raises(make: Make) -> None:
    function = make("def lambda_handler(event, context):\n    raise ValueError('no good')\n")
    invoked = function.invoke()
    assert invoked.error == "Unhandled"
    assert invoked.payload["errorType"] == "ValueError"
    assert invoked.payload["errorMessage"] == "no good"
    assert invoked.payload["requestId"] == invoked.request_id
    assert 'handler.py", line 2, in lambda_handler' in invoked.payload["stackTrace"][0]
    assert "[ERROR] ValueError: no good" in invoked.log

    (logged,) = function.logged()
    assert (logged["outcome"], logged["request_id"]) == ("error", invoked.request_id)
    assert logged["error"]["type"] == "ValueError"
    assert any("line 2, in lambda_handler" in line for line in logged["error"]["trace"])


def test_a_handler_that_times_out(make: Make) -> None:
    code = "import time\ndef lambda_handler(event, context):\n    time.sleep(event)\n    return 1\n"
    function = make(code, Timeout=1)
    invoked = function.invoke(30)
    assert invoked.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {invoked.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert "Task timed out after 1.00 seconds" in invoked.log
    assert function.answer(0) == 1
    assert [entry["outcome"] for entry in function.logged()] == ["timeout", "ok"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import sys; sys.exit(2)", "Runtime exited with error: exit status 2"),
        ("import os; os._exit(3)", "Runtime exited with error: exit status 3"),
    ],
)
def test_a_handler_that_exits(make: Make, statement: str, reason: str) -> None:
    code = (
        f"def lambda_handler(event, context):\n    if event:\n        {statement}\n    return 1\n"
    )
    function = make(code)
    invoked = function.invoke(True)
    assert invoked.error == "Unhandled"
    assert invoked.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invoked.request_id} Error: {reason}",
    }
    assert function.answer() == 1
    assert [entry["outcome"] for entry in function.logged()] == ["crash", "ok"]


def test_a_handler_that_takes_too_much_memory(make: Make) -> None:
    code = "def lambda_handler(event, context):\n    return len(bytearray(event))\n"
    function = make(code, MemorySize=128)
    invoked = function.invoke(900_000_000)
    assert invoked.payload["errorType"] == "Runtime.OutOfMemory"
    assert "signal: killed" in invoked.payload["errorMessage"]
    assert function.answer(10) == 10


def test_a_handler_that_prints_a_million_lines(own_project: Project, make: Make) -> None:
    code = (
        "def lambda_handler(event, context):\n"
        "    for number in range(1_000_000):\n        print(number)\n    return 'done'\n"
    )
    # On an engine of its own: its log is long to read for the tests after it.
    own_project.run("up", timeout=600)
    function = make(code, Timeout=200, project=own_project)
    function.client = own_project.gateway.patient_client("lambda", 250)
    assert function.answer() == "done"
    eventually(function.logged, timeout=60, interval=5)
    printed = own_project.run("logs", "--raw").stdout.split("\n")
    numbers = [line for line in printed if line.isdigit()]
    assert len(numbers) == 1_000_000
    assert numbers == [str(number) for number in range(1_000_000)]


def test_a_handler_that_prints_invalid_utf8(make: Make) -> None:
    code = "import os\ndef lambda_handler(event, context):\n    os.write(1, b'a\\xff\\xfeb\\n')\n"
    function = make(code)
    invoked = function.invoke()
    assert invoked.error is None
    assert "a\ufffd\ufffdb\n" in invoked.log
    assert "a\ufffd\ufffdb" in function.printed()


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        (
            "import rich\ndef lambda_handler(event, context): ...\n",
            "Runtime.ImportModuleError",
            "Unable to import module 'handler': No module named 'rich'",
        ),
        (
            "import localstack\ndef lambda_handler(event, context): ...\n",
            "Runtime.ImportModuleError",
            "Unable to import module 'handler': No module named 'localstack'",
        ),
        (
            "def lambda_handler(event, context)\n",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'handler': expected ':' (handler.py, line 1)",
        ),
        (
            "def other(event, context): ...\n",
            "Runtime.HandlerNotFound",
            "Handler 'lambda_handler' missing on module 'handler'",
        ),
        ("1 / 0\n", "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_handler_that_cannot_be_loaded(
    make: Make, code: str, error_type: str, message: str
) -> None:
    function = make(code)
    for _ in range(2):
        invoked = function.invoke()
        assert invoked.error == "Unhandled"
        assert (invoked.payload["errorType"], invoked.payload["errorMessage"]) == (
            error_type,
            message,
        )
    assert [entry["outcome"] for entry in function.logged()] == ["error", "error"]


def test_a_response_that_is_too_large(make: Make) -> None:
    function = make("def lambda_handler(event, context):\n    return 'x' * event\n")
    assert len(function.answer(6_000_000)) == 6_000_000
    invoked = function.invoke(6_300_000)
    assert invoked.error == "Unhandled"
    assert invoked.payload["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_event_that_is_too_large(make: Make) -> None:
    function = make("def lambda_handler(event, context):\n    return len(event)\n")
    assert function.answer("x" * 6_000_000) == 6_000_000
    with pytest.raises(ClientError) as refused:
        function.invoke("x" * 6_300_000)
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_result_that_is_no_json(make: Make) -> None:
    function = make("def lambda_handler(event, context):\n    return object()\n")
    assert function.invoke().payload["errorType"] == "Runtime.MarshalError"


def test_the_context_and_the_variables(make: Make) -> None:
    code = (
        "import os\n"
        "def lambda_handler(event, context):\n"
        "    return {'request': context.aws_request_id, 'arn': context.invoked_function_arn,\n"
        "            'memory': context.memory_limit_in_mb, 'name': context.function_name,\n"
        "            'group': context.log_group_name, 'stream': context.log_stream_name,\n"
        "            'left': context.get_remaining_time_in_millis(), 'env': dict(os.environ)}\n"
    )
    function = make(code, environment={"STAGE": "test"}, MemorySize=192)
    invoked = function.invoke()
    answer = invoked.payload
    assert answer["request"] == invoked.request_id
    assert answer["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{function.name}"
    assert (answer["memory"], answer["name"]) == ("192", function.name)
    assert answer["group"] == f"/aws/lambda/{function.name}"
    assert "[$LATEST]" in answer["stream"]
    assert 5_000 < answer["left"] <= 10_000
    variables = answer["env"]
    assert variables["STAGE"] == "test"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    engine_only = ("LOCALSTACK_", "SERVICES", "GATEWAY_LISTEN", "STREAMDEV_STATE_DIR", "PYTHONUN")
    assert not [name for name in variables if name.startswith(engine_only)]


def test_plain_boto3_reaches_the_engine_with_dummy_credentials(make: Make) -> None:
    code = (
        "import boto3\n"
        "def lambda_handler(event, context):\n"
        "    credentials = boto3.Session().get_credentials()\n"
        "    names = boto3.client('dynamodb').list_tables()['TableNames']\n"
        "    return [credentials.access_key, credentials.method, names]\n"
    )
    function = make(code, MemorySize=512, Timeout=60)
    access_key, method, names = function.answer()
    assert (access_key, method) == ("test", "env")
    assert "UserProfileTable" in names


def test_a_warm_handler_is_reused(make: Make) -> None:
    code = "count = 0\ndef lambda_handler(event, context):\n    global count\n    count += 1\n    return count\n"  # noqa: E501
    function = make(code)
    assert [function.answer() for _ in range(3)] == [1, 2, 3]
    assert [entry["init_ms"] is None for entry in function.logged()] == [False, True, True]


def test_two_at_once_get_an_environment_each(make: Make) -> None:
    code = (
        "import os, time\ndef lambda_handler(event, context):\n"
        "    time.sleep(2)\n    return os.getpid()\n"
    )
    function = make(code)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: function.answer(), range(2))
    assert first != second


def test_reserved_concurrency_is_a_limit(make: Make) -> None:
    code = "import time\ndef lambda_handler(event, context):\n    time.sleep(event)\n"
    function = make(code)
    function.client.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=1
    )
    thread = threading.Thread(target=lambda: function.invoke(5))
    thread.start()
    eventually(lambda: any(line.startswith("START") for line in function.printed()))
    with pytest.raises(ClientError) as refused:
        function.invoke(0)
    thread.join()
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    answer: dict[str, Any] = dict(refused.value.response)
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert [entry["outcome"] for entry in function.logged()] == ["ok"]


def test_provisioned_concurrency_has_handlers_ready(make: Make) -> None:
    code = (
        "import os, time\nstarted = time.time()\ndef lambda_handler(event, context):\n"
        "    return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], time.time() - started]\n"
    )
    function = make(code)
    version = function.client.publish_version(FunctionName=function.name)["Version"]
    eventually(
        lambda: (
            function.client.get_function_configuration(
                FunctionName=function.name, Qualifier=version
            )["State"]
            == "Active"
        )
    )
    names = {"FunctionName": function.name, "Qualifier": version}
    function.client.put_provisioned_concurrency_config(**names, ProvisionedConcurrentExecutions=1)
    eventually(
        lambda: function.client.get_provisioned_concurrency_config(**names)["Status"] == "READY"
    )
    time.sleep(0.2)  # so that a handler started by the invocation would be told from it
    kind, age = function.invoke(Qualifier=version).payload
    assert kind == "provisioned-concurrency"
    assert age > 0.2


def test_an_asynchronous_invocation_keeps_its_request_id(make: Make) -> None:
    function = make("def lambda_handler(event, context):\n    raise ValueError('no')\n")
    function.client.put_function_event_invoke_config(
        FunctionName=function.name, MaximumRetryAttempts=0
    )
    invoked = function.client.invoke(
        FunctionName=function.name, InvocationType="Event", Payload=b"{}"
    )
    assert invoked["StatusCode"] == 202
    (logged,) = eventually(function.logged)
    assert (logged["outcome"], logged["attempt"]) == ("error", 1)
    assert logged["request_id"] == invoked["ResponseMetadata"]["RequestId"]


def test_changed_code_takes_over_and_a_running_invocation_finishes(make: Make) -> None:
    code = (
        "import time\ndef lambda_handler(event, context):\n"
        "    time.sleep(event)\n    return 'old'\n"
    )
    function = make(code)
    results: list[Invoked] = []
    thread = threading.Thread(target=lambda: results.append(function.invoke(4)))
    thread.start()
    eventually(lambda: any(line.startswith("START") for line in function.printed()))
    function.client.update_function_code(
        FunctionName=function.name, ZipFile=zipped(code.replace("old", "new"))
    )
    function.wait()
    eventually(lambda: function.answer(0) == "new")
    thread.join()
    assert results[0].payload == "old"


def test_another_python_runs_with_a_warning(make: Make, project: Project) -> None:
    function = make(
        "import os\ndef lambda_handler(event, context):\n"
        "    return os.environ['AWS_EXECUTION_ENV']\n",
        runtime="python3.9",
    )
    assert function.answer() == "AWS_Lambda_python3.9"
    warned = [line for line in project.engine_log() if "asks for python3.9" in line]
    assert any(function.name in line for line in warned)


def test_a_runtime_that_is_not_python_is_refused(make: Make) -> None:
    function = make("", runtime="nodejs22.x", expect="Failed")
    state = function.state()
    assert "The runtime of function" in state["StateReason"]
    assert "is nodejs22.x" in state["StateReason"]
    with pytest.raises(ClientError) as refused:
        function.invoke()
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"


def test_a_refused_function_can_be_put_right(make: Make) -> None:
    function = make("", runtime="nodejs22.x", expect="Failed")
    function.client.update_function_configuration(FunctionName=function.name, Runtime="python3.13")
    eventually(lambda: function.wait() == "Active")
    function.client.update_function_code(
        FunctionName=function.name,
        ZipFile=zipped("def lambda_handler(event, context):\n    return 1\n"),
    )
    eventually(lambda: function.state()["LastUpdateStatus"] == "Successful")
    assert function.answer() == 1


def test_output_reaches_cloudwatch_logs(make: Make, project: Project) -> None:
    function = make("def lambda_handler(event, context):\n    print('hello', event)\n")
    function.invoke("one")
    function.invoke("two")
    logs = project.client("logs")

    def messages() -> list[str]:
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function.name}")
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].rstrip("\n") for event in found["events"]]

    eventually(lambda: "hello two" in messages())
    assert [text for text in messages() if text.startswith("hello")] == ["hello one", "hello two"]


def test_what_a_handler_writes_is_told_with_its_invocation(make: Make, project: Project) -> None:
    table = unique("written")
    project.client("dynamodb").create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    code = (
        "import boto3\n"
        "def lambda_handler(event, context):\n"
        "    boto3.client('dynamodb').put_item(TableName=event, Item={'id': {'S': 'x'}})\n"
    )
    function = make(code, MemorySize=512, Timeout=60)
    invoked = function.invoke(table)
    assert invoked.error is None, invoked
    events = [parse(line) for line in project.engine_log()]
    written = [
        event for event in events if event and event["event"] == "write" and event["table"] == table
    ]
    assert [event["invocation"] for event in written] == [invoked.request_id]


def test_no_process_of_a_deleted_function_is_left(make: Make, project: Project) -> None:
    if project.engine != "host":
        pytest.skip("the container's process ids are not this machine's")
    code = (
        "import os, subprocess, sys\n"
        "def lambda_handler(event, context):\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "    return [os.getpid(), child.pid]\n"
    )
    function = make(code)
    handler, child = function.answer()
    assert psutil.pid_exists(handler)
    function.client.delete_function(FunctionName=function.name)
    eventually(lambda: not psutil.pid_exists(handler), what="the handler ends")
    eventually(lambda: not psutil.pid_exists(child), what="its child ends")
