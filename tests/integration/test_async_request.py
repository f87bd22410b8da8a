"""Asynchronous requests, end to end: over HTTP into the table, from its stream to the function."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamdev.aws import web
from streamdev.cli.exit_codes import ExitCode
from streamdev.errors import EngineNotRunningError
from tests.support.killing import kill_handlers
from tests.support.project import Project, eventually, pipeline, unique
from tests.support.stack import Deployed

REPOSITORY = Path(__file__).resolve().parents[2]
API = "async-request"
TABLE = "Restaurant"


class Requests:
    """The client's side, and a look into the table."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed, self.project = deployed, deployed.project
        api = deployed.outputs.get("AsyncRequestApiId", API)
        self.url = f"{self.project.endpoint}/_aws/execute-api/{api}/dev/requests"
        self.table = deployed.named(TABLE)

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
            TableName=self.table, Key={"id": {"S": request_id}}, ConsistentRead=True
        )
        return dict(found.get("Item", {}))


@pytest.fixture(scope="module")
def requests(deployed: Deployed) -> Requests:
    return Requests(deployed)


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
    deployed = requests.deployed
    assert requests.project.gateway.tables.ttl(requests.table) == "ttl"
    request_id = requests.accepted('{"dish": "soup", "seconds": 2}')
    assert requests.get(request_id) == (200, {"id": request_id, "state": "pending"})
    answer = requests.ended(request_id)
    assert (answer["id"], answer["state"]) == (request_id, "done")
    assert answer["ttl"] == pytest.approx(time.time() + 300, abs=60)
    assert requests.stored(request_id)["ttl"] == {"N": str(answer["ttl"])}

    def records() -> list[tuple[str, str]]:
        entries = deployed.run("logs", "--json", "-p", deployed.named(API)).json_lines()
        own = [e for e in entries if e.get("keys") == {"id": request_id}]
        return [(e["outcome"], e["event_name"]) for e in own]

    # What the function itself wrote, the attempt and the end, does not call it again.
    seen = eventually(lambda: (found := records())[2:] and found, what="the function's own writes")
    assert sorted(seen) == [("filtered", "MODIFY"), ("filtered", "MODIFY"), ("ok", "INSERT")]


def test_a_request_that_fails_says_why(requests: Requests) -> None:
    why = 'no "soup", it\'s\nlate 🍲'
    answer = requests.ended(requests.accepted(json.dumps({"fail": why})))
    assert (answer["state"], answer["error"]) == ("failed", why)


@pytest.mark.parametrize("request_id", ["unknown", "it's", "%22%5C", "%F0%9F%8D%B2"])
def test_an_unknown_request_is_not_found(requests: Requests, request_id: str) -> None:
    status, answer = requests.get(request_id)
    assert (status, answer["message"][:13]) == (404, "There is no s")


def test_a_request_that_is_deleted_is_not_found_any_more(requests: Requests) -> None:
    request_id = requests.accepted("{}")
    requests.ended(request_id)
    requests.deployed.run("delete-item", f"id={request_id}", "-p", requests.deployed.named(API))
    assert requests.get(request_id)[0] == 404


def test_a_body_that_is_no_text_is_stored_with_replacement_characters(requests: Requests) -> None:
    stored = requests.stored(requests.accepted(b'{"dish": "\xff"}'))
    assert stored["request"]["S"].startswith('{"dish": "\ufffd')


def test_a_body_that_is_no_json_by_its_content_type_is_refused(requests: Requests) -> None:
    request = Request(requests.url, b"soup", {"Content-Type": "text/plain"}, method="PUT")
    with pytest.raises(HTTPError) as refused:
        build_opener(ProxyHandler({})).open(request, timeout=60)
    with refused.value as answer:
        assert answer.code == 415


def test_a_request_over_400_kb_is_told_so(requests: Requests) -> None:
    status, answer = requests.put("x" * 410_000)
    assert (status, "400 KB" in answer["message"]) == (413, True)
    assert requests.stored(requests.accepted("x" * 400_000))["request"] == {"S": "x" * 400_000}


def test_the_command_shows_a_requests_life(deployed: Deployed) -> None:
    done = deployed.run("request", '{"dish": "stew"}', "--wait", "--json").json()
    assert (done[0]["status_code"], done[0].get("state")) == (202, None)
    assert done[-1]["state"] == "done"
    failed = deployed.run("request", '{"fail": "burnt"}', "--wait", check=False)
    assert failed.exit_code == ExitCode.FAILED
    assert "burnt" in failed.stdout


