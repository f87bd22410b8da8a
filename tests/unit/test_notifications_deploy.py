"""Topics, subscriptions and a function's own tables: declared, planned, and in its role."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdev.aws.names import topic_arn
from streamdev.aws.tables import TableState
from streamdev.aws.topics import SubscriptionState
from streamdev.config.load import load_project
from streamdev.config.models import Project
from streamdev.deploy.apis import api_role
from streamdev.deploy.existing import Existing
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan, make_plan
from streamdev.deploy.policy import execution_policy
from streamdev.deploy.resources import FunctionResource
from streamdev.errors import InvalidInputError

REPOSITORY = Path(__file__).resolve().parents[2]

PIPELINE = """\
[pipelines.{name}]
table = {{ name = "{table}", key = "id:S", stream = "NEW_IMAGE" }}
function = {{ source = "src", handler = "handler.main", runtime = "python3.13" }}
mapping = {{ starting-position = "TRIM_HORIZON", on-failure = {{ sqs = "failed" }} }}
{more}
"""
NOTIFYING = """\
tables = [{ name = "Seen", key = "id:S", ttl = "until", environment-variable = "SEEN" }]
topics = [{ name = "news", environment-variable = "NEWS", subscriptions = [{ sqs = "readers" }] }]
"""
ACCOUNT = "us-east-1:000000000000"


def project(tmp_path: Path, *pipelines: str) -> Project:
    path = tmp_path / "pipelines.toml"
    path.write_text("\n".join(pipelines))
    return load_project(path)


def pipeline(more: str = NOTIFYING, name: str = "people", table: str = "People") -> str:
    return PIPELINE.format(name=name, table=table, more=more)


def plan(declared: Project, existing: Existing | None = None) -> Plan:
    pipelines = tuple(declared.pipelines.values())
    packages = {p.function.name: Package(Path("nowhere.zip"), "same", 1) for p in pipelines}
    return make_plan(declared, pipelines, packages, existing or Existing())


def told(plan: Plan) -> list[str]:
    return [f"{one.action} {one.resource.kind} {one.resource.name}" for one in plan.changes]


def test_topics_queues_and_tables_come_before_the_function_that_uses_them(tmp_path: Path) -> None:
    assert told(plan(project(tmp_path, pipeline()))) == [
        "create queue failed",
        "create topic news",
        "create queue readers",
        "create subscription news → readers",
        "create table People",
        "create table Seen",
        "create role people-role",
        "create function people",
        "create mapping People → people",
    ]


def test_the_function_is_told_the_names(tmp_path: Path) -> None:
    (function,) = (
        change.resource
        for change in plan(project(tmp_path, pipeline())).changes
        if isinstance(change.resource, FunctionResource)
    )
    assert function.settings is not None
    assert function.settings.environment == {"NEWS": topic_arn("news"), "SEEN": "Seen"}


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (SubscriptionState("arn", raw=False, permitted=frozenset({topic_arn("news")})), "nothing"),
        (SubscriptionState("arn", raw=True, permitted=frozenset({topic_arn("news")})), "update"),
        (SubscriptionState("arn", raw=False, permitted=frozenset()), "update"),
    ],
)
def test_a_subscription_is_touched_only_where_it_differs(
    tmp_path: Path, state: SubscriptionState, action: str
) -> None:
    existing = Existing(subscriptions={("news", "readers"): state})
    assert f"{action} subscription news → readers" in told(
        plan(project(tmp_path, pipeline()), existing)
    )


def test_an_own_table_that_is_there_stays(tmp_path: Path) -> None:
    seen = TableState("Seen", "arn", "ACTIVE", ("id",), {"id": "S"}, None, None, {}, {}, 0)
    existing = Existing(tables={"Seen": seen}, ttls={"Seen": "until"})
    assert "nothing table Seen" in told(plan(project(tmp_path, pipeline()), existing))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('topics = [{ name = "my news" }]', "topics[0].name: 'my news' is not allowed"),
        ('topics = [{ name = "n", subscribers = [] }]', "did you mean 'subscriptions'?"),
        ('topics = [{ name = "n", subscriptions = [{ sqs = "failed" }] }]', "failure destination"),
        ('topics = [{ name = "n" }, { name = "n" }]', "n is declared twice"),
        ('tables = [{ name = "People", key = "id:S" }]', "People is a pipeline's table"),
        ('tables = [{ name = "Own", key = "id" }]', "'id' is no key"),
        ('tables = [{ name = "Own", key = "id:S", actions = ["dynamodb:*"] }]', "not allowed"),
        (
            'tables = [{ name = "Own", key = "id:S", environment-variable = "AWS_REGION" }]',
            "Lambda sets AWS_REGION itself",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, wrong: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        project(tmp_path, pipeline(wrong))
    assert words in caught.value.message


def test_two_pipelines_must_agree_on_a_topic(tmp_path: Path) -> None:
    other = 'topics = [{ name = "news", subscriptions = [{ sqs = "others" }] }]'
    with pytest.raises(InvalidInputError) as caught:
        project(tmp_path, pipeline(), pipeline(other, name="pets", table="Pets"))
    assert "news is declared otherwise by pipeline 'people'" in caught.value.message


# Where a policy of this repository may have a wildcard in a resource, and why.
WILDCARDS = {
    # A table's stream has a label that changes when the table is made anew.
    "arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/*",
    # Lambda names the log streams of a function's group.
    "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{function}:*",
    # X-Ray's actions know no resources.
    "*",
}


@pytest.mark.parametrize("name", load_project(REPOSITORY / "pipelines.toml").pipelines)
def test_the_repositorys_roles_have_no_wildcard_but_those_that_must_be(name: str) -> None:
    declared = load_project(REPOSITORY / "pipelines.toml").pipeline(name)
    allowed = {
        one.format(table=declared.table.name, function=declared.function.name) for one in WILDCARDS
    }
    for statement in execution_policy(declared, "us-east-1")["Statement"]:
        assert statement["Effect"] == "Allow"
        assert all("*" not in action for action in statement["Action"])
        resource = statement["Resource"]
        resources = [resource] if isinstance(resource, str) else resource
        assert {one for one in resources if "*" in one} <= allowed
        if "*" in resources:
            assert all(action.startswith("xray:") for action in statement["Action"])


def test_a_role_allows_its_tables_and_topics_and_no_others(tmp_path: Path) -> None:
    more = NOTIFYING.replace(' ttl = "until",', ' actions = ["dynamodb:UpdateItem"],')
    declared = project(tmp_path, pipeline(more)).pipeline()
    statements = {one["Sid"]: one for one in execution_policy(declared, "us-east-1")["Statement"]}
    assert statements["UseTables1"]["Action"] == ["dynamodb:UpdateItem"]
    assert statements["UseTables1"]["Resource"] == f"arn:aws:dynamodb:{ACCOUNT}:table/Seen"
    assert statements["Notify"]["Action"] == ["sns:Publish"]
    assert statements["Notify"]["Resource"] == f"arn:aws:sns:{ACCOUNT}:news"
    assert set(statements) == {"ReadStream", "WriteLog", "TellFailures", "UseTables1", "Notify"}


def test_the_repositorys_functions_are_allowed_exactly_what_they_use() -> None:
    declared = load_project(REPOSITORY / "pipelines.toml")

    def allowed(name: str) -> dict[str, tuple[set[str], set[str]]]:
        found = {}
        for one in execution_policy(declared.pipeline(name), "us-east-1")["Statement"]:
            resource = one["Resource"]
            arns = {resource} if isinstance(resource, str) else set(resource)
            names = {arn.removeprefix(f"arn:aws:dynamodb:{ACCOUNT}:table/") for arn in arns}
            found[one["Sid"]] = ({action.partition(":")[2] for action in one["Action"]}, names)
        return found

    read = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}
    write_log = {"CreateLogStream", "PutLogEvents"}
    log = f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda"
    assert allowed("async-request") == {
        "ReadStream": (read, {"Restaurant/stream/*"}),
        "WriteLog": (write_log, {f"{log}/async-request:*"}),
        "UseStreamTable": ({"UpdateItem"}, {"Restaurant"}),
    }
    # Of its idempotency Powertools' persistence layer calls these four.
    items = {"DeleteItem", "GetItem", "PutItem", "UpdateItem"}
    assert allowed("user-profile") == {
        "ReadStream": (read, {"UserProfileTable/stream/*"}),
        "WriteLog": (write_log, {f"{log}/user-profile:*"}),
        "TellFailures": ({"SendMessage"}, {f"arn:aws:sqs:{ACCOUNT}:profile-updates-failed"}),
        "UseTables1": (items, {"UserProfileIdempotency"}),
        "UseTables2": ({"UpdateItem"}, {"UserProfileVersions"}),
        "Notify": ({"Publish"}, {f"arn:aws:sns:{ACCOUNT}:profile-updates"}),
        "Trace": ({"PutTelemetryRecords", "PutTraceSegments"}, {"*"}),
    }


def test_the_repositorys_api_may_put_and_get_requests_and_nothing_else() -> None:
    declared = load_project(REPOSITORY / "pipelines.toml").pipeline("async-request")
    assert declared.api is not None
    (statement,) = api_role(declared, declared.api, "us-east-1", {}).policy["Statement"]
    assert statement["Effect"] == "Allow"
    assert set(statement["Action"]) == {"dynamodb:GetItem", "dynamodb:PutItem"}
    assert statement["Resource"] == f"arn:aws:dynamodb:{ACCOUNT}:table/Restaurant"
