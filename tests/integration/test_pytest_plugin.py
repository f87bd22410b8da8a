"""The pytest plugin, as other people's projects use it: pytest runs with a real engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamdev.paths import user_cache
from tests.support.observing import HANDLER
from tests.support.project import Project, unique

PIPELINES = """\
[pipelines.orders]
table = {{ name = "Orders", key = "customer:S", sort-key = "at:N", stream = "NEW_AND_OLD_IMAGES" }}

[pipelines.orders.function]
source = "lambda_src/{mark}"
handler = "handler.lambda_handler"
runtime = "python3.13"
environment = {{ TABLE = "Orders" }}

[pipelines.orders.mapping]
batch-size = 1
starting-position = "LATEST"
filter-criteria = [{{ dynamodb = {{ NewImage = {{ open = {{ BOOL = [true] }} }} }} }}]
on-failure = {{ sqs = "orders-failed" }}

[pipelines.waiting]
table = {{ name = "Waiting", key = "id:S", stream = "KEYS_ONLY" }}
mapping = {{ starting-position = "LATEST", enabled = false }}

[pipelines.waiting.function]
source = "lambda_src/{mark}"
handler = "handler.lambda_handler"
runtime = "python3.13"
"""

TESTS = """\
import pytest
from streamdev.testing.pipeline import NotHandledError


def test_handled(streamdev_pipeline):
    write = streamdev_pipeline.put({"customer": "ann", "at": 1}, open=True, total=20)
    record = streamdev_pipeline.wait_handled()
    assert (record.event_name, record.outcome, record.attempt) == ("INSERT", "ok", 1)
    assert streamdev_pipeline.records() == [record]
    assert streamdev_pipeline.get("ann", 1)["total"] == 20
    assert any(line.startswith("handling INSERT") for line in streamdev_pipeline.output())
    streamdev_pipeline.put({"customer": "bob", "at": 1}, open=True)
    assert len(streamdev_pipeline.wait_all()) == 2
    # Nothing of pipelines.toml itself is touched.
    assert streamdev_pipeline.table.startswith("Orders-t")
    client = streamdev_pipeline.engine.client("lambda")
    settings = client.get_function_configuration(FunctionName=streamdev_pipeline.function)
    assert settings["Environment"]["Variables"]["TABLE"] == streamdev_pipeline.table
    url = streamdev_pipeline.names["orders-failed"]
    assert url in streamdev_pipeline.engine.client("sqs").get_queue_url(QueueName=url)["QueueUrl"]
    assert streamdev_pipeline.engine.environ["AWS_ENDPOINT_URL"]


def test_isolated(streamdev_pipelines):
    one, other = streamdev_pipelines("orders"), streamdev_pipelines()
    one.put(customer="ann", at=1, open=False)
    assert other.items() == []
    assert one.wait_handled(outcome="filtered").reason
    one.delete("ann", 1)
    assert one.items() == []


def test_failing_is_expected(streamdev_pipeline):
    streamdev_pipeline.put(customer="ann", at=1, open=True, mode="fail")
    assert streamdev_pipeline.wait_handled(outcome="error").failure.message == "asked to fail"


def test_fails_as_the_handler_does(streamdev_pipeline):
    streamdev_pipeline.put(customer="ann", at=1, open=True, mode="fail")
    streamdev_pipeline.wait_handled()


def test_fails_by_the_filter(streamdev_pipeline):
    streamdev_pipeline.put(customer="ann", at=1, open=False)
    streamdev_pipeline.wait_handled()


def test_fails_without_a_change(streamdev_pipeline):
    for _ in range(2):
        streamdev_pipeline.put(customer="ann", at=1, open=False)
    streamdev_pipeline.wait_handled()


@pytest.mark.streamdev("waiting")
def test_fails_as_nothing_happens(streamdev_pipeline):
    streamdev_pipeline.put(id="1")
    streamdev_pipeline.wait_handled(timeout=0.5)


@pytest.mark.streamdev("wating")
def test_unknown(streamdev_pipeline):
    pass
"""


@pytest.fixture
def config(project: Project) -> Path:
    """Two pipelines, beside the session's own on its engine."""
    mark = unique("plugin")
    project.write_handler(mark, HANDLER)
    return project.write_pipelines(PIPELINES.format(mark=mark), f"{mark}.toml")


def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytester gives its runs another home.
    monkeypatch.setenv("STREAMDEV_CACHE", str(user_cache(os.environ)))
    for name in ("STREAMDEV_CONFIG", "STREAMDEV_ENGINE", "STREAMDEV_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.timeout(600)
def test_each_test_has_a_pipeline_of_its_own_and_is_told_why_it_fails(
    project: Project,
    config: Path,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared(monkeypatch)
    monkeypatch.setenv("STREAMDEV_CONFIG", str(config))
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess("-n", "2", "-W", "error", "--strict-markers")

    result.assert_outcomes(passed=3, failed=4, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*NotHandledError: The record of ann / 1 in orders ended with error, not ok.",
            "*ValueError: asked to fail",
            "E *ann / 1 in Orders-t*, pipeline orders",
            "*handling INSERT {*",
            "*The record of ann / 1 in orders ended with filtered, not ok.",
            "*open.BOOL is false, filter 1 wants true*",
            "*the write changed nothing, so the stream has no record of it.",
            "*The record of 1 in waiting was not handled within 0.5 s.",
            "*Why: The mapping of waiting-t* is disabled: the record waits in the stream, *",
            "*There is no pipeline 'wating'*",
        ]
    )
    # All of it is gone, and the engine, which ran before, still runs.
    names = project.gateway.tables.names() + project.gateway.functions.names()
    assert [name for name in names if name.startswith(("Orders-t", "orders-t", "Waiting-t"))] == []
    assert not any("/orders-failed-t" in url for url in queues(project))
    assert project.run("status", "--json").json()["engine"]["name"] == project.engine


def queues(project: Project) -> list[str]:
    urls: list[str] = project.client("sqs").list_queues().get("QueueUrls", [])
    return urls


@pytest.mark.timeout(600)
def test_an_engine_that_does_not_run_is_started_for_the_run(
    own_project: Project,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared(monkeypatch)
    pytester.makeconftest(
        "import pathlib, pytest\n\n\n"
        "@pytest.fixture(scope='session')\n"
        "def streamdev_config():\n"
        f"    return pathlib.Path({str(own_project.root)!r}) / 'pipelines.toml'\n"
    )
    pytester.makepyfile(
        "import pytest\n\n\n"
        "@pytest.mark.parametrize('number', range(2))\n"
        "def test_handled(streamdev_pipeline, number):\n"
        "    streamdev_pipeline.put(id='1')\n"
        "    assert streamdev_pipeline.wait_handled().outcome == 'ok'\n"
    )

    result = pytester.runpytest_subprocess("-n", "2", "--streamdev-engine", own_project.engine)

    result.assert_outcomes(passed=2)
    assert own_project.processes() == []
    assert "not running" in own_project.run("status", check=False).stdout
