"""Asynchronous requests, end to end: over HTTP into the table, from its stream to the function."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.bench.at_once import most_at_once, put_at_once
from streamdev.aws import web
from streamdev.cli.exit_codes import ExitCode
from streamdev.errors import EngineNotRunningError
from tests.support.killing import kill_database, kill_handlers, stop_database
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

    def items(self) -> dict[str, dict[str, Any]]:
        """Every request's item, by its id."""
        return {item["id"]["S"]: item for item in items(self.project, self.table)}


def items(project: Project, table: str) -> list[dict[str, Any]]:
    pages = project.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"]]


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


AT_ONCE = 500


def test_500_requests_at_once_are_all_answered_stored_and_handled_once(project: Project) -> None:
    requests, crowd = Requests(Deployed(project)), unique("crowd")
    orders = [json.dumps({"crowd": crowd, "number": number}) for number in range(AT_ONCE)]

    answers = put_at_once(requests.url, [order.encode() for order in orders])

    assert most_at_once(answers) == AT_ONCE
    assert [(one.status, one.body) for one in answers if one.status != 202] == []
    ids = [str(json.loads(answer.body)["id"]) for answer in answers]
    eventually(
        lambda: all("ttl" in item for item in requests.items().values() if _of(crowd, item)),
        timeout=180,
        interval=0.5,
        what="the end of all",
    )
    stored = requests.items()
    assert {one: stored[one]["request"]["S"] for one in ids} == dict(zip(ids, orders, strict=True))
    assert sorted(ids) == sorted(one for one, item in stored.items() if _of(crowd, item))
    assert {stored[one]["attempts"]["N"] for one in ids} == {"1"}
    assert not any("error" in stored[one] for one in ids)


def test_records_that_come_twice_and_out_of_order_are_handled_once(project: Project) -> None:
    requests = Requests(Deployed(project))

    def deeds() -> set[str]:
        events = [one for one in project.events() if one["event"] == "mapping.chaos"]
        return {one["deed"] for one in events if one["function"] == API}

    def backlog() -> int:
        mappings = project.gateway.control.mappings()
        return sum(one["backlog"] for one in mappings if one["function"] == API)

    with project.running("chaos", API, "--duplicate", "100%", "--reorder", "100%", "--seed", "5"):
        eventually(lambda: "begin" in deeds(), what="chaos begins")
        bodies = [json.dumps({"number": number}).encode() for number in range(30)]
        answers = put_at_once(requests.url, bodies)
        ids = [str(json.loads(answer.body)["id"]) for answer in answers]
        assert {requests.ended(one)["state"] for one in ids} == {"done"}
        eventually(lambda: backlog() == 0, what="the second delivery of the last")
    eventually(lambda: "end" in deeds(), what="chaos ends")

    assert {"duplicate", "reorder"} <= deeds()
    assert {requests.stored(one)["attempts"]["N"] for one in ids} == {"1"}


def _of(crowd: str, item: dict[str, Any]) -> bool:
    return crowd in item["request"]["S"]


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


