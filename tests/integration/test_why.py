"""Why an item did, or did not, reach its function: each reason is brought about for real."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.context import Context
from streamdev.cli.main import run
from streamdev.observe.why import Question, why_text
from tests.support.project import Project, eventually, pipeline, unique

HANDLER = """
import os
import time


def table():
    import boto3
    return boto3.resource("dynamodb").Table(os.environ["AWS_LAMBDA_FUNCTION_NAME"])


def wait_for(key):
    while "Item" not in table().get_item(Key={"id": key}, ConsistentRead=True):
        time.sleep(0.1)


def lambda_handler(event, context):
    if "wait_for" in event:
        wait_for(event["wait_for"])
    for record in event.get("Records", ()):
        image = record["dynamodb"].get("NewImage", {})
        if "fail" in image:
            raise ValueError("asked to fail")
        if "wait_for" in image:
            wait_for(image["wait_for"]["S"])
        if "write" in image:
            table().put_item(Item={"id": "written"})
        if "loop" in image:
            table().update_item(
                Key={"id": image["id"]["S"]},
                UpdateExpression="ADD rounds :one",
                ExpressionAttributeValues={":one": 1},
            )
    return {"seen": len(event.get("Records", ()))}
"""
ONE = "batch-size = 1, starting-position = 'TRIM_HORIZON'"
PAID = '{"dynamodb": {"NewImage": {"status": {"S": ["paid"]}}}}'
# By name: further keys of the function and of the mapping.
PIPELINES: dict[str, tuple[str, str]] = {
    "plain": ("timeout = 30", ONE),
    "paid": ("", f"{ONE}, filter-criteria = ['{PAID}']"),
    "off": ("", f"{ONE}, enabled = false"),
    "gather": ("", "batch-size = 7, maximum-batching-window = 300, starting-position = 'LATEST'"),
    "stuck": ("", ONE),
    "lost": ("", f"{ONE}, maximum-retry-attempts = 0"),
    "broken": ("", ONE),
    "zero": ("reserved-concurrency = 0", ONE),
    "single": ("reserved-concurrency = 1, timeout = 600", ONE),
    "looped": ("", ONE),
    "gone": ("", ONE),
    "unmapped": ("", ONE),
    "late": ("", "batch-size = 1, starting-position = 'LATEST'"),
    "renewed": ("", ONE),
    "dark": ("", ONE),
}


class Scene:
    """The pipelines, and one situation after the other."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.mark = unique("why")
        self.config = f"{self.mark}.toml"
        self.dynamodb = project.client("dynamodb")
        self.lambda_ = project.client("lambda")

    def name(self, pipeline: str) -> str:
        return f"{self.mark}-{pipeline}"

    def deploy(self) -> None:
        self.project.write_handler(self.mark, HANDLER)
        self.project.write_handler(f"{self.mark}-broken", "import nothing_such\n" + HANDLER)
        text = "".join(self._pipeline(*entry) for entry in PIPELINES.items())
        text += pipeline(self.name("absent"), table=self.name("absent"), source=self.mark)
        self.project.write_pipelines(text, self.config)
        self.project.run("deploy", "--config", self.config, *map(self.name, PIPELINES))

    def _pipeline(self, name: str, more: tuple[str, str]) -> str:
        function, mapping = more
        if name == "lost":
            mapping += f", on-failure = {{ sqs = '{self.name('letters')}' }}"
        source = f"{self.mark}-broken" if name == "broken" else self.mark
        whole = self.name(name)
        return pipeline(whole, table=whole, source=source, function=function, mapping=mapping)

    def put(self, pipeline: str, key: str, **attributes: str) -> None:
        item = {name: {"S": value} for name, value in {"id": key, **attributes}.items()}
        self.dynamodb.put_item(TableName=self.name(pipeline), Item=item)

    def stream(self, pipeline: str, *, on: bool) -> None:
        view = {"StreamViewType": "NEW_AND_OLD_IMAGES"} if on else {}
        specification = {"StreamEnabled": on, **view}
        self.dynamodb.update_table(TableName=self.name(pipeline), StreamSpecification=specification)

    def unmap(self, pipeline: str) -> None:
        mappings = self.project.gateway.mappings
        (uuid,) = (one.uuid for one in mappings.all() if one.function == self.name(pipeline))
        mappings.delete(uuid)
        eventually(lambda: mappings.find(uuid) is None)

    def arrange(self) -> None:
        """Bring every situation about."""
        self.put("plain", "written-back", write="yes")
        self.put("plain", "same", name="Joe")
        # Of two writes while the stream is read once it can't be told which one it has a record of.
        eventually(
            lambda: self.told("plain", "same")[1]["findings"][0]["check"] == "handled",
            what="the first write is handled",
        )
        self.put("plain", "same", name="Joe")
        self.put("paid", "open", status="open")
        self.put("off", "a")
        self.put("gather", "a")
        self.put("stuck", "poison", fail="yes")
        self.put("stuck", "after")
        self.put("lost", "bad", fail="yes")
        self.put("broken", "a")
        self.put("zero", "a")
        self.put("looped", "round", loop="yes")
        self.lambda_.delete_function(FunctionName=self.name("gone"))
        self.put("gone", "a")
        for name in ("unmapped", "late"):
            self.unmap(name)
            self.put(name, "a")
        self.project.run("deploy", "--config", self.config, self.name("late"))
        self.put("renewed", "before")
        self.stream("renewed", on=False)
        self.put("renewed", "between")
        self.stream("renewed", on=True)
        self.put("renewed", "after")
        self.stream("dark", on=False)
        self.put("dark", "a")

    def occupy(self, name: str, until: str) -> None:
        """Have the function run until its table has an item with the key ``until``."""
        self.lambda_.invoke(
            FunctionName=self.name(name),
            InvocationType="Event",
            Payload=json.dumps({"wait_for": until}).encode(),
        )
        start, own = '"event":"invocation.start"', f'"function":"{self.name(name)}"'

        def started() -> bool:
            return any(start in line and own in line for line in self.project.engine_log())

        eventually(started, what="the function is in use")

    def end(self) -> None:
        """Let nothing be tried again for the rest of the session."""
        for mapping in self.project.gateway.mappings.all():
            if mapping.function.startswith(self.mark):
                self.project.gateway.mappings.delete(mapping.uuid)

    def why(self, *arguments: str) -> tuple[int, str]:
        """The command, in this process; its exit code and what it printed."""
        out = io.StringIO()
        context = Context(
            environ=self.project.environ, stdout=out, stderr=out, cwd=Path(self.project.root)
        )
        context.settings.engine = self.project.engine
        context.settings.port = self.project.port
        config = str(self.project.root / self.config)
        return run(["why", *arguments, "--config", config], context), out.getvalue()

    def told(self, pipeline: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, text = self.why(*arguments, "-p", self.name(pipeline), "--json")
        return code, json.loads(text)


@pytest.fixture(scope="module")
def scene(project: Project) -> Iterator[Scene]:
    scene = Scene(project)
    scene.deploy()
    scene.arrange()
    yield scene
    scene.end()


@dataclass(frozen=True)
class Case:
    """A pipeline and a key there, and what is to be said."""

    check: str
    pipeline: str
    key: str
    sentence: str
    cure: str | None
    code: int = 1


CASES = [
    Case("handled", "plain", "written-back", "{f} handled the INSERT at ", None, 0),
    Case(
        "changed-nothing", "plain", "same", " changed nothing: the item was like that already",
        "./dev.py update-item same NAME=VALUE --wait", 0,
    ),
    Case("never-written", "plain", "other", "other in {f} was never written", "put-item other", 6),
    Case("never-written", "plain", "sane", "did you mean same, which was?", "why same", 6),
    Case(
        "never-written", "paid", "poison", "with that key was written to {mark}-stuck at",
        "./dev.py why poison --table {mark}-stuck", 6,
    ),
    Case("table-missing", "absent", "a", "There is no table {f} in the engine", "deploy {f}", 6),
    Case("stream-disabled", "dark", "a", "The stream of {f} is off", "./dev.py deploy {f}"),
    Case(
        "before-stream", "renewed", "between", " came before the stream of {f} was switched on",
        "./dev.py update-item between -p {f} NAME=VALUE --wait",
    ),
    Case(
        "old-stream", "renewed", "after", "The mapping of {f} reads the stream that {f} had before",
        "./dev.py deploy {f}",
    ),
    Case(
        "filter", "paid", "open",
        'keeps the INSERT from {f}: dynamodb.NewImage.status.S is "open", filter 1 wants "paid"',
        "./dev.py filter test open -p {f}", 0,
    ),
    Case("mapping-missing", "unmapped", "a", "No event source mapping leads from {f} to {f}",
         "./dev.py deploy {f}"),
    Case("mapping-disabled", "off", "a", "The mapping of {f} is disabled: the record waits",
         "Set enabled = true in the mapping of pipelines.toml, then ./dev.py deploy {f}"),
    Case("before-latest", "late", "a", "is older than the mapping of {f}, which begins at LATEST",
         'Set starting-position = "TRIM_HORIZON"'),
    Case("function-missing", "gone", "a", "There is no function {f}", "./dev.py deploy {f}"),
    Case("not-importable", "broken", "a", "could not be loaded", "Mend it, then ./dev.py deploy"),
    Case("throttled", "zero", "a", "{f} is throttled: its reserved concurrency is 0",
         "Set another reserved-concurrency in pipelines.toml, then ./dev.py deploy {f}"),
    Case("window-open", "gather", "a",
         "1 of up to 7 records are gathered, and the batching window of 300 s is open until",
         "set a shorter maximum-batching-window"),
    Case("failing", "stuck", "poison", ", last with ValueError: asked to fail; attempt ",
         "Mend it, then ./dev.py deploy {f}: the batch is tried again at once"),
    Case("blocked", "stuck", "after",
         "behind a failing batch (INSERT poison), as records stay in order: attempt ",
         "Mend {f}, then ./dev.py deploy {f}"),
    Case("given-up", "lost", "bad",
         " after 1 attempt (RetryAttemptsExhausted): ValueError: asked to fail.",
         "./dev.py dlq redrive --all -p {f}"),
    Case("loop-stopped", "looped", "round",
         "A loop was stopped: {f} was invoked 16 times by its own writes",
         """filter-criteria = ['{{"eventName": ["INSERT", "REMOVE"]}}']"""),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.key}")
def test_the_reason_is_named_with_its_cure(scene: Scene, case: Case) -> None:
    def told() -> list[tuple[int, dict[str, Any]]]:
        code, answer = scene.told(case.pipeline, case.key)
        return [(code, answer)] if answer["findings"][0]["check"] == case.check else []

    ((code, answer),) = eventually(told, what=f"{case.check} is told", interval=0.2)
    (finding,) = answer["findings"]
    fields = {"f": scene.name(case.pipeline), "mark": scene.mark}
    assert case.sentence.format(**fields) in finding["text"]
    assert (case.cure or "").format(**fields) in (finding["cure"] or "")
    assert (finding["cure"] is None) == (case.cure is None)
    assert (code, answer["ok"]) == (case.code, case.code == 0)


def test_a_function_in_use_throttles_and_a_running_one_is_said_to_run(scene: Scene) -> None:
    scene.occupy("single", until="release")
    scene.put("single", "held", wait_for="release-again")

    def finding(check: str) -> dict[str, Any]:
        _, answer = scene.told("single", "held")
        (found,) = answer["findings"]
        return found if found["check"] == check else {}

    throttled = eventually(lambda: finding("throttled"), what="it is throttled")
    assert "all 1 of its reserved concurrency is in use, by invocation " in throttled["text"]
    scene.put("single", "release")
    running = eventually(lambda: finding("running"), what="it runs")
    assert f"{scene.name('single')} has been working on it since " in running["text"]
    assert "(its timeout is 600 s)" in running["text"]
    scene.put("single", "behind")
    _, behind = scene.told("single", "behind")
    assert behind["findings"][0]["check"] == "behind-work"
    scene.put("single", "release-again")
    eventually(lambda: finding("handled"), what="it is handled")


def test_the_story_tells_of_writes_attempts_answers_and_what_was_written(scene: Scene) -> None:
    plain = scene.name("plain")
    eventually(lambda: scene.told("plain", "written-back")[1]["ok"], what="it is handled")
    _, text = scene.why("written-back", "-p", plain)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == f"written-back in {plain}, pipeline {plain}"
    assert lines[2].endswith("PutItem  →  INSERT")
    assert '+ write  "yes"' in lines
    assert plain in lines
    assert 'answered {"seen": 1}' in lines
    assert f"wrote {plain}: PutItem written" in lines
    assert lines[-1].startswith(f"Done: {plain} handled the INSERT at ")

    _, text = scene.why("written", "-p", plain)
    assert "PutItem by invocation " in text

    eventually(lambda: scene.told("lost", "bad")[1]["findings"][0]["check"] == "given-up")
    _, text = scene.why("bad", "-p", scene.name("lost"))
    assert "ValueError: asked to fail" in text
    assert "RetryAttemptsExhausted; a dead letter, kept whole" in text


def test_an_earlier_change_that_is_stuck_is_told_after_a_write_that_changes_nothing(
    scene: Scene,
) -> None:
    scene.put("stuck", "poison", fail="yes")
    _, answer = scene.told("stuck", "poison")
    assert [one["check"] for one in answer["findings"]] == ["changed-nothing", "failing"]
    _, answer = scene.told("stuck", "poison", "--since", "2099-01-01T00:00")
    assert answer["changes"] == []
    assert answer["findings"][0]["check"] == "not-written-since"


def test_the_text_is_had_without_the_command_line(scene: Scene) -> None:
    project = scene.project
    question = Question(scene.name("dark"), {"id": {"S": "a"}})
    text = why_text(question, project.gateway, project.engine_log)
    assert f"The stream of {scene.name('dark')} is off" in text


def test_an_external_engine_tells_what_its_api_knows(scene: Scene) -> None:
    external = ("--engine", "external", "--endpoint-url", scene.project.endpoint)
    options = ("--config", scene.config, "--json", *external)

    def check(pipeline: str, key: str) -> str:
        command = ("why", key, "-p", scene.name(pipeline), *options)
        result = scene.project.run(*command, check=False)
        assert result.exit_code == 1, str(result)
        return str(result.json()["findings"][0]["check"])

    assert check("off", "a") == "mapping-disabled"
    assert check("plain", "written-back") == "not-told"


def test_no_engine_is_a_reason_too(tmp_path: Path, engine: str, project: Project) -> None:
    environ = project.environ | {"STREAMDEV_STATE_DIR": str(tmp_path)}
    out = io.StringIO()
    context = Context(environ=environ, stdout=out, stderr=out, cwd=tmp_path)
    assert run(["why", "1", "--engine", engine], context) == 3
    assert out.getvalue() == "Why: The engine is not running.\nDo:  ./dev.py up\n"


def test_filters_are_tried_on_the_tables_own_records(scene: Scene) -> None:
    paid, project = scene.name("paid"), scene.project
    own = ("--config", scene.config, "-p", paid)
    refused = project.run("filter", "test", "open", *own, check=False)
    assert refused.exit_code == 1
    assert refused.stdout.startswith(
        'INSERT open: does not match: dynamodb.NewImage.status.S is "open", filter 1 wants "paid"'
    )
    pattern = '{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"status": {"S": ["open"]}}}}'
    told = project.run("filter", "test", "open", "--table", paid, "--pattern", pattern, "--json")
    assert told.json()["records"][0]["matching"] == [1]
    missing = project.run("filter", "test", "no-such", *own, check=False)
    assert missing.exit_code == 6
    assert "There is no item no-such" in missing.stderr
