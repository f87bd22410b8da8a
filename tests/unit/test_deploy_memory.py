"""What a deploy remembers, and when it has to look at everything again."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdev.config.load import load_project
from streamdev.config.models import Project
from streamdev.deploy.changes import Action
from streamdev.deploy.memory import Memory, plan_from_nothing, with_unchanged
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan

PIPELINE = """\
[pipelines.{name}]
table = {{ name = "{table}", key = "id:S", stream = "NEW_IMAGE" }}
function = {{ source = "src", handler = "handler.main", runtime = "python3.13", \
environment = {{ MODE = "{mode}" }} }}
mapping = {{ starting-position = "LATEST" }}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_of(tmp_path)


def project_of(folder: Path, mode: str = "a", table: str = "Two") -> Project:
    (folder / "pipelines.toml").write_text(
        PIPELINE.format(name="one", table="One", mode="a")
        + PIPELINE.format(name="two", table=table, mode=mode)
    )
    return load_project(folder / "pipelines.toml")


def wanted(project: Project, sha: str = "same") -> dict[str, Plan]:
    packages = {name: Package(Path("nowhere.zip"), sha, 100) for name in project.pipelines}
    return {
        name: plan_from_nothing(project, pipeline, packages, "us-east-1")
        for name, pipeline in project.pipelines.items()
    }


@pytest.fixture
def kept(project: Project, tmp_path: Path) -> Path:
    path = tmp_path / "deployed.json"
    Memory(path, "generation 1").keep(wanted(project), whole=True)
    return path


def test_nothing_is_known_before_a_deploy(project: Project, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "deployed.json", "generation 1")
    assert memory.unchanged(wanted(project), whole=True) == frozenset()


def test_what_is_as_it_was_need_not_be_looked_at(project: Project, kept: Path) -> None:
    memory = Memory(kept, "generation 1")
    assert memory.unchanged(wanted(project), whole=True) == {"one", "two"}


def test_once_somebody_changed_something_all_is_looked_at(project: Project, kept: Path) -> None:
    memory = Memory(kept, "generation 2")
    assert memory.unchanged(wanted(project), whole=True) == frozenset()


def test_only_the_changed_pipeline_is_looked_at(kept: Path, tmp_path: Path) -> None:
    memory = Memory(kept, "generation 1")
    assert memory.unchanged(wanted(project_of(tmp_path, mode="b")), whole=True) == {"one"}


def test_changed_code_is_a_change(project: Project, kept: Path) -> None:
    memory = Memory(kept, "generation 1")
    assert memory.unchanged(wanted(project, "other"), whole=True) == frozenset()


def test_a_resource_that_is_left_over_is_looked_for(kept: Path, tmp_path: Path) -> None:
    renamed = wanted(project_of(tmp_path, table="Three"))
    assert Memory(kept, "generation 1").unchanged(renamed, whole=True) == frozenset()
    some = {"one": renamed["one"]}
    assert Memory(kept, "generation 1").unchanged(some, whole=False) == {"one"}


def test_a_deploy_of_some_pipelines_keeps_what_is_known_of_others(
    kept: Path, tmp_path: Path
) -> None:
    changed = wanted(project_of(tmp_path, mode="b"))
    Memory(kept, "generation 1").keep({"two": changed["two"]}, whole=False)
    assert Memory(kept, "generation 1").unchanged(changed, whole=True) == {"one", "two"}


def test_what_is_forgotten_is_not_known(project: Project, kept: Path) -> None:
    Memory(kept, "generation 1").forget()
    assert Memory(kept, "generation 1").unchanged(wanted(project), whole=True) == frozenset()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"generation": "generation 1"}'])
def test_a_file_that_says_nothing_is_no_memory(
    project: Project, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "deployed.json"
    path.write_text(content)
    memory = Memory(path, "generation 1")
    assert memory.unchanged(wanted(project), whole=True) == frozenset()
    memory.keep(wanted(project), whole=True)
    assert Memory(path, "generation 1").unchanged(wanted(project), whole=True) == {"one", "two"}


def test_what_is_not_looked_at_is_listed_once_and_untouched(project: Project) -> None:
    plans = wanted(project)
    both = with_unchanged(plans["two"], [plans["one"], plans["two"]])
    listed = [(change.resource.kind, change.resource.name) for change in both.changes]
    assert len(listed) == len(set(listed))
    actions = {change.resource.name: change.action for change in both.changes}
    assert actions["One"] is Action.NOTHING
    assert actions["Two"] is Action.CREATE
