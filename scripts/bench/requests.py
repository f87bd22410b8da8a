"""Requests through an API: straight into the table, and by a function behind the API.

Both answer 202 when the request is in the table. What differs is who puts it there: API Gateway
itself (``pipelines.async-request``), or a function that API Gateway waits for.
"""

from __future__ import annotations

import io
import json
import statistics
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scripts.bench.report import Report, percentile
from scripts.bench.subjects import Streamdev, SubjectError
from scripts.bench.work import client

TABLE = "Restaurant"
FUNCTION = "bench-api"
AT_A_TIME = 20

_HANDLER = """
import json, os
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def lambda_handler(event, context):
    table.put_item(Item={"id": context.aws_request_id, "request": event["body"] or "{}"})
    return {"statusCode": 202, "body": json.dumps({"id": context.aws_request_id})}
"""


def measure(subject: Streamdev, report: Report, count: int) -> None:
    """Send ``count`` requests each way, ``AT_A_TIME`` at a time, to a subject that runs.

    The answers' times are reported, with a column each way.
    """
    what = f"202 answer, {count} requests, {AT_A_TIME} at a time"
    what += "" if subject.engine == "host" else f", {subject.engine}"
    direct = f"{subject.endpoint}/_aws/execute-api/async-request/dev/requests"
    by_function = _function_behind_an_api(subject.endpoint)
    for name, url in (("straight into the table", direct), ("by a function", by_function)):
        _send(url, AT_A_TIME * 2)  # environments start, caches fill
        taken = _send(url, count)
        report.add(what, "ms", name, [statistics.median(taken)])
        report.add(f"{what}, p99", "ms", name, [percentile(taken, 99)])


def _send(url: str, count: int) -> list[float]:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda n: _one(url, n), range(count)))


def _one(url: str, number: int) -> float:
    body = json.dumps({"number": number, "dish": "soup"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="PUT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    start = time.monotonic()
    with opener.open(request, timeout=120) as response:
        response.read()
        if response.status != 202:
            raise SubjectError(f"{url} answered {response.status}")
    return (time.monotonic() - start) * 1000


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
