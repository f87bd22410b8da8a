"""Deploying for real: what is created, what is changed, what is left alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streamdev.aws import names
from streamdev.aws.tables import TableState
from tests.support.project import Project, Result, eventually, pipeline, unique

HANDLER = """\
def lambda_handler(event, context):
    for record in event["Records"]:
        print("{mark}", record["dynamodb"]["Keys"]["id"]["S"])
"""


class Own:
    """A pipeline of this test's own, in a pipelines file of its own, on the shared engine."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.table = unique("Deploy")
        self.name = self.table.lower()
        self.file = f"{self.name}.toml"
        self.handler("first")
        self.declare()

    def handler(self, mark: str, code: str = HANDLER) -> None:
        self.project.write_handler(self.name, code.replace("{mark}", f"{self.name}-{mark}"))

    def declare(self, **options: Any) -> None:
        options = {"table": self.table, "source": self.name} | options
        text = pipeline(self.name, **options)
        self.project.write_pipelines(text, self.file)

    def deploy(self, *args: str, check: bool = True) -> Result:
        return self.project.run("deploy", "--config", self.file, *args, check=check)

    def changes(self, *args: str) -> dict[str, str]:
        """Deploy; what was done to each kind of resource."""
        report = self.deploy("--json", *args).json()
        return {change["kind"]: change["action"] for change in report["changes"]}

    @property
    def state(self) -> TableState:
        state = self.project.gateway.tables.find(self.table)
        assert state is not None
        return state

    def mappings(self) -> list[Any]:
        found = self.project.gateway.mappings.all()
        return [mapping for mapping in found if mapping.function == self.name]

    def calls(self) -> Counter[str]:
        """How often each operation was called on the engine so far."""
        log = "\n".join(self.project.engine_log())
        return Counter(re.findall(r"localstack.request.aws\s*: AWS (\S+) =>", log))

    def put(self, key: str) -> None:
        self.project.gateway.items.put(self.table, {"id": {"S": key}})

    def wait_for(self, mark: str, key: str) -> None:
        line = f"{self.name}-{mark} {key}"
        eventually(lambda: line in self.project.run("logs", "--raw").stdout, what=line)


@pytest.fixture
def own(project: Project) -> Own:
    return Own(project)


UNCHANGED = {"table": "nothing", "role": "nothing", "function": "nothing", "mapping": "nothing"}


def test_everything_is_made_and_works(own: Own) -> None:
    first = own.deploy()
    assert first.stderr.count("created") == 4
    assert own.state.stream_view == "NEW_AND_OLD_IMAGES"
    assert own.mappings()[0].state == "Enabled"
    own.put("1")
    own.wait_for("first", "1")


def test_a_second_time_nothing_is_touched_and_that_is_said(own: Own) -> None:
    own.deploy()
    before = own.project.gateway.functions.find(own.name), own.mappings(), own.state
    again = own.deploy("--json")
    assert again.json()["changed"] is False
    assert {change["action"] for change in again.json()["changes"]} == {"nothing"}
    assert "Nothing to change" in again.stderr
    assert (own.project.gateway.functions.find(own.name), own.mappings(), own.state) == before


def test_what_somebody_else_removed_is_made_again(own: Own) -> None:
    own.deploy()
    assert own.changes() == UNCHANGED
    functions = own.project.gateway.functions
    functions.delete(own.name)
    eventually(lambda: functions.find(own.name) is None)
    assert own.changes() == UNCHANGED | {"function": "create"}
    own.put("1")
    own.wait_for("first", "1")


def test_what_nobody_changed_is_not_asked_for_again(own: Own) -> None:
    own.deploy()
    own.deploy()
    before = own.calls()
    own.deploy()
    assert own.calls() == before
    own.handler("second")
    own.deploy()
    asked = own.calls() - before
    assert {call.partition(".")[0] for call in asked} == {"lambda"}


def test_a_plan_touches_nothing(own: Own) -> None:
    plan = own.deploy("--plan")
    assert plan.stderr.count("create ") == 4
    assert own.project.gateway.tables.find(own.table) is None
    assert own.project.gateway.functions.find(own.name) is None


