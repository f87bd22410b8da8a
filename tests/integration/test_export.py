"""What `export sam` writes deploys: linted, transformed, and the same as what `deploy` makes.

The tests of the two reference systems run against such a stack as well (the fixture `deployed`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from streamdev.config.load import load_project
from streamdev.deploy.policy import execution_policy
from tests.support.project import Project, create_project, unique
from tests.support.stack import Deployed, deploy_stack, tool

REPOSITORY = Path(__file__).resolve().parents[2]
EVERYTHING = (REPOSITORY / "tests" / "support" / "everything.toml").read_text()


# What is otherwise about a stack's function: the role's name (a published version has it as well),
# and no project's mark. LocalStack's CloudFormation leaves reserved concurrency out.
ALLOWED = ("role ", "version ", "taken over", "reserved-concurrency none")


def everything(project: Project) -> Deployed:
    name = unique("all")
    project.write_handler(name, "def lambda_handler(event, context):\n    return None\n")
    config = project.write_pipelines(EVERYTHING.replace("NAME", name), f"{name}.toml")
    return deploy_stack(project, config.name)


def policies(deployed: Deployed, role_arn: str) -> list[dict[str, Any]]:
    iam, role = deployed.project.client("iam"), role_arn.rpartition("/")[2]
    found = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        found.append(document if isinstance(document, dict) else json.loads(unquote(document)))
    return found


@pytest.mark.parametrize("which", ["reference", "everything"])
def test_a_stack_is_what_deploy_would_make(
    project: Project, which: str, request: pytest.FixtureRequest
) -> None:
    deployed = everything(project) if which == "everything" else request.getfixturevalue("stack")
    plan = deployed.run("deploy", "--plan", "--json").json()
    changes = [change for change in plan["changes"] if change["action"] != "nothing"]
    # The template names no roles, and does not mark what is in it as a project's own.
    assert {change["kind"] for change in changes} <= {"role", "api", "function"}, changes
    reasons = [
        why for change in changes if change["kind"] == "function" for why in change["reasons"]
    ]
    assert all(why.startswith(ALLOWED) for why in reasons), reasons
    alarms = deployed.project.client("cloudwatch").describe_alarms()["MetricAlarms"]
    watched = {(a["MetricName"], *(d["Value"] for d in a["Dimensions"])) for a in alarms}
    gateway = deployed.project.gateway
    for pipeline in load_project(project.root / deployed.config).pipelines.values():
        function = gateway.functions.find(pipeline.function.name)
        assert function is not None
        wanted = execution_policy(pipeline, gateway.region)
        assert policies(deployed, function.settings.role) == [wanted]
        assert ("IteratorAge", pipeline.function.name) in watched
        failure = pipeline.mapping.on_failure
        if failure is not None and failure.sqs is not None:
            assert ("ApproximateNumberOfMessagesVisible", failure.sqs) in watched


def test_templates_pass_cfn_lint_without_warnings(tmp_path: Path) -> None:
    (tmp_path / "lambda_src" / "all").mkdir(parents=True)
    (tmp_path / "lambda_src" / "all" / "handler.py").write_text("def lambda_handler(e, c): ...\n")
    (tmp_path / "all.toml").write_text(EVERYTHING.replace("NAME", "all"))
    everything = create_project(tmp_path, 1)
    everything.run("export", "sam", "--config", "all.toml")
    reference = REPOSITORY / "docs" / "examples" / "sam" / "template.yaml"
    assert tool("cfn-lint", str(reference), str(tmp_path / "template.yaml")) == ""


def test_capacity_is_planned_with_what_the_handler_was_measured_to_take(project: Project) -> None:
    project.run("put-item", f"id={unique('measured')}", "name=John", "--wait")
    plan = project.run("plan-capacity", "--writes", "10", "--json").json()
    assert (plan["pipeline"], plan["measured"]) == ("user-profile", True)
    assert plan["concurrency"] == pytest.approx(10 * plan["record_ms"] / 1000)
    assert plan["record_ms"] > 0
