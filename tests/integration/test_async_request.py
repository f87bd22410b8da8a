"""Asynchronous requests, end to end: over HTTP into the table, from its stream to the function."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamdev.aws import web
from streamdev.cli.exit_codes import ExitCode
from streamdev.errors import EngineNotRunningError
from tests.support.project import Project, eventually, pipeline, unique

REPOSITORY = Path(__file__).resolve().parents[2]
API = "async-request"
TABLE = "Restaurant"


class Requests:
    """The client's side, and a look into the table."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.url = f"{project.endpoint}/_aws/execute-api/{API}/dev/requests"

    def put(self, body: str | bytes) -> tuple[int, dict[str, Any]]:
        sent = body if isinstance(body, bytes) else body.encode()
        status, answer = web.call("PUT", self.url, sent)
        return status, json.loads(answer)

    def accepted(self, body: str | bytes) -> str:
        status, answer = self.put(body)
        assert status == 202, answer
        return str(answer["id"])

    def get(self, request_id: str) -> tuple[int, dict[str, Any]]:
        status, answer = web.call("GET", f"{self.url}/{request_id}")
        return status, json.loads(answer)

    def ended(self, request_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            status, answer = self.get(request_id)
            assert status == 200, answer
            return answer if answer["state"] != "pending" else None

        return eventually(look, what=f"the end of {request_id}") or {}

    def stored(self, request_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.project.client("dynamodb").get_item(
            TableName=TABLE, Key={"id": {"S": request_id}}, ConsistentRead=True
        )
        return dict(found.get("Item", {}))


@pytest.fixture(scope="module")
def requests(project: Project) -> Requests:
    return Requests(project)


BODIES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip) | st.text(
    "'\"\\/\n\r\t$#{}😀é\u2028", min_size=1
).filter(str.strip)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=BODIES)
def test_a_body_is_stored_exactly(requests: Requests, body: str) -> None:
    assert requests.stored(requests.accepted(body))["request"] == {"S": body}


@pytest.mark.parametrize("body", ["'", "\\'", "\\\\'", '{"name": "O\'Brien"}', 'a "b" \\n\n🍲'])
def test_apostrophes_and_backslashes_are_stored_exactly(requests: Requests, body: str) -> None:
    assert requests.stored(requests.accepted(body))["request"] == {"S": body}


def test_an_empty_body_is_an_empty_object(requests: Requests) -> None:
    assert requests.stored(requests.accepted(""))["request"] == {"S": "{}"}


def test_a_request_is_done_and_can_be_looked_up_for_five_minutes(requests: Requests) -> None:
    request_id = requests.accepted('{"dish": "soup"}')
    answer = requests.ended(request_id)
    assert (answer["id"], answer["state"]) == (request_id, "done")
    assert answer["ttl"] == pytest.approx(time.time() + 300, abs=60)
    assert requests.stored(request_id)["ttl"] == {"N": str(answer["ttl"])}


def test_a_request_that_fails_says_why(requests: Requests) -> None:
    why = 'no "soup", it\'s\nlate 🍲'
    answer = requests.ended(requests.accepted(json.dumps({"fail": why})))
    assert (answer["state"], answer["error"]) == ("failed", why)


@pytest.mark.parametrize("request_id", ["unknown", "it's", "%22%5C", "%F0%9F%8D%B2"])
def test_an_unknown_request_is_not_found(requests: Requests, request_id: str) -> None:
    status, answer = requests.get(request_id)
    assert (status, answer["message"][:13]) == (404, "There is no s")


def test_a_request_over_400_kb_is_told_so(requests: Requests) -> None:
    status, answer = requests.put("x" * 410_000)
    assert (status, "400 KB" in answer["message"]) == (413, True)
    assert requests.stored(requests.accepted("x" * 400_000))["request"] == {"S": "x" * 400_000}


def test_the_command_shows_a_requests_life(requests: Requests) -> None:
    done = requests.project.run("request", '{"dish": "stew"}', "--wait", "--json").json()
    assert (done[0]["status_code"], done[0].get("state")) == (202, None)
    assert done[-1]["state"] == "done"
    failed = requests.project.run("request", '{"fail": "burnt"}', "--wait", check=False)
    assert failed.exit_code == ExitCode.FAILED
    assert "burnt" in failed.stdout