def repositorys_pipelines(project: Project) -> str:
    """Give the project the repository's handlers; return its pipelines.toml."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "lambda_src", project.root / "lambda_src", ignore=ignored)
    return (REPOSITORY / "pipelines.toml").read_text()


def test_what_a_throttled_table_refuses_is_told_and_the_rest_is_handled(
    new_project: Callable[[str], Project],
) -> None:
    own = new_project("throttled")
    _, header, rest = repositorys_pipelines(own).partition(f"[pipelines.{API}]")
    own.write_pipelines(header + rest)
    own.environ["STREAMDEV_DYNAMODB_THROTTLE"] = "30%"
    own.run("up", timeout=600)
    requests = Requests(Deployed(own))

    answers = [requests.put(json.dumps({"number": number})) for number in range(60)]

    assert {status: answer.get("message") for status, answer in answers} == {
        202: None,
        429: "Too many requests at a time. Send it again later.",
    }
    taken = {str(answer["id"]) for status, answer in answers if status == 202}
    looks: Counter[int] = Counter()
    left = set(taken)

    def all_done() -> bool:
        for one in sorted(left):
            status, answer = requests.get(one)
            looks[status] += 1
            if answer.get("state") == "done":
                left.remove(one)
        return not left

    eventually(all_done, timeout=120, interval=0.2, what="the end of all that were taken")
    assert set(looks) == {200, 503}

    def stored() -> set[str] | None:
        # This, too, is throttled.
        with suppress(own.client("dynamodb").exceptions.ProvisionedThroughputExceededException):
            return set(requests.items())
        return None

    # Of what was refused nothing was stored.
    assert eventually(stored, what="a look at all") == taken

    # A table that is not there is nothing that a client could do anything about.
    own.client("dynamodb").delete_table(TableName=TABLE)
    refused = eventually(lambda: (told := requests.put("{}"))[0] != 429 and told)
    assert refused == (503, {"message": "The request was not taken. Send it again later."})
    assert requests.get("any") == (
        503,
        {"message": "The request can't be looked up now. Ask again."},
    )


COUNT, PROFILES, CLIENTS = 200, 60, 8
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
        self.refused: list[tuple[int, Any]] = []
        self._sent_at: dict[int, float] = {}

    def stuck(self) -> bool:
        """Whether every client has been waiting for an answer for longer than it ever takes."""
        sent = list(self._sent_at.values())
        return len(sent) == CLIENTS and max(sent) < time.monotonic() - 4

    def send(self, number: int) -> None:
        order = {
            "number": number,
            "fail": number % 20 == 0,
            "die": number == 50,
            "hang": number == 70,
        }
        while True:
            self._sent_at[number] = time.monotonic()
            try:
                status, answer = self.requests.put(json.dumps(order))
            except (EngineNotRunningError, ValueError):
                status, answer = 0, {}
            del self._sent_at[number]
            if status == 202:
                self.accepted[str(answer["id"])] = order
                return
            self.refused.append((status, answer.get("message")))
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

    def all_ended(self) -> bool:
        ended = all("ttl" in item or "error" in item for item in self.requests.items().values())
        return ended and all(one["backlog"] == 0 for one in self.project.gateway.control.mappings())


@pytest.mark.timeout(500)
def test_nothing_is_lost_when_handlers_database_and_engine_are_killed_under_load(
    new_project: Callable[[str], Project],
) -> None:
    own = new_project("crash")
    own.write_pipelines(repositorys_pipelines(own).replace("timeout = 30 }", "timeout = 8 }"))
    own.write_handler("async_request", BUSINESS, "business.py")
    own.run("up", timeout=600)
    load = Load(own)
    accepted = load.accepted

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = [pool.submit(load.send, number) for number in range(COUNT)]
        sent += [pool.submit(load.change_profile, number) for number in range(PROFILES)]
        eventually(lambda: len(accepted) >= COUNT // 4, timeout=120, what="a quarter of them")
        kill_handlers(own)
        stop_database(own)
        eventually(load.stuck, what="each client waits for an answer")
        kill_database(own)
        unknown = (503, "It is not known whether the request was taken. Send it again.")
        eventually(lambda: unknown in load.refused, what="clients are told")
        eventually(lambda: len(accepted) >= COUNT // 2, timeout=120, what="half of the requests")
        own.kill()
        own.run("up", timeout=600)
        for future in sent:
            future.result(timeout=120)

    eventually(load.all_ended, timeout=200, interval=0.5, what="the end of all")

    # The account of the requests.
    found = load.requests.items()
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
    notes = items(own, "UserProfileIdempotency")
    done = [note for note in notes if note["status"] == {"S": "COMPLETED"}]
    assert len(done) + len(letters) == 2 * PROFILES, (notes, letters)
    if not letters:
        newest = {one["id"]["S"]: one["version"] for one in items(own, "UserProfileVersions")}
        assert newest == {f"p{number}": {"N": "2"} for number in range(PROFILES)}
