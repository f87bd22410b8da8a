"""import sam: what of a template becomes a pipeline, and what is said of the rest."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.main import run
from streamdev.config.load import load_project
from tests.support.exporting import EVERYTHING

ROOT = Path(__file__).resolve().parents[2]

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.13, Timeout: 9, Layers: [!Ref Extra]}
  Api: {TracingEnabled: true}
Parameters:
  Stage: {Type: String, Default: dev}
  Size: {Type: Number, Default: 25}
  Open: {Type: String}
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Condition: Prod
    Properties:
      TableName: !Sub "orders-${Stage}"
      BillingMode: PAY_PER_REQUEST
      SSESpecification: {SSEEnabled: true}
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Seen: {Type: AWS::Serverless::SimpleTable}
  Failed: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1209600}}
  Told:
    Type: AWS::SNS::Topic
    Properties: {KmsMasterKeyId: alias/aws/sns, TopicName: !Join ["-", [told, !Ref Stage]]}
  Ship:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: handler.run
      MemorySize: 256
      Policies: [AWSLambdaBasicExecutionRole]
      Environment:
        Variables:
          STAGE: {"Fn::Sub": ["${Name}!", {Name: {Ref: Stage}}]}
          ORDERS: !Ref Orders
          SEEN: !Ref Seen
          TOLD: !Ref Told
          SHARED: !ImportValue shared
          QUEUE: !Ref Failed
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: {"Fn::GetAtt": [Orders, StreamArn]}
            StartingPosition: LATEST
            BatchSize: !Ref Size
            MaximumRetryAttempts: !If [Prod, 5, 2]
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
        Daily: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Plain: {Type: AWS::Serverless::Function, Properties: {CodeUri: code}}
"""

WANTED = """\
[pipelines.Ship.table]
name = "orders-dev"
key = "id:S"
stream = "NEW_IMAGE"

[pipelines.Ship.function]
source = "code"
handler = "handler.run"
runtime = "python3.13"
timeout = 9
memory-size = 256

[pipelines.Ship.function.environment]
STAGE = "dev!"
ORDERS = "orders-dev"

[pipelines.Ship.mapping]
starting-position = "LATEST"
batch-size = 25
on-failure = { sqs = "Failed" }

[[pipelines.Ship.tables]]
name = "Seen"
key = "id:S"
environment-variable = "SEEN"

[[pipelines.Ship.topics]]
name = "told-dev"
environment-variable = "TOLD"
"""


def line_of(text: str) -> int:
    return TEMPLATE[: TEMPLATE.index(text)].count("\n") + 1