def test_expired_items_are_deleted_by_the_service(requests: Requests) -> None:
    project, name = requests.project, unique("expiry")
    project.write_handler(name, "def lambda_handler(event, context):\n    return None\n")
    by_ttl = '{"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}'
    mapping = f"batch-size = 1, starting-position = 'TRIM_HORIZON', filter-criteria = ['{by_ttl}']"
    config = project.write_pipelines(
        pipeline(name, table=name, source=name, mapping=mapping, table_extra="ttl = 'gone'"),
        f"{name}.toml",
    )
    project.run("deploy", "--config", str(config))
    table = project.client("dynamodb")
    table.put_item(TableName=name, Item={"id": {"S": "old"}, "gone": {"N": str(int(time.time()))}})
    later = str(int(time.time()) + 3600)
    table.put_item(TableName=name, Item={"id": {"S": "later"}, "gone": {"N": later}})
    table.put_item(TableName=name, Item={"id": {"S": "kept"}, "gone": {"S": "never"}})
    table.delete_item(TableName=name, Key={"id": {"S": "nobody"}})

    run = project.run("ttl", "expire", "--config", str(config), "--all", "--json").json()

    # The service may have deleted the old one before the command looked.
    assert run in ({"table": name, "expired": 1}, {"table": name, "expired": 2})
    left = table.scan(TableName=name)["Items"]
    assert [item["id"]["S"] for item in left] == ["kept"]

    def handled() -> list[dict[str, Any]]:
        entries = project.run("logs", "--json", "--config", str(config)).json_lines()
        own = [e for e in entries if e.get("function") == name and e.get("outcome") == "ok"]
        return own if len(own) == 2 else []

    records = eventually(handled, what="both deletions")
    assert {record["event_name"] for record in records} == {"REMOVE"}
    assert {record["keys"]["id"] for record in records} == {"old", "later"}


COUNT = 200
BUSINESS = """
import json, os

class RejectedError(Exception):
    pass

def handle(request_id, request):
    order = json.loads(request)
    if order.get("die"):
        os._exit(3)
    if order.get("fail"):
        raise RejectedError("as asked")
"""


@pytest.mark.timeout(400)
@pytest.mark.only_on("host", because="a container's processes can't be killed from here")
def test_no_request_is_lost_when_handlers_and_engine_are_killed(
    new_project: Callable[[str], Project],
) -> None:
    own = new_project("crash")
    shutil.copytree(
        REPOSITORY / "lambda_src" / "async_request", own.root / "lambda_src/async_request"
    )
    text = (REPOSITORY / "pipelines.toml").read_text()
    own.write_pipelines(text[text.index("[pipelines.async-request]") :])
    own.write_handler("async_request", BUSINESS, "business.py")
    own.run("up")
    requests = Requests(own)
    accepted: dict[str, str] = {}
    orders = [json.dumps({"number": n, "fail": n % 20 == 0, "die": n == 50}) for n in range(COUNT)]

    def send(order: str) -> None:
        while True:
            try:
                status, answer = requests.put(order)
            except (EngineNotRunningError, ValueError):
                status, answer = 0, {}
            if status == 202:
                accepted[str(answer["id"])] = order
                return
            time.sleep(0.1)  # as a client would, until it is taken

    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, order) for order in orders]
        eventually(lambda: len(accepted) >= COUNT // 4, what="a quarter of the requests")
        for process in own.processes():
            if "bootstrap.py" in " ".join(process.cmdline()):
                process.kill()
        eventually(lambda: len(accepted) >= COUNT // 2, what="half of the requests")
        for process in own.processes():
            process.kill()
        own.run("up")
        for future in sent:
            future.result(timeout=120)

    def items() -> dict[str, dict[str, Any]]:
        pages = own.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}

    def all_ended() -> bool:
        return all("ttl" in item or "error" in item for item in items().values())

    eventually(all_ended, timeout=150, interval=0.5, what="the end of all requests")
    found = items()
    assert len(accepted) == COUNT
    for request_id, order in accepted.items():
        item, asked = found[request_id], json.loads(order)
        assert json.loads(item["request"]["S"]) == asked
        if asked["die"]:
            assert "never came to an end" in item["error"]["S"]
        elif asked["fail"]:
            assert item["error"] == {"S": "as asked"}
        else:
            assert "error" not in item