def test_a_changed_handler_updates_only_the_function(own: Own) -> None:
    own.deploy()
    own.put("1")
    own.wait_for("first", "1")
    own.handler("second")
    assert own.changes() == UNCHANGED | {"function": "update"}
    own.put("2")
    own.wait_for("second", "2")
    assert "second 1" not in own.project.run("logs", "--raw").stdout


def test_the_functions_hash_is_the_zips(own: Own) -> None:
    own.deploy()
    (zip_file,) = (own.project.state.packages / own.name).glob("*.zip")
    digest = base64.b64encode(hashlib.sha256(zip_file.read_bytes()).digest()).decode()
    state = own.project.gateway.functions.find(own.name)
    assert state is not None
    assert state.code_sha256 == digest


def test_changed_settings_reach_the_function(own: Own) -> None:
    own.deploy()
    own.declare(function="timeout = 9, reserved-concurrency = 3, environment = { MODE = 'x' }")
    assert own.changes() == UNCHANGED | {"function": "update"}
    state = own.project.gateway.functions.find(own.name)
    assert state is not None
    assert state.settings.timeout == 9
    assert state.settings.environment == {"MODE": "x"}
    assert state.reserved_concurrency == 3
    own.declare()
    assert own.changes() == UNCHANGED | {"function": "update"}
    state = own.project.gateway.functions.find(own.name)
    assert state is not None
    assert (state.settings.environment, state.reserved_concurrency) == ({}, None)


def test_a_runtime_that_is_not_the_engines_gets_a_note(own: Own) -> None:
    """The article's is python3.9, which no engine here runs."""
    own.declare(runtime="python3.9")
    note = f", the engine's, not on python3.9: {own.name}\n"
    for report in (own.deploy(), own.deploy()):
        assert re.search(r"^Note: runs on python3\.1[123]" + re.escape(note), report.stderr, re.M)
    state = own.project.gateway.functions.find(own.name)
    assert state is not None
    assert state.settings.runtime == "python3.9", "AWS gets what pipelines.toml says"
    own.put("1")
    own.wait_for("first", "1")


def test_provisioned_concurrency_means_a_version_and_an_alias(own: Own) -> None:
    own.declare(function="provisioned-concurrency = 1, reserved-concurrency = 2")
    own.deploy()
    assert own.changes() == UNCHANGED
    assert own.mappings()[0].function_arn.endswith(f":{own.name}:live")
    own.put("1")
    own.wait_for("first", "1")
    first = own.project.gateway.versions.find(own.name, "live")
    assert first is not None
    assert (first.provisioned, first.status) == (1, "READY")
    own.handler("second")
    assert own.changes() == UNCHANGED | {"function": "update"}
    own.put("2")
    own.wait_for("second", "2")
    second = own.project.gateway.versions.find(own.name, "live")
    assert second is not None
    assert second.version != first.version
    assert (second.provisioned, second.status) == (1, "READY")
    own.declare()
    assert own.changes() == UNCHANGED | {"function": "update", "mapping": "update"}
    assert own.changes() == UNCHANGED
    own.put("3")
    own.wait_for("second", "3")


def test_a_changed_mapping_is_updated_in_place_and_goes_on(own: Own) -> None:
    own.deploy()
    own.put("1")
    own.wait_for("first", "1")
    (before,) = own.mappings()
    own.declare(
        mapping="batch-size = 5, starting-position = 'TRIM_HORIZON', maximum-retry-attempts = 2, "
        "maximum-record-age = 60, bisect-batch-on-function-error = true, "
        "report-batch-item-failures = true, parallelization-factor = 2, "
        "maximum-batching-window = 1, "
        "filter-criteria = [{ eventName = ['INSERT'] }, '{\"eventName\":[\"MODIFY\"]}']"
    )
    assert own.changes() == UNCHANGED | {"mapping": "update"}
    assert own.changes() == UNCHANGED
    (after,) = own.mappings()
    assert after.uuid == before.uuid
    assert after.settings.batch_size == 5
    assert after.settings.maximum_retry_attempts == 2
    assert len(after.settings.filters) == 2
    own.put("2")
    own.wait_for("first", "2")
    assert own.project.run("logs", "--raw").stdout.count(f"{own.name}-first 1\n") == 1
    own.declare()
    assert own.changes() == UNCHANGED | {"mapping": "update"}
    assert own.mappings()[0].settings.filters == ()


