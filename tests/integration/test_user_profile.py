"""The user profile pipeline end to end: told once, in order, and nothing lost when things break."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.project import Project, eventually, unique
from tests.support.stack import Deployed

REPOSITORY = Path(__file__).resolve().parents[2]

# Breaks the handler by what a profile's name asks for; mended by an empty one.
FAULTS = """\
import os
import time


def strike(change):
    match change.after.get("name"):
        case "poison":
            raise ValueError("no poison today")
        case "crash":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "slow":
            time.sleep(3.2)
"""
MENDED = "def strike(change):\n    pass\n"

PIPELINE = """\
[pipelines.{name}]
table = {{ name = "{mark}-{name}", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }}

[pipelines.{name}.function]
name = "{mark}-{name}"
source = "lambda_src/{mark}"
handler = "handler.lambda_handler"
runtime = "python3.13"
timeout = {timeout}
environment = {environment}

[pipelines.{name}.mapping]
batch-size = 10
maximum-batching-window = 1
starting-position = "TRIM_HORIZON"
maximum-retry-attempts = 1
bisect-batch-on-function-error = true
report-batch-item-failures = true
on-failure = {{ sqs = "{mark}-{name}-failed" }}

[[pipelines.{name}.topics]]
name = "{mark}-{name}"
environment-variable = "PROFILE_UPDATES_TOPIC_ARN"
subscriptions = [{{ sqs = "{mark}-{name}-seen" }}]

[[pipelines.{name}.tables]]
name = "{mark}-{name}-idempotency"
key = "id:S"
ttl = "expiration"
environment-variable = "IDEMPOTENCY_TABLE"

[[pipelines.{name}.tables]]
name = "{mark}-{name}-versions"
key = "id:S"
ttl = "expires"
actions = ["dynamodb:UpdateItem"]
environment-variable = "VERSIONS_TABLE"
"""


class Broken:
    """A pipeline of its own whose handler is the repository's, with faults."""

    def __init__(self, project: Project, *, timeout: int = 30, **environment: str) -> None:
        self.project = project
        self.mark = unique("up")
        self.timeout = timeout
        source = project.root / "lambda_src" / self.mark
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "lambda_src" / "user_profile", source, ignore=ignored)
        handler = source / "handler.py"
        code = handler.read_text().replace(
            "            change = Change.of(record)\n",
            "            change = Change.of(record)\n            strike(change)\n",
        )
        handler.write_text(
            code.replace("from versions", "from faults import strike\nfrom versions")
        )
        project.write_handler(self.mark, FAULTS, "faults.py")
        self.deploy(**environment)

    def deploy(self, **environment: str) -> None:
        inline = ", ".join(f'{name} = "{value}"' for name, value in environment.items())
        text = PIPELINE.format(
            name="p", mark=self.mark, timeout=self.timeout, environment=f"{{ {inline} }}"
        )
        self.project.write_pipelines(text, f"{self.mark}.toml")
        self.run("deploy")

    def run(self, *args: str, **options: Any) -> Any:
        return self.project.run(*args, "--config", f"{self.mark}.toml", **options)

    def running(self, *args: str) -> Any:
        return self.project.running(*args, "--config", f"{self.mark}.toml")

    def put(self, *items: dict[str, Any]) -> None:
        lines = "".join(json.dumps(item) + "\n" for item in items)
        self.run("put-item", "--file", "-", stdin=lines)

    @property
    def function(self) -> str:
        return f"{self.mark}-p"

    def mapping(self) -> dict[str, Any]:
        mappings: list[dict[str, Any]] = self.project.gateway.control.mappings()
        return next(mapping for mapping in mappings if mapping["function"] == self.function)

    def metrics(self) -> dict[str, float]:
        """The sum of each metric."""
        return {one["name"]: one["sum"] for one in self.run("metrics", "--json").json()}

    def told(self) -> Counter[str]:
        """How often each profile was told of."""
        found = self.run("notifications", "--json").json_lines()
        return Counter(one["message"]["id"] for one in found)

    def versions_told(self, profiles: list[str]) -> dict[str, list[int]]:
        """The versions that were told of, in that order, by profile."""
        found = [one["message"] for one in self.run("notifications", "--json").json_lines()]
        return {name: [one["version"] for one in found if one["id"] == name] for name in profiles}

    def deeds(self) -> list[str]:
        """What chaos has done so far."""
        found = self.project.events()
        chaos = [one for one in found if one["event"] == "mapping.chaos"]
        return [one["deed"] for one in chaos if one["function"] == self.function]

    def letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.run("dlq", "ls", "--json").json()
        return found


def notifications(deployed: Deployed, profile: str) -> list[dict[str, Any]]:
    found = deployed.run("notifications", "--json").json_lines()
    return [one["message"] for one in found if one["message"]["id"] == profile]


