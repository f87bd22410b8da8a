"""REST APIs in pipelines.toml: what is refused, what is planned, what their roles allow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamdev.aws.apis import ApiState
from streamdev.config.load import load_project
from streamdev.config.models import Project
from streamdev.deploy import apis
from streamdev.deploy.changes import Action
from streamdev.deploy.existing import Existing
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan, make_plan
from streamdev.deploy.resources import PROJECT_TAG, ApiResource, RoleResource, project_id
from streamdev.errors import InvalidInputError

METHOD = """\
[[pipelines.orders.api.methods]]
path = "/orders"
http-method = "PUT"
action = "PutItem"
request-template = "put.vtl"
responses = [{ status-code = 202, response-template = "put.vtl" }]
"""
TOML = f"""\
[pipelines.orders]
table = {{ name = "Orders", key = "id:S", stream = "NEW_IMAGE" }}
function = {{ source = "src", handler = "handler.main", runtime = "python3.13" }}
mapping = {{ starting-position = "LATEST" }}

{METHOD}"""


def project(folder: Path, text: str = TOML) -> Project:
    if not (folder / "put.vtl").exists():
        (folder / "put.vtl").write_text('{"TableName": "$stageVariables.table"}')
    (folder / "pipelines.toml").write_text(text)
    return load_project(folder / "pipelines.toml")


def plan(project: Project, existing: Existing | None = None) -> Plan:
    packages = {
        p.function.name: Package(Path("nowhere.zip"), "same", 100)
        for p in project.pipelines.values()
    }
    pipelines = tuple(project.pipelines.values())
    return make_plan(project, pipelines, packages, existing or Existing())


def planned(project: Project, *existing: ApiState) -> tuple[ApiResource, Action, tuple[str, ...]]:
    for change in plan(project, Existing(apis=existing)).changes:
        if isinstance(change.resource, ApiResource):
            return change.resource, change.action, change.reasons
    raise AssertionError("no API in the plan")


def as_deployed(project: Project, resource: ApiResource) -> ApiState:
    variables = {**resource.variables, apis.DEFINITION: resource.definition}
    tags = {PROJECT_TAG: project_id(project.path)}
    return ApiState("x1", resource.name, {resource.stage: variables}, tags)


def test_an_api_is_created_once_and_then_left_as_it_is(tmp_path: Path) -> None:
    own = project(tmp_path)
    resource, action, _ = planned(own)
    assert action is Action.CREATE
    assert (resource.name, resource.stage, resource.variables) == (
        "orders",
        "dev",
        {"table": "Orders"},
    )
    known, action, _ = planned(own, as_deployed(own, resource))
    assert (known.id, action) == ("x1", Action.NOTHING)


def test_an_edited_template_is_an_update(tmp_path: Path) -> None:
    own = project(tmp_path)
    state = as_deployed(own, planned(own)[0])
    (tmp_path / "put.vtl").write_text("{}")
    resource, action, reasons = planned(own, state)
    assert (resource.id, action, reasons) == ("x1", Action.UPDATE, ("methods",))


def test_a_deployment_that_was_cut_off_is_repeated(tmp_path: Path) -> None:
    own = project(tmp_path)
    begun = ApiState("x1", "orders", {}, {PROJECT_TAG: project_id(own.path)})
    assert planned(own, begun)[1:] == (Action.UPDATE, ("stage dev is missing",))


def test_an_api_of_the_same_name_that_is_not_the_projects_is_left_alone(tmp_path: Path) -> None:
    own = project(tmp_path)
    assert planned(own, ApiState("x2", "orders", {}, {}))[1] is Action.CREATE


def test_an_api_no_pipeline_has_any_more_goes_with_its_role(tmp_path: Path) -> None:
    own = project(tmp_path, TOML.replace(METHOD, ""))
    tags = {PROJECT_TAG: project_id(own.path)}
    state = ApiState("x1", "orders", {"dev": {}}, tags)
    role = apis.role_of_api("orders")
    changes = plan(own, Existing(apis=[state], roles={role: object()})).changes  # type: ignore[dict-item]
    gone = [(c.resource.kind, c.resource.name) for c in changes if c.action is Action.DELETE]
    assert gone == [("api", "orders"), ("role", role)]


def test_the_role_allows_the_methods_actions_on_the_table_and_nothing_else(tmp_path: Path) -> None:
    roles = {
        change.resource.name: change.resource
        for change in plan(project(tmp_path)).changes
        if isinstance(change.resource, RoleResource)
    }
    role = roles["orders-api-role"]
    assert "apigateway.amazonaws.com" in json.dumps(role.trust)
    (statement,) = role.policy["Statement"]
    assert statement["Action"] == ["dynamodb:PutItem"]
    assert statement["Resource"] == "arn:aws:dynamodb:us-east-1:000000000000:table/Orders"


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("put.vtl", "gone.vtl", "can't be read"),
        ('"/orders"', '"orders"', "such as /requests/{id}"),
        ('"PUT"', '"PUTT"', "did you mean 'PUT'"),
        ('"PutItem"', '"CreateTable"', "is none of"),
        ("status-code = 202", "status-code = 202, selection-pattern = '('", "no regular expr"),
        ("status-code = 202", "status-code = 202, selection-pattern = '2'", "without selection"),
    ],
)
def test_what_api_gateway_would_refuse_is_refused(
    tmp_path: Path, was: str, now: str, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=r"pipelines.toml:\d+") as refused:
        project(tmp_path, TOML.replace(was, now))
    assert said in str(refused.value)


def test_a_missing_template_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as refused:
        project(tmp_path, TOML.replace('response-template = "put.vtl"', 'response-template = "no"'))
    (line,) = str(refused.value).splitlines()
    assert line.endswith("response-template: no can't be read: No such file or directory")
    with pytest.raises(InvalidInputError, match="responses: has 0 entries; AWS needs 1"):
        project(tmp_path, TOML.replace('{ status-code = 202, response-template = "put.vtl" }', ""))


def test_a_method_is_declared_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="PUT /orders is declared twice"):
        project(tmp_path, TOML + METHOD)
