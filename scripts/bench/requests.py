"""Requests through an API: straight into the table, and by a function behind the API.

Both answer 202 when the request is in the table. What differs is who puts it there: API Gateway
itself (``pipelines.async-request``), or a function that API Gateway waits for.
"""

from __future__ import annotations

import io
import json
import statistics
import time
import zipfile
from http.client import HTTPException
from typing import Any

from scripts.bench.at_once import Answer, most_at_once, put_at_once
from scripts.bench.report import Report, percentile
from scripts.bench.subjects import Streamdev, SubjectError
from scripts.bench.work import client
from streamdev.aws.gateway import Gateway

TABLE = "Restaurant"
FUNCTION = "bench-api"
DIRECT, BY_FUNCTION = "straight into the table", "by a function"
#: Each environment of a function is a process of its own here: 500 are more than a machine holds.
ENVIRONMENTS = 20
#: What a client is told that finds no environment free: Lambda's own 429, or what API Gateway
#: makes of it.
REFUSALS = (429, 500, 502, 503, 504)
_PATIENCE = 600.0
_PAUSE = 0.25

_HANDLER = """
import json, os
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def lambda_handler(event, context):
    table.put_item(Item={"id": context.aws_request_id, "request": event["body"] or "{}"})
    return {"statusCode": 202, "body": json.dumps({"id": context.aws_request_id})}
"""


def measure(subject: Streamdev, report: Report, count: int) -> None:
    """Send ``count`` requests each way, all at once, to a subject that runs.

    The answers' times are reported, with a column each way. The function has ``ENVIRONMENTS``
    environments, warm ones; a request that finds none free is refused, and sent again by its
    client a tenth of a second later, while its time goes on.

    Raises:
        SubjectError: A request was not accepted, or they were not all under way at once.
    """
    what = f"202 answer, {count} requests at once"
    what += "" if subject.engine == "host" else f", {subject.engine}"
    ways = {
        DIRECT: f"{subject.endpoint}/_aws/execute-api/async-request/dev/requests",
        BY_FUNCTION: _function_behind_an_api(subject.endpoint),
    }
    names = list(ways) if report.round % 2 == 0 else list(reversed(ways))
    for name in names:
        for _ in range(2):  # environments start, caches fill
            _accepted(ways[name], ENVIRONMENTS)
        _wait_until_handled(subject.endpoint)
        answers = _accepted(ways[name], count)
        if (together := most_at_once(answers)) < count:
            raise SubjectError(f"only {together} of {count} requests were under way at once")
        taken = [answer.took for answer in answers]
        report.add(what, "ms", name, [statistics.median(taken)])
        report.add(f"{what}, p99", "ms", name, [percentile(taken, 99)])
        refused = sum(answer.refused for answer in answers)
        report.add(f"{what}, refused and sent again", "times", name, [refused])


def _accepted(url: str, count: int) -> list[Answer]:
    bodies = [json.dumps({"number": number, "dish": "soup"}).encode() for number in range(count)]
    try:
        answers = put_at_once(url, bodies, refusals=REFUSALS, timeout=_PATIENCE)
    except (OSError, HTTPException) as error:
        raise SubjectError(f"a request was lost: {error}") from error
    if others := {answer.status for answer in answers} - {202}:
        raise SubjectError(f"{url} answered {sorted(others)}")
    return answers


def _wait_until_handled(endpoint: str) -> None:
    """What one way has put into the table does not take the other's time."""
    control = Gateway(endpoint).control
    end = time.monotonic() + _PATIENCE
    while any(mapping["backlog"] for mapping in control.mappings()):
        if time.monotonic() > end:
            raise SubjectError(f"requests are not handled within {_PATIENCE:g} s")
        time.sleep(_PAUSE)


def _function_behind_an_api(endpoint: str) -> str:
    """A REST API with a Lambda proxy integration for the same table; its URL."""
    lambda_, api = client("lambda", endpoint), client("apigateway", endpoint)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", _HANDLER)
    arn = lambda_.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/bench",
        Handler="handler.lambda_handler",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"TABLE": TABLE}},
        Timeout=60,
    )["FunctionArn"]
    lambda_.get_waiter("function_active_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 1})
    lambda_.put_function_concurrency(
        FunctionName=FUNCTION, ReservedConcurrentExecutions=ENVIRONMENTS
    )
    rest: str = api.create_rest_api(name=FUNCTION)["id"]
    root = api.get_resources(restApiId=rest)["items"][0]["id"]
    where: dict[str, Any] = {
        "restApiId": rest,
        "resourceId": api.create_resource(restApiId=rest, parentId=root, pathPart="requests")["id"],
        "httpMethod": "PUT",
    }
    api.put_method(**where, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    api.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    api.create_deployment(restApiId=rest, stageName="dev")
    return f"{endpoint}/_aws/execute-api/{rest}/dev/requests"