def test_expired_items_are_deleted_by_the_service(project: Project) -> None:
    name = unique("expiry")
    project.write_handler(name, "def lambda_handler(event, context):\n    return None\n")
    by_ttl = '{"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}'
    mapping = (
        f"batch-size = 100, starting-position = 'TRIM_HORIZON', filter-criteria = ['{by_ttl}']"
    )
    config = project.write_pipelines(
        pipeline(
            name,
            table=name,
            source=name,
            mapping=mapping,
            table_extra="ttl = 'gone', global-secondary-indexes = [{ name = 'by-n', key = 'n:N' }]",
        ),
        f"{name}.toml",
    )
    project.run("deploy", "--config", str(config))
    client = project.client("dynamodb")
    # DynamoDB Local by itself looks at seven tables, and at 20 items of each at a time.
    for number in range(8):
        client.create_table(
            TableName=f"{name}-{number}",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.update_time_to_live(
            TableName=f"{name}-{number}",
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"},
        )
    now, year = int(time.time()), 365 * 86_400
    tables = [name, f"{name}-7"]
    for table in tables:
        items = [(f"old{number}", {"N": str(now - 1)}) for number in range(60)]
        items += [(f"later{number}", {"N": str(now + 3600)}) for number in range(60)]
        items += [("text", {"S": str(now)}), ("ancient", {"N": str(now - 6 * year)})]
        for item_id, gone in items:
            item = {"id": {"S": item_id}, "gone": gone, "n": {"N": "1"}}
            client.put_item(TableName=table, Item=item)
    client.delete_item(TableName=name, Key={"id": {"S": "nobody"}})

    for table in tables:
        run = project.run("ttl", "expire", "--table", table, "--all", "--json").json()
        # The service may have deleted the old ones before the command looked.
        assert run["table"] == table
        assert 60 <= run["expired"] <= 120
        left = {item["id"]["S"] for item in client.scan(TableName=table)["Items"]}
        # As on AWS: what is no number does not expire, nor does what is over five years late.
        assert left == {"text", "ancient"}

    def handled() -> list[dict[str, Any]]:
        entries = project.run("logs", "--json", "--config", str(config)).json_lines()
        own = [e for e in entries if e.get("function") == name and e.get("outcome") == "ok"]
        return own if len(own) >= 120 else []

    records = eventually(handled, what="all deletions", interval=1)
    assert {record["event_name"] for record in records} == {"REMOVE"}
    found = sorted(record["keys"]["id"] for record in records)
    assert found == sorted([f"{when}{number}" for when in ("old", "later") for number in range(60)])


COUNT, PROFILES = 200, 60
BUSINESS = """
import json, os, time

class RejectedError(Exception):
    pass

def handle(request_id, request):
    order = json.loads(request)
    if order.get("die"):
        os._exit(3)
    if order.get("hang"):
        time.sleep(60)
    if order.get("fail"):
        raise RejectedError("as asked")
"""


class Load:
    """Clients that go on until what they ask for is taken, whatever happens to the engine."""

    def __init__(self, project: Project) -> None:
        self.project, self.requests = project, Requests(Deployed(project))
        self.accepted: dict[str, dict[str, Any]] = {}

    def send(self, number: int) -> None:
        order = {
            "number": number,
            "fail": number % 20 == 0,
            "die": number == 50,
            "hang": number == 70,
        }
        while True:
            try:
                status, answer = self.requests.put(json.dumps(order))
            except (EngineNotRunningError, ValueError):
                status, answer = 0, {}
            if status == 202:
                self.accepted[str(answer["id"])] = order
                return
            time.sleep(0.1)

    def change_profile(self, number: int) -> None:
        for version in ("1", "2"):
            item = {"id": {"S": f"p{number}"}, "version": {"N": version}}
            while True:
                try:
                    client = self.project.client("dynamodb")
                    client.put_item(TableName="UserProfileTable", Item=item)
                    break
                except (ClientError, BotoCoreError):
                    time.sleep(0.1)

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.project.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def all_ended(self) -> bool:
        requests = self.items(TABLE)
        ended = all("ttl" in item or "error" in item for item in requests)
        return ended and all(one["backlog"] == 0 for one in self.project.gateway.control.mappings())


@pytest.mark.timeout(500)
def test_nothing_is_lost_when_handlers_and_engine_are_killed_under_load(
    new_project: Callable[[str], Project],
) -> None:
    own = new_project("crash")
    shutil.copytree(
        REPOSITORY / "lambda_src",
        own.root / "lambda_src",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    text = (REPOSITORY / "pipelines.toml").read_text()
    own.write_pipelines(text.replace("timeout = 30 }", "timeout = 8 }"))
    own.write_handler("async_request", BUSINESS, "business.py")
    own.run("up", timeout=600)
    load = Load(own)
    accepted = load.accepted

    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(load.send, number) for number in range(COUNT)]
        sent += [pool.submit(load.change_profile, number) for number in range(PROFILES)]
        eventually(lambda: len(accepted) >= COUNT // 4, timeout=120, what="a quarter of them")
        kill_handlers(own)
        eventually(lambda: len(accepted) >= COUNT // 2, timeout=120, what="half of the requests")
        own.kill()
        own.run("up", timeout=600)
        for future in sent:
            future.result(timeout=120)

    eventually(load.all_ended, timeout=200, interval=0.5, what="the end of all")

    # The account of the requests.
    found = {item["id"]["S"]: item for item in load.items(TABLE)}
    assert len(accepted) == COUNT
    for request_id, asked in accepted.items():
        item = found[request_id]
        assert json.loads(item["request"]["S"]) == asked
        if asked["die"] or asked["hang"]:
            assert "never came to an end" in item["error"]["S"]
        elif asked["fail"]:
            assert item["error"] == {"S": "as asked"}
        else:
            assert "error" not in item
    # The account of the profiles: each change noted as done once, or a dead letter.
    letters = own.run("dlq", "ls", "-p", "user-profile", "--json").json()
    notes = load.items("UserProfileIdempotency")
    done = [note for note in notes if note["status"] == {"S": "COMPLETED"}]
    assert len(done) + len(letters) == 2 * PROFILES, (notes, letters)
    if not letters:
        newest = {item["id"]["S"]: item["version"] for item in load.items("UserProfileVersions")}
        assert newest == {f"p{number}": {"N": "2"} for number in range(PROFILES)}
