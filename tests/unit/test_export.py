"""export: the template it writes, what it refuses, and what it never writes over."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from streamdev.cli.exit_codes import ExitCode
from streamdev.config.load import load_project
from streamdev.errors import InvalidInputError
from streamdev.export.document import render
from streamdev.export.limits import BLOCKED_FROM
from streamdev.export.sam import export_sam
from streamdev.export.values import Block, Commented
from tests.support.exporting import EVERYTHING, PIPELINE, export, project

ROOT = Path(__file__).resolve().parents[2]


class Tagged(SafeConstructor):
    """Reads intrinsic functions as CloudFormation's long form has them."""


for tag, name in (("!Ref", "Ref"), ("!Sub", "Fn::Sub"), ("!GetAtt", "Fn::GetAtt")):
    Tagged.add_constructor(
        tag, lambda loader, node, name=name: {name: loader.construct_scalar(node)}
    )
for name in ("If", "Not", "Equals"):
    Tagged.add_constructor(
        f"!{name}",
        lambda loader, node, name=name: {f"Fn::{name}": loader.construct_sequence(node, deep=True)},
    )


def read(text: str) -> Any:
    """The template as a reader of YAML 1.1 sees it, as CloudFormation's is."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    yaml.Constructor = Tagged
    return yaml.load(text)


def exported(cwd: Path) -> Any:
    code, _, err = export(cwd, "sam", "-o", "out")
    assert code == ExitCode.OK, err
    return read((cwd / "out" / "template.yaml").read_text(encoding="utf-8"))


def test_the_documented_template_is_what_export_writes() -> None:
    code, out, err = export(ROOT, "--check", "-o", "docs/examples/sam")
    assert code == ExitCode.OK, out + err


def test_everything_a_pipeline_can_have_is_in_the_template(tmp_path: Path) -> None:
    text = EVERYTHING.replace("lambda_src/NAME", "code").replace(
        "handler.lambda_handler", "handler.run"
    )
    made = exported(project(tmp_path, text.replace("NAME", "all")))
    resources = made["Resources"]

    table = resources["AllTable"]["Properties"]
    assert table["KeySchema"] == [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ]
    assert table["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "gone", "Enabled": True}
    (by_city,) = table["GlobalSecondaryIndexes"]
    assert by_city["Projection"] == {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["on", "street"],
    }
    assert table["LocalSecondaryIndexes"][0]["KeySchema"][1]["AttributeName"] == "size"

    function = resources["AllFunction"]["Properties"]
    assert function["CodeUri"] == "../code/"
    assert (function["MemorySize"], function["Timeout"]) == (192, 7)
    assert function["Environment"]["Variables"] == {
        "NO": "off",
        "WHO": 'it\'s "1_000"\n: # x ${USER}',
    }
    assert function["ReservedConcurrentExecutions"] == {"Ref": "AllReservedConcurrency"}
    assert made["Parameters"]["AllReservedConcurrency"]["Default"] == 4
    assert function["AutoPublishAlias"] == "live"
    assert function["Events"]["Stream"]["Properties"] == {
        "Stream": {"Fn::GetAtt": "AllTable.StreamArn"},
        "StartingPosition": "LATEST",
        "BatchSize": 50,
        "MaximumBatchingWindowInSeconds": 2,
        "ParallelizationFactor": 3,
        "MaximumRetryAttempts": 4,
        "MaximumRecordAgeInSeconds": 600,
        "BisectBatchOnFunctionError": True,
        "FilterCriteria": {
            "Filters": [
                {"Pattern": '{"eventName":["INSERT"]}'},
                {"Pattern": '{"dynamodb":{"Keys":{"id":{"S":[{"prefix":"a"}]}}}}'},
            ]
        },
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {
            "OnFailure": {"Type": "S3", "Destination": {"Fn::GetAtt": "AllFailedBucket.Arn"}}
        },
    }
    second = resources["All2Function"]["Properties"]["Events"]["Stream"]["Properties"]
    assert (second["TumblingWindowInSeconds"], second["Enabled"]) == (30, False)
    assert second["DestinationConfig"]["OnFailure"]["Destination"] == {"Ref": "AllToldTopic"}
    subscription = resources["AllToldToAllSeenSubscription"]["Properties"]
    assert subscription["RawMessageDelivery"] is True

    (policy,) = resources["AllRole"]["Properties"]["Policies"]
    allowed = {one["Sid"]: one["Resource"] for one in policy["PolicyDocument"]["Statement"]}
    assert allowed == {
        "ReadStream": {"Fn::Sub": "${AllTable.Arn}/stream/*"},
        "WriteLog": {"Fn::GetAtt": "AllLogGroup.Arn"},
        "UseStreamTable": {"Fn::GetAtt": "AllTable.Arn"},
        "TellFailures": [
            {"Fn::GetAtt": "AllFailedBucket.Arn"},
            {"Fn::Sub": "${AllFailedBucket.Arn}/*"},
        ],
    }
    assert "000000000000" not in json.dumps(made)


def test_alarms_are_on_what_falls_behind_and_on_dead_letters(tmp_path: Path) -> None:
    more = 'maximum-record-age = 600\non-failure = { sqs = "failed" }\n'
    made = exported(project(tmp_path, PIPELINE + more))
    assert made["Conditions"] == {
        "AlarmsAreTold": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]}
    }
    alarms = {
        key: one["Properties"]
        for key, one in made["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    watched = {key: (one["MetricName"], one["Dimensions"]) for key, one in alarms.items()}
    assert watched == {
        "OneIteratorAgeAlarm": (
            "IteratorAge",
            [{"Name": "FunctionName", "Value": {"Ref": "OneFunction"}}],
        ),
        "FailedDeadLettersAlarm": (
            "ApproximateNumberOfMessagesVisible",
            [{"Name": "QueueName", "Value": {"Fn::GetAtt": "FailedQueue.QueueName"}}],
        ),
    }
    # Half of what a record has before it is too old; an hour where that is a day.
    assert alarms["OneIteratorAgeAlarm"]["Threshold"] == 300_000
    told = {"Fn::If": ["AlarmsAreTold", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    assert [one["AlarmActions"] for one in alarms.values()] == [told, told]


def test_names_that_look_alike_keep_apart(tmp_path: Path) -> None:
    other = PIPELINE.replace("pipelines.one", "pipelines.o-ne").replace("Things", "thi.ngs")
    third = PIPELINE.replace("pipelines.one", "pipelines.ONe").replace("Things", "thi_ngs")
    made = exported(project(tmp_path, PIPELINE + other + third))["Resources"]
    tables = {
        key: one["Properties"]["TableName"]
        for key, one in made.items()
        if one["Type"] == "AWS::DynamoDB::Table"
    }
    assert tables == {
        "ThingsTable": {"Fn::Sub": "Things${NameSuffix}"},
        "ThiNgsTable": {"Fn::Sub": "thi.ngs${NameSuffix}"},
        "ThiNgs2Table": {"Fn::Sub": "thi_ngs${NameSuffix}"},
    }
    streams = {
        key: one["Properties"]["Events"]["Stream"]["Properties"]["Stream"]["Fn::GetAtt"]
        for key, one in made.items()
        if one["Type"] == "AWS::Serverless::Function"
    }
    assert streams == {
        "OneFunction": "ThingsTable.StreamArn",
        "ONeFunction": "ThiNgsTable.StreamArn",
        "ONe2Function": "ThiNgs2Table.StreamArn",
    }


def test_a_suffix_leaves_names_within_their_limits(tmp_path: Path) -> None:
    text = PIPELINE.replace("pipelines.one", f"pipelines.{'f' * 60}")
    assert exported(project(tmp_path, text))["Parameters"]["NameSuffix"]["MaxLength"] == 4


FAILURE = 'on-failure = { s3 = "a..b" }\n'
LARGE = f"""
[pipelines.one.function.environment]
XX = "{"x" * 4080}"