def test_a_mapping_can_be_turned_off_and_on(own: Own) -> None:
    own.deploy()
    own.declare(mapping="batch-size = 1, starting-position = 'TRIM_HORIZON', enabled = false")
    assert own.changes() == UNCHANGED | {"mapping": "update"}
    assert own.mappings()[0].state == "Disabled"
    own.put("1")
    own.declare()
    assert own.changes() == UNCHANGED | {"mapping": "update"}
    own.wait_for("first", "1")


def test_another_starting_position_replaces_the_mapping_and_says_so(own: Own) -> None:
    own.deploy()
    (before,) = own.mappings()
    own.declare(mapping="batch-size = 1, starting-position = 'LATEST'")
    result = own.deploy()
    assert "replaced   mapping" in result.stderr
    assert "can't change it in place" in result.stderr
    (after,) = own.mappings()
    assert after.uuid != before.uuid


@pytest.mark.parametrize(
    ("service", "kind"), [("sqs", "queue"), ("sns", "topic"), ("s3", "bucket")]
)
def test_a_destination_is_made_and_named_in_mapping_and_role(
    own: Own, service: str, kind: str
) -> None:
    name = f"{own.name}-failed"
    own.declare(mapping=f"starting-position = 'LATEST', on-failure = {{ {service} = '{name}' }}")
    assert own.changes()[kind] == "create"
    assert own.changes() == UNCHANGED | {kind: "nothing"}
    (mapping,) = own.mappings()
    assert mapping.settings.destination.endswith(name)
    policy = own.project.client("iam").get_role_policy(
        RoleName=f"{own.name}-role", PolicyName="streamdev"
    )["PolicyDocument"]
    assert mapping.settings.destination in json.dumps(policy)


def test_a_recreated_table_gets_its_mapping_renewed_and_no_stale_one_stays(own: Own) -> None:
    own.deploy()
    own.put("1")
    own.wait_for("first", "1")
    gateway = own.project.gateway
    gateway.tables.delete(own.table)
    eventually(lambda: gateway.tables.find(own.table) is None)
    result = own.deploy()
    assert "created    table" in result.stderr
    assert "deleted    mapping" in result.stderr
    (mapping,) = own.mappings()
    assert mapping.source_arn == own.state.stream_arn
    own.put("2")
    own.wait_for("first", "2")
    assert own.project.run("logs", "--raw").stdout.count(f"{own.name}-first 2\n") == 1


def test_stream_indexes_and_ttl_change_in_place(own: Own) -> None:
    own.deploy()
    own.put("1")
    own.declare(
        table_extra="ttl = 'gone', "
        "global-secondary-indexes = [{ name = 'by-mail', key = 'mail:S' }]"
    )
    assert own.changes() == UNCHANGED | {"table": "update"}
    assert list(own.state.indexes) == ["by-mail"]
    assert own.project.gateway.tables.ttl(own.table) == "gone"
    assert own.changes() == UNCHANGED
    text = (own.project.root / own.file).read_text().replace("NEW_AND_OLD_IMAGES", "KEYS_ONLY")
    own.project.write_pipelines(text, own.file)
    result = own.deploy()
    assert "stream NEW_AND_OLD_IMAGES → KEYS_ONLY" in result.stderr
    assert own.state.stream_view == "KEYS_ONLY"
    assert own.mappings()[0].source_arn == own.state.stream_arn
    assert own.project.gateway.items.get(own.table, {"id": {"S": "1"}}) is not None
    own.put("2")
    own.wait_for("first", "2")


def test_another_key_is_refused_before_anything_is_touched(own: Own) -> None:
    own.deploy()
    own.put("1")
    own.handler("second")
    own.declare(key="id:S', sort-key = 'at:N")
    result = own.deploy(check=False)
    assert result.exit_code == 5
    assert "key id:S → id:S, at:N" in result.stderr
    assert "deploy --replace" in result.stderr
    own.declare()
    assert own.changes() == UNCHANGED | {"function": "update"}
    own.declare(key="id:S', sort-key = 'at:N")
    own.deploy("--replace")
    assert own.state.keys == ("id", "at")
    assert len(own.mappings()) == 1