def test_changes_are_told_and_invalid_ones_rejected_without_blocking(deployed: Deployed) -> None:
    profile, wrong = unique("profile"), unique("wrong")
    deployed.run("put-item", f"id={profile}", "name=John", "age:=42", "version:=1", "--wait")
    deployed.run("put-item", f"id={wrong}", "age:=500", "--wait")
    deployed.run("put-item", f"id={profile}", "name=Jane", "age:=42", "version:=2", "--wait")
    deployed.run("delete-item", f"id={profile}", "--wait")

    told = notifications(deployed, profile)
    assert [one["event"] for one in told] == [
        "profile.created",
        "profile.updated",
        "profile.deleted",
    ]
    assert told[1]["changes"] == {"name": ["John", "Jane"], "version": [1, 2]}
    (rejected,) = notifications(deployed, wrong)
    assert rejected["event"] == "profile.rejected"
    assert rejected["problems"] == ["age: Input should be less than or equal to 150"]

    printed = deployed.run("logs", "--raw", "-p", deployed.named("user-profile")).stdout
    (logged,) = (
        json.loads(line)
        for line in printed.splitlines()
        if line.startswith("{") and '"WARNING"' in line and wrong in line
    )
    assert logged["event_id"] == rejected["eventId"]
    assert f"START RequestId: {logged['function_request_id']}" in printed
    assert logged["xray_trace_id"].startswith("1-")
    # What AWS traces is asked for; ids are made and logged here as well, and nothing takes them.
    function = deployed.project.client("lambda").get_function_configuration(
        FunctionName=deployed.named("user-profile")
    )
    assert function["TracingConfig"] == {"Mode": "Active"}
    with pytest.raises(ClientError) as refused:
        deployed.project.client("xray").get_trace_summaries(StartTime=0, EndTime=1)
    answer: dict[str, Any] = dict(refused.value.response)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert (
        deployed.project.gateway.tables.ttl(deployed.named("UserProfileIdempotency"))
        == "expiration"
    )
    metrics = {one["name"]: one for one in deployed.run("metrics", "--json").json()}
    assert metrics["RecordsHandled"]["sum"] >= 4
    assert metrics["RecordsRejected"]["sum"] >= 1
    assert metrics["RecordsFailed"]["sum"] == 0
    assert metrics["IteratorAge"]["unit"] == "Milliseconds"


def test_what_keeps_records_from_being_lost_reaches_the_mapping(deployed: Deployed) -> None:
    (mapping,) = deployed.project.client("lambda").list_event_source_mappings(
        FunctionName=deployed.named("user-profile")
    )["EventSourceMappings"]
    wanted = {
        "MaximumRetryAttempts": 8,
        "MaximumRecordAgeInSeconds": 43_200,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    assert {name: mapping[name] for name in wanted} == wanted
    queue: str = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert ":sqs:" in queue
    assert queue.split(":")[-1].startswith("profile-updates-failed")


def event(profile: str, number: int, **image: Any) -> dict[str, Any]:
    return {
        "eventID": uuid.uuid4().hex,
        "eventName": "MODIFY",
        "dynamodb": {
            "Keys": {"id": {"S": profile}},
            "NewImage": {"id": {"S": profile}, **image},
            "SequenceNumber": str(number),
            "ApproximateCreationDateTime": time.time(),
        },
    }


def test_duplicates_and_late_records_change_nothing(deployed: Deployed) -> None:
    profile, plain = unique("order"), unique("plain")
    fifth = event(profile, 50, version={"N": "5"})
    records = [
        fifth,
        fifth,
        event(profile, 60, version={"N": "4"}),  # older, though it comes later in the stream
        event(profile, 40, version={"N": "6"}),
        event(plain, 9),
        event(plain, 8),
        event(plain, 10**22),
    ]
    client = deployed.project.client("lambda")
    for record in [*records, fifth]:
        payload = json.dumps({"Records": [record]})
        answer = client.invoke(FunctionName=deployed.named("user-profile"), Payload=payload)
        assert json.load(answer["Payload"]) == {"batchItemFailures": []}
    old = event(unique("old"), 1)
    old["dynamodb"]["ApproximateCreationDateTime"] -= 23 * 3600
    client.invoke(
        FunctionName=deployed.named("user-profile"), Payload=json.dumps({"Records": [old]})
    )

    assert [one["version"] for one in notifications(deployed, profile)] == [5, 6]
    assert [one["sequenceNumber"] for one in notifications(deployed, plain)] == ["9", str(10**22)]
    metrics = {one["name"]: one["sum"] for one in deployed.run("metrics", "--json").json()}
    assert metrics["RecordsDuplicate"] >= 2
    assert metrics["RecordsStale"] >= 2
    printed = deployed.run("logs", "--raw", "-p", deployed.named("user-profile")).stdout
    assert "the stream drops its records after 24 hours" in printed


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.one_of(
    st.integers(-(10**37), 10**37), st.decimals(-1000, 1000, allow_nan=False, places=3)
).map(str)
SCALAR = st.one_of(
    TEXT.map(lambda text: {"S": text}),
    NUMBER.map(lambda number: {"N": number}),
    st.binary(max_size=20).map(lambda data: {"B": data}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.sets(NUMBER.filter(lambda n: "." not in n), min_size=1, max_size=3).map(
        lambda numbers: {"NS": sorted(numbers)}
    ),
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda some: {"L": some})
        | st.dictionaries(TEXT.filter(bool), inner, max_size=3).map(lambda some: {"M": some})
    ),
    max_leaves=5,
)
NAME = st.sampled_from(["name", "email", "age", "version"]) | TEXT.filter(
    lambda name: name not in ("", "id")
)
PROFILE = st.dictionaries(NAME, VALUE, max_size=5)