[[pipelines.one.topics]]
name = "t"
environment-variable = "TOPIC"
"""
TABLES = "".join(
    f'[[pipelines.one.tables]]\nname = "{"t" * 200}{number}"\nkey = "id:S"\n'
    for number in range(40)
)


def index(number: int) -> str:
    attributes = ", ".join(f'"{number}-{n}"' for n in range(number))
    return f"""
[[pipelines.one.table.global-secondary-indexes]]
name = "index-{number}"
key = "k:S"
projection = "INCLUDE"
non-key-attributes = [{attributes}]
"""


def method(path: str) -> str:
    return f"""
[[pipelines.one.api.methods]]
path = "{path}"
http-method = "GET"
action = "GetItem"
request-template = "code/a.vtl"
responses = [{{ status-code = 200, response-template = "code/a.vtl" }}]
"""


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (TABLES, "characters is over AWS's 10240 (IAM quotas)"),
        (LARGE, "are over AWS's 4096 (Lambda quotas)"),
        (index(21), "index index-21 has 21 non-key-attributes, over AWS's 20"),
        (
            "".join(index(number) for number in (15, 16, 17, 18, 19, 20)),
            "105 non-key-attributes together, over AWS's 100",
        ),
        (FAILURE, "a..b is no bucket's name on AWS"),
        (
            method("/things/{id}") + method("/things/{name}/x"),
            "one path variable below /things, not {id} and {name}",
        ),
        ("".join(map(method, ("/a", "/b", "/c"))), "over AWS's 1048576"),
    ],
)
def test_what_aws_would_refuse_is_refused(tmp_path: Path, more: str, problem: str) -> None:
    root = project(tmp_path, PIPELINE + more)
    (root / "code" / "a.vtl").write_text("x" * 200_000)
    code, _, err = export(root, "sam")
    assert code == ExitCode.USAGE
    assert problem in err
    assert not (root / "template.yaml").exists()


def test_a_runtime_is_noted_until_aws_takes_no_new_function_with_it(tmp_path: Path) -> None:
    root = project(tmp_path, PIPELINE.replace("python3.13", "python3.9"))
    loaded, until = load_project(root / "pipelines.toml"), BLOCKED_FROM["python3.9"]
    (note,) = export_sam(loaded, root, date(2026, 11, 1)).notes
    assert f"until {until}" in note
    with pytest.raises(InvalidInputError, match=f"since {until}"):
        export_sam(loaded, root, until)


def test_code_that_is_not_there_is_refused(tmp_path: Path) -> None:
    root = project(tmp_path, PIPELINE.replace("handler.run", "other.run"))
    code, _, err = export(root, "sam")
    assert (code, "other.py" in err) == (ExitCode.DEPLOY_FAILED, True)


def test_a_file_with_something_else_in_it_is_kept(tmp_path: Path) -> None:
    root = project(tmp_path)
    template = root / "template.yaml"
    template.write_text("mine\n")
    code, _, err = export(root, "sam")
    assert (code, "already" in err, template.read_text()) == (ExitCode.USAGE, True, "mine\n")
    code, out, _ = export(root, "sam", "--force", "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["files"] == [{"path": str(template), "state": "updated"}]
    # Once it is up to date there is nothing to write over.
    code, out, _ = export(root, "sam", "--json")
    assert (code, json.loads(out)["files"][0]["state"]) == (ExitCode.OK, "unchanged")


def test_check_fails_when_pipelines_toml_says_something_else(tmp_path: Path) -> None:
    root = project(tmp_path)
    code, _, err = export(root, "--check")
    assert (code, "is missing" in err) == (ExitCode.FAILED, True)
    export(root, "sam")
    assert export(root, "--check")[0] == ExitCode.OK
    (root / "pipelines.toml").write_text(PIPELINE + "batch-size = 7\n")
    code, out, err = export(root, "--check")
    assert (code, "differs" in err) == (ExitCode.FAILED, True)
    assert "-            BatchSize: 100\n+            BatchSize: 7\n" in out
    (one,) = json.loads(export(root, "--check", "--json")[1])["files"]
    assert (one["state"], "BatchSize: 7" in one["difference"]) == ("differs", True)


TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "yes",
        "1e3",
        "0x1",
        "12:30",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "~",
        "",
        "a:",
        "=",
        "<<",
        "No",
        "2001-01-01",
    ]
)


@given(texts=st.lists(TEXT, min_size=1, max_size=4), comment=st.sampled_from(["why", "why\nso"]))
def test_any_text_is_read_back_as_it_was(texts: list[str], comment: str) -> None:
    values = {f"{text}k": [text, {text: Block(text)}] for text in texts}
    template = Commented({"first": values, "second": texts}, {"second": comment})
    found = read(render(template, "header"))
    wanted = {f"{text}k": [text, {text: text}] for text in texts}
    assert found == {"first": wanted, "second": texts}