def test_what_a_file_no_longer_names_goes_but_not_its_table(own: Own) -> None:
    own.deploy()
    own.put("1")
    other = unique("Other")
    own.project.write_pipelines(pipeline(f"{own.name}-2", table=other, source=own.name), own.file)
    result = own.deploy()
    assert f"deleted    function {own.name}  (no pipeline names it any more)" in result.stderr
    assert f"left alone table    {own.table}" in result.stderr
    assert own.mappings() == []
    assert own.project.gateway.functions.find(own.name) is None
    assert own.state.active


def test_two_functions_on_one_table_both_see_each_record(own: Own) -> None:
    second = f"{own.name}-2"
    own.project.write_handler(second, HANDLER.replace("{mark}", second))
    text = pipeline(own.name, table=own.table, source=own.name)
    own.project.write_pipelines(text + pipeline(second, table=own.table, source=second), own.file)
    own.deploy()
    own.put("1")
    own.wait_for("first", "1")
    eventually(lambda: f"{second} 1" in own.project.run("logs", "--raw").stdout)
    assert own.deploy("--json").json()["changed"] is False


def test_a_mapping_someone_else_made_is_left_and_told(own: Own) -> None:
    own.deploy()
    queue = own.project.client("sqs").create_queue(QueueName=f"{own.name}-jobs")["QueueUrl"]
    own.project.client("lambda").create_event_source_mapping(
        FunctionName=own.name,
        EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{queue.rsplit('/', 1)[1]}",
    )
    result = own.deploy()
    assert "left alone mapping" in result.stderr
    assert len(own.mappings()) == 2


def test_only_named_pipelines_are_deployed(own: Own) -> None:
    second = f"{own.name}-2"
    text = pipeline(own.name, table=own.table, source=own.name)
    more = pipeline(second, table=f"{own.table}-2", source=own.name)
    own.project.write_pipelines(text + more, own.file)
    own.deploy(second)
    assert own.project.gateway.tables.find(own.table) is None
    assert own.project.gateway.tables.find(f"{own.table}-2") is not None
    result = own.deploy("nobody", check=False)
    assert result.exit_code == 2
    assert "no pipeline 'nobody'" in result.stderr


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def lambda_handler(:\n", "handler.py:1: SyntaxError"),
        ("import json\n", "seems to define no 'lambda_handler'"),
    ],
)
def test_a_broken_handler_is_told_before_deploying(own: Own, code: str, says: str) -> None:
    own.handler("broken", code)
    result = own.deploy("--plan", check=False)
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_handler_folder_is_told(own: Own) -> None:
    own.declare(source="nowhere")
    result = own.deploy(check=False)
    assert result.exit_code == 5
    assert "lambda_src/nowhere does not exist" in result.stderr
    assert own.project.gateway.tables.find(own.table) is None


def test_redacted_attributes_are_masked_from_the_first_record_on(own: Own) -> None:
    own.declare(table_extra="redact = ['secret']")
    own.deploy()
    item = {"id": {"S": "1"}, "secret": {"S": f"{own.name}-s3cret"}, "open": {"S": "shown"}}
    own.project.gateway.items.put(own.table, item)
    own.wait_for("first", "1")
    log = "\n".join(line for line in own.project.engine_log() if own.table in line)
    assert "shown" in log
    assert "s3cret" not in log


def test_two_deploys_at_once_end_well(own: Own) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: own.deploy("--json").json(), range(2)))
    assert sorted(result["changed"] for result in results) == [False, True]
    assert len(own.mappings()) == 1


def test_what_another_run_removes_meanwhile_has_no_tags(project: Project) -> None:
    """A deploy looks at the tags of all that it has listed; tests beside it remove theirs."""
    gateway = project.gateway
    assert gateway.functions.tags(names.function_arn(unique("gone"))) == {}
    assert gateway.tables.tags(names.table_arn(unique("gone"))) == {}


def test_a_plan_needs_no_engine(new_project: Callable[[str], Project]) -> None:
    own = Own(new_project("planned"))
    plan = own.deploy("--plan")
    assert plan.stderr.count("create ") == 4
    assert "No engine runs" in plan.stderr
    result = own.deploy(check=False)
    assert result.exit_code == 3
    assert "not running" in result.stderr