@pytest.fixture(scope="module")
def unbroken(project: Project) -> Broken:
    return Broken(project)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(profiles=st.lists(PROFILE, min_size=15, max_size=25))
def test_any_profile_is_told_of_once(unbroken: Broken, profiles: list[dict[str, Any]]) -> None:
    ids = [unique("any") for _ in profiles]
    client = unbroken.project.client("dynamodb")
    for profile, image in zip(ids, profiles, strict=True):
        client.put_item(TableName=unbroken.function, Item={"id": {"S": profile}, **image})

    eventually(lambda: unbroken.mapping()["backlog"] == 0, timeout=120)
    eventually(lambda: unbroken.told() >= Counter(ids), interval=1)
    told = unbroken.told()
    assert {profile: told[profile] for profile in ids} == dict.fromkeys(ids, 1)
    assert unbroken.letters() == []


@pytest.mark.timeout(300)
def test_a_throttled_and_a_slow_function_handle_each_record_once(unbroken: Broken) -> None:
    lambda_ = unbroken.project.client("lambda")
    ids = [unique("late") for _ in range(5)]
    lambda_.put_function_concurrency(FunctionName=unbroken.function, ReservedConcurrentExecutions=0)
    with unbroken.running("notifications", "-f", "--json") as follow:
        unbroken.put(*({"id": one, "name": "slow" if one == ids[2] else "N"} for one in ids))
        eventually(lambda: "PROBLEM" in unbroken.mapping()["last_result"], what="a throttle")
        assert not unbroken.told() & Counter(ids)
        lambda_.delete_function_concurrency(FunctionName=unbroken.function)
        assert follow.stdout is not None
        told = Counter[str]()
        while not told >= Counter(ids):
            told[json.loads(follow.stdout.readline())["message"]["id"]] += 1

    eventually(lambda: unbroken.mapping()["backlog"] == 0)
    assert unbroken.told() & Counter(dict.fromkeys(ids, 9)) == Counter(ids)
    assert unbroken.letters() == []
    printed = unbroken.run("logs", "--raw").stdout
    assert "slow: the records behind this one waited" in printed


@pytest.mark.timeout(300)
def test_records_that_come_twice_and_out_of_order_are_told_once_and_newest_last(
    unbroken: Broken,
) -> None:
    ids = [unique("mixed") for _ in range(4)]
    before = unbroken.metrics()
    items = [{"id": one, "version": version} for version in range(1, 6) for one in ids]

    def late() -> float:
        return unbroken.metrics().get("RecordsStale", 0) - before.get("RecordsStale", 0)

    def accounted() -> bool:
        # Each record was told of, or was late; the one that makes it complete comes twice as well.
        told = sum(map(len, unbroken.versions_told(ids).values()))
        return told + late() == len(items) and unbroken.mapping()["backlog"] == 0

    trouble = ("--duplicate", "100%", "--reorder", "100%", "--within-keys", "--seed", "5")
    with unbroken.running("chaos", "p", *trouble):
        eventually(lambda: "begin" in unbroken.deeds(), what="chaos begins")
        unbroken.put(*items)
        eventually(accounted, timeout=120, interval=0.5, what="an account of each record")
    eventually(lambda: "end" in unbroken.deeds(), what="chaos ends")

    assert {"duplicate", "reorder"} <= set(unbroken.deeds())
    assert late() > 0
    for versions in unbroken.versions_told(ids).values():
        assert versions == sorted(set(versions))
        assert versions[-1] == 5
    twice = unbroken.metrics()["RecordsDuplicate"] - before.get("RecordsDuplicate", 0)
    assert twice >= len(items)
    assert unbroken.letters() == []


