"""A stack on the project's engine, made of what `export sam` writes, as `sam deploy` makes one."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamdev.config.load import load_project
from streamdev.engine.environment import tool_environment
from tests.support.programs import Notes
from tests.support.project import Project, Result, eventually, unique

# What AWS does with a SAM template, and `sam validate` to see whether it can be done. CodeUri is
# replaced by where the zip is, as `sam package` does.
TRANSFORM = """
import json, sys
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

class NoPolicies:
    def load(self):
        return {}

template = yaml_parse(open(sys.argv[1], encoding="utf-8").read())
code = json.loads(sys.argv[2])
for logical_id, resource in template["Resources"].items():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = code[resource["Properties"]["CodeUri"]]
json.dump(transform(template, {}, NoPolicies()), sys.stdout)
"""


def tool(name: str, *args: str) -> str:
    """What a program of cfn-lint's environment prints; it must end with 0."""
    ended = subprocess.run(
        [tool_environment("cfn-lint", Notes()) / "bin" / name, *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@dataclass(frozen=True)
class Deployed:
    """The pipelines as they run: by `up` under their own names, or by a stack under others.

    Attributes:
        config: The pipelines file that has those names.
        names: What the tables and functions of pipelines.toml are called, where otherwise.
        outputs: The stack's outputs.
    """

    project: Project
    config: str = "pipelines.toml"
    names: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    def run(self, *args: str, **options: Any) -> Result:
        """Run a command on these pipelines."""
        return self.project.run(*args, "--config", self.config, **options)

    def named(self, name: str) -> str:
        """What a table or function of pipelines.toml is called."""
        return self.names.get(name, name)


def deploy_stack(project: Project, config: str = "pipelines.toml", suffix: str = "") -> Deployed:
    """Export ``config`` and deploy that; all names get ``suffix``.

    Raises:
        AssertionError: The stack could not be made; its events say why.
    """
    name = unique("stack")
    folder = project.root / name
    project.run("export", "sam", "-o", name, "--config", config)
    template = _transformed(project, folder / "template.yaml", config, name)
    client = project.client("cloudformation")
    client.create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=[{"ParameterKey": "NameSuffix", "ParameterValue": suffix}],
        Capabilities=["CAPABILITY_IAM"],
    )

    def ended() -> Any:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        return stack if not stack["StackStatus"].endswith("IN_PROGRESS") else None

    stack = eventually(ended, timeout=180, what="the stack's end")
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [e["ResourceStatusReason"] for e in events if "ResourceStatusReason" in e]
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return _deployed(project, config, suffix, outputs)


def _transformed(project: Project, template: Path, config: str, bucket: str) -> str:
    """The template as AWS transforms it, with the functions' code in a bucket."""
    project.run("deploy", "--plan", "--config", config)  # makes the zips
    s3 = project.client("s3")
    s3.create_bucket(Bucket=bucket)
    code = {}
    for pipeline in load_project(project.root / config).pipelines.values():
        function = pipeline.function
        (package,) = (project.state.packages / function.name).glob("*.zip")
        s3.put_object(Bucket=bucket, Key=package.name, Body=package.read_bytes())
        relative = f"../{function.source.relative_to(project.root).as_posix()}/"
        code[relative] = f"s3://{bucket}/{package.name}"
    return tool("python", "-c", TRANSFORM, str(template), json.dumps(code))


def _deployed(project: Project, config: str, suffix: str, outputs: dict[str, str]) -> Deployed:
    """What the outputs say, and a pipelines file for it."""
    declared = load_project(project.root / config)
    functions = [pipeline.function.name for pipeline in declared.pipelines.values()]
    names = {one: f"{one}{suffix}" for one in (*declared.table_names, *functions)}
    given = set(outputs.values())
    assert set(names.values()) <= given
    text = (project.root / config).read_text()
    for pipeline in declared.pipelines:
        text = re.sub(rf"\[pipelines\.{pipeline}(?=[.\]])", rf"\g<0>{suffix}", text)
    for key in ("name", "sqs", "sns", "s3"):
        text = re.sub(rf'(\b{key}\s*=\s*")([^"]+)', rf"\g<1>\g<2>{suffix}", text)
    own = f"{unique('stack')}.toml"
    project.write_pipelines(text, own)
    return Deployed(project, own, names, outputs)
