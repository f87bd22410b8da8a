"""load and seed: many items at a rate, made up or from a file, and a pipeline's sample data."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from streamdev.cli.exit_codes import ExitCode
from tests.support.observing import Observed
from tests.support.project import Project, eventually, unique

SEEDED = """\
[pipelines.requests]
seed = "samples/async_request.jsonl"
function = {{ name = "{mark}", source = "lambda_src/async_request", {function} }}

[pipelines.requests.table]
name = "{mark}"
key = "id:S"
stream = "NEW_IMAGE"
actions = ["dynamodb:UpdateItem"]

[pipelines.requests.mapping]
batch-size = 10
starting-position = "TRIM_HORIZON"
report-batch-item-failures = true
filter-criteria = [{{ eventName = ["INSERT"] }}]

[pipelines.lost]
seed = "samples/nowhere.jsonl"
table = {{ name = "{mark}-lost", key = "id:S", stream = "KEYS_ONLY" }}
function = {{ name = "{mark}-lost", source = "lambda_src/async_request", {function} }}
mapping = {{ starting-position = "LATEST" }}
"""
FUNCTION = 'handler = "handler.lambda_handler", runtime = "python3.13", timeout = 30'


@pytest.fixture(scope="module")
def observed(project: Project) -> Observed:
    observed = Observed(project)
    observed.deploy()
    return observed


def scanned(observed: Observed, pipeline: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = observed.run("scan", "-p", pipeline, "--json").json()
    return found


def test_made_up_items_are_written_handled_and_the_same_for_one_seed(observed: Observed) -> None:
    load = ("load", "--generate", "60", "--seed", "5", "-p", "blobs", "--json")
    told = observed.run(*load).json()
    assert (told["written"], told["refused"], told["seed"]) == (60, [], 5)
    assert told["rate"] > 0
    first = sorted(scanned(observed, "blobs"), key=lambda item: item["hash"])
    assert len(first) == 60
    observed.run(*load)
    assert sorted(scanned(observed, "blobs"), key=lambda item: item["hash"]) == first

    observed.run("load", "--generate", "40", "-p", "profiles")
    made = {item["id"] for item in scanned(observed, "profiles")}
    assert len(made) >= 40

    def handled() -> bool:
        records = observed.run("logs", "-p", "profiles", "--json").json_lines()
        return made <= {one["keys"]["id"] for one in records if one["kind"] == "record"}

    eventually(handled, what="all made-up items to be handled")


def test_a_file_is_loaded_at_a_rate_and_refused_lines_are_named(observed: Observed) -> None:
    mark = unique("rate")
    lines = [json.dumps({"customer": mark, "at": number}) for number in range(25)]
    lines[3] = '{"at": 1}'
    path = observed.project.root / f"{mark}.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    load = ("load", path.name, "-p", "orders", "--rate", "20")

    ended = observed.run(*load, "--json", check=False)

    assert ended.exit_code == ExitCode.FAILED
    told = ended.json()
    assert (told["written"], told["seed"]) == (24, None)
    assert [refused["line"] for refused in told["refused"]] == [4]
    assert told["seconds"] >= 1.1
    assert told["rate"] <= 22

    piped = observed.run("load", "-", "--table", f"{observed.mark}-orders", stdin=lines[0])
    assert "1 items written" in piped.stderr
    code, shown = observed.at_a_terminal(*load)
    assert code == ExitCode.FAILED
    assert re.search(r"\d+ items, \d+/s, \d+ s left", shown)
    code, shown = observed.at_a_terminal(*load[:-1], "1", interrupt_at="left")
    assert code == ExitCode.INTERRUPTED
    assert re.search(r"Interrupted: \d+ items are written", shown)
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["load"], "Give a file, or --generate N"),
        (["load", "x.jsonl", "--generate", "3"], "Give a file, or --generate N"),
        (["load", "nowhere.jsonl"], "nowhere.jsonl can't be read"),
        (["load", "x.jsonl", "--seed", "3"], "--seed goes with --generate"),
        (["load", "--generate", "0"], "'--generate'"),
        (["load", "--generate", "5", "--rate", "0"], "'--rate'"),
        (["seed", "-p", "orders"], "'orders' has no sample data"),
    ],
)
def test_wrong_input_is_refused(observed: Observed, args: list[str], reason: str) -> None:
    result = observed.failing(*args)
    assert result.exit_code == ExitCode.USAGE
    assert reason in result.stderr


def test_sample_data_is_written_and_goes_through_the_pipeline(project: Project) -> None:
    mark = unique("seeded")
    project.write_pipelines(SEEDED.format(mark=mark, function=FUNCTION), f"{mark}.toml")
    config = ("--config", f"{mark}.toml")
    project.run("deploy", *config)

    assert project.run("seed", "--json", *config).json()["written"] == 6

    def states() -> list[str]:
        items = project.run("scan", "--json", *config).json()
        return sorted("done" if "ttl" in one else one.get("error", "pending") for one in items)

    expected = ["There are no oysters in July.", *["done"] * 5]
    eventually(lambda: states() == expected, what="the requests' ends")
    project.run("load", "--generate", "5", *config)
    made = project.run("scan", "--json", *config).json()
    assert len(made) == 11
    assert all(json.loads(item["request"])["order"] for item in made)
    for command in (["seed"], ["load", "--generate", "1"]):
        lost = project.run(*command, "-p", "lost", *config, check=False)
        assert lost.exit_code == ExitCode.USAGE
        assert "nowhere.jsonl can't be read" in lost.stderr