def check_purge(broken: Broken) -> None:
    """Remove the last letter for good, with its records."""
    letter = broken.letters()[-1]
    control = broken.project.gateway.control
    assert control.batch(letter["batch"])["payload"]["Records"]
    # Without the stored batch the stream itself still has the records.
    control.delete_batch(letter["batch"])
    (shown,) = broken.run("dlq", "show", letter["id"], "--json").json_lines()
    assert shown["records"][0]["keys"] == {"id": "purged"}
    assert broken.run("dlq", "purge", check=False).exit_code == 2
    removed = broken.run("dlq", "purge", letter["id"][:13]).stdout
    assert removed.startswith("Removed 1 dead letter(s) with 1 record(s)")


@pytest.mark.timeout(420)
def test_what_breaks_the_handler_is_kept_shown_and_replayed(project: Project) -> None:
    broken = Broken(project, timeout=5)
    names = ["fine", "poison", "fine", "crash", "fine", "hang", "fine"]
    items = [{"id": f"{number}-{name}", "name": name} for number, name in enumerate(names)]
    broken.put(*items, {"id": "purged", "name": "poison"})

    eventually(lambda: len(broken.letters()) == 4, timeout=180, interval=1)
    check_purge(broken)
    letters = broken.letters()
    shown = broken.run("dlq", "show", "--json").json_lines()
    found = {
        one["records"][0]["keys"]["id"]: (one["error"]["type"], len(one["records"]))
        for one in shown
    }
    assert found == {
        "1-poison": ("ValueError", 1),
        "3-crash": ("Runtime.ExitError", 1),
        "5-hang": ("Sandbox.Timedout", 1),
    }
    assert all(one["attempts"] >= 2 for one in letters)
    text = broken.run("dlq", "show", letters[0]["id"][:8]).stdout
    assert "ValueError: no poison today" in text
    assert '+ name  "poison"' in text
    still = broken.run("dlq", "redrive", letters[0]["id"], check=False)
    assert still.exit_code == 1
    assert "stays  ValueError: no poison today" in still.stdout
    assert len(broken.letters()) == 3
    # Interrupted half-way it has lost nothing.
    with broken.running("dlq", "redrive", "--all") as interrupted:
        assert interrupted.stdout is not None
        assert "stays" in interrupted.stdout.readline()
        # Not SIGINT: what runs in the background of a shell ignores it.
        interrupted.send_signal(signal.SIGTERM)
        assert interrupted.wait(60) == 128 + signal.SIGTERM
    assert len(broken.letters()) == 3
    assert broken.metrics()["RecordsFailed"] >= 4

    project.write_handler(broken.mark, MENDED, "faults.py")
    broken.run("deploy")
    broken.run("put-item", "id=1-poison", "name=newer", "--wait")
    some = broken.run("dlq", "redrive", *(one["id"] for one in letters[:2]), "--json")
    assert [one["ok"] for one in some.json_lines()] == [True, True]
    assert [one["id"] for one in broken.letters()] == [letters[2]["id"]]
    rest = broken.run("dlq", "redrive", "--all", "--json")

    assert [one["ok"] for one in rest.json_lines()] == [True]
    assert "newer change of 1-poison" in some.stderr + rest.stderr
    # The account: each profile told of once, the overtaken one in its newer form.
    assert broken.letters() == []
    assert broken.told() == {f"{number}-{name}": 1 for number, name in enumerate(names)}
    assert broken.run("dlq", "show", "nothing", check=False).exit_code == 6


@pytest.mark.timeout(420)
def test_without_topic_and_failure_queue_nothing_is_lost(project: Project) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        broken = Broken(project, AWS_ENDPOINT_URL_SNS=endpoint)
        sqs = project.client("sqs")
        sqs.delete_queue(QueueUrl=project.gateway.queues.url(f"{broken.mark}-p-failed"))
        broken.put({"id": "a", "name": "A"}, {"id": "b", "name": "B"})

        def untold() -> bool:
            ended = broken.run("dlq", "ls", check=False)
            assert ended.exit_code == 6
            return "2 batch(es) are stored and will be told to it" in ended.stderr

        eventually(untold, timeout=120, interval=1)
        broken.deploy(AWS_ENDPOINT_URL_SNS=endpoint)
        eventually(lambda: len(broken.letters()) == 2, timeout=60, interval=1)
        assert {one["error"]["type"] for one in broken.letters()} == {"EndpointConnectionError"}
        assert broken.told() == {}

    broken.deploy()
    broken.run("dlq", "redrive", "--all")

    assert broken.letters() == []
    assert broken.told() == {"a": 1, "b": 1}