def command(cwd: Path, *args: str) -> tuple[int, str, str]:
    """Run a command in a folder; its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    context = Context(environ={}, stdin=io.StringIO(), stdout=out, stderr=err, cwd=cwd)
    return run(list(args), context), out.getvalue(), err.getvalue()


def imported(cwd: Path, text: str, *args: str) -> tuple[int, str, str]:
    (cwd / "template.yaml").write_text(text, encoding="utf-8")
    return command(cwd, "import", "sam", "template.yaml", *args)


def test_a_template_becomes_pipelines_and_the_rest_is_named(tmp_path: Path) -> None:
    code, out, err = imported(tmp_path, TEMPLATE, "--json")
    assert code == ExitCode.OK, err
    made = (tmp_path / "pipelines.toml").read_text(encoding="utf-8")
    assert made.partition("\n\n")[2].rstrip() == WANTED.rstrip()
    said = json.loads(out)
    assert said["pipelines"] == ["Ship"]

    def at(text: str) -> str:
        return f"{tmp_path / 'template.yaml'}:{line_of(text)}"

    assert sorted(said["left_out"]) == sorted(
        [
            "Failed.MessageRetentionPeriod",
            "Globals.Api",
            "Globals.Function.Layers",
            "Orders.Condition: here it is there always",
            "Orders.SSESpecification",
            "Plain (AWS::Serverless::Function)",
            "Ship.Environment.QUEUE: it is Failed's",
            f"Ship.Environment.SHARED: {at('!Imp')}: ImportValue is not resolved here",
            f"Ship.Events.Changes.MaximumRetryAttempts: {at('!If')}: If is not resolved here",
            "Ship.Events.Daily",
            "Ship.Policies",
            "Told.KmsMasterKeyId",
        ]
    )
    assert all(one in err for one in said["left_out"])


def test_an_exported_template_comes_back_as_it_was(tmp_path: Path) -> None:
    text = EVERYTHING.replace("lambda_src/NAME", "code").replace("NAME", "all")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "handler.py").write_text("def lambda_handler(event, context): ...\n")
    (tmp_path / "pipelines.toml").write_text(text, encoding="utf-8")
    assert command(tmp_path, "export", "sam", "-o", "out")[0] == ExitCode.OK
    code, _, err = command(tmp_path, "import", "sam", "out/template.yaml", "-o", "back.toml")
    assert code == ExitCode.OK, err
    before = load_project(tmp_path / "pipelines.toml").pipelines
    after = load_project(tmp_path / "back.toml").pipelines
    assert list(after) == list(before)
    for name, pipeline in after.items():
        was = before[name]
        # A role's actions stand in its policy, and indexes' attributes in an order of their own.
        table = pipeline.table.model_copy(update={"actions": was.table.actions})
        assert table.model_dump() == sorted_attributes(was.table.model_dump())
        assert pipeline.function == was.function
        patterns = [json.loads(one) for one in was.mapping.filter_criteria]
        assert [json.loads(one) for one in pipeline.mapping.filter_criteria] == patterns
        update = {"filter_criteria": ()}
        assert pipeline.mapping.model_copy(update=update) == was.mapping.model_copy(update=update)


def sorted_attributes(table: dict[str, object]) -> dict[str, object]:
    indexes = table["global_secondary_indexes"]
    assert isinstance(indexes, tuple)
    for index in indexes:
        index["non_key_attributes"] = tuple(sorted(index["non_key_attributes"]))
    return table


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("!Ref Size", "!Reff Size", "LINE: there is no intrinsic function Reff"),
        ('{"Fn::GetAtt": [O', '{"Fn::Get": [O', "LINE: there is no intrinsic function Get."),
        ('"orders-${Stage}"', '"${Open}"', "LINE: Open has no default"),
        ("Handler: handler.run", "Handler: [", "not valid YAML"),
        ("Resources:", "Resourses:", "is no template"),
        ("Type: DynamoDB", "Type: SQS", "no function with a DynamoDB event"),
        ("KeySchema: [{AttributeName: id, KeyType: HASH}]", "KeySchema: [7]", "not as AWS has it"),
        (
            "StartingPosition: LATEST",
            "StartingPosition: LAST",
            "'LAST' is none of TRIM_HORIZON, LATEST",
        ),
    ],
)
def test_what_can_not_be_read_is_told_in_two_lines(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in TEMPLATE
    code, _, err = imported(tmp_path, TEMPLATE.replace(old, new, 1))
    problem = problem.replace("LINE", f"template.yaml:{line_of(old)}")
    assert (code, problem in err) == (ExitCode.USAGE, True), err
    assert not (tmp_path / "pipelines.toml").exists()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("CodeUri: code\n", "CodeUri: s3://b/k\n", "its CodeUri is no folder"),
        ('{"Fn::GetAtt": [Orders, StreamArn]}', "arn:x", "its Stream is no table"),
    ],
)
def test_a_function_that_has_no_place_is_named(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    other = TEMPLATE[TEMPLATE.index("  Ship:") : TEMPLATE.index("  Plain:")]
    other = other.replace("Ship:", "Other:").replace(old, new)
    code, _, err = imported(tmp_path, TEMPLATE + other)
    assert code == ExitCode.OK, err
    assert f"Other (AWS::Serverless::Function): {why}" in err


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "pipelines.toml").write_text("mine\n")
    code, _, err = imported(tmp_path, TEMPLATE)
    assert (code, "already" in err) == (ExitCode.USAGE, True)
    assert (tmp_path / "pipelines.toml").read_text() == "mine\n"
    assert imported(tmp_path, TEMPLATE, "--force")[0] == ExitCode.OK
