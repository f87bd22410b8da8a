"""What a deploy remembers, and when it has to look at everything again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamdev.config.load import load_project
from streamdev.config.models import Project
from streamdev.deploy.changes import Action
from streamdev.deploy.memory import Memory, merged, plan_from_nothing
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


NOTHING: frozenset[str] = frozenset()
UNKNOWN = {"one": None, "two": None}


def test_nothing_is_known_before_a_deploy(project: Project, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "deployed.json", "generation 1")
    assert memory.differing(wanted(project), whole=True) == UNKNOWN


def test_what_is_as_it_was_does_not_differ(project: Project, kept: Path) -> None:
    memory = Memory(kept, "generation 1")
    assert memory.differing(wanted(project), whole=True) == {"one": NOTHING, "two": NOTHING}


def test_once_somebody_changed_something_nothing_is_known(project: Project, kept: Path) -> None:
    assert Memory(kept, "generation 2").differing(wanted(project), whole=True) == UNKNOWN


def test_what_a_pipeline_changes_differs(kept: Path, tmp_path: Path) -> None:
    found = Memory(kept, "generation 1").differing(
        wanted(project_of(tmp_path, mode="b")), whole=True
    )
    assert found == {"one": NOTHING, "two": frozenset({"function two"})}


def test_changed_code_is_a_changed_function(project: Project, kept: Path) -> None:
    found = Memory(kept, "generation 1").differing(wanted(project, "other"), whole=True)
    assert found == {
        "one": frozenset({"function one"}),
        "two": frozenset({"function two"}),
    }


def test_what_may_be_left_over_is_not_known(kept: Path, tmp_path: Path) -> None:
    renamed = wanted(project_of(tmp_path, table="Three"))
    assert Memory(kept, "generation 1").differing(renamed, whole=True) == UNKNOWN
    found = Memory(kept, "generation 1").differing(renamed, whole=False)
    assert found == {"one": NOTHING, "two": None}


def test_a_deploy_of_some_pipelines_keeps_what_is_known_of_others(
    kept: Path, tmp_path: Path
) -> None:
    changed = wanted(project_of(tmp_path, mode="b"))
    Memory(kept, "generation 1").keep({"two": changed["two"]}, whole=False)
    found = Memory(kept, "generation 1").differing(changed, whole=True)
    assert found == {"one": NOTHING, "two": NOTHING}


def test_what_is_forgotten_is_not_known(project: Project, kept: Path) -> None:
    Memory(kept, "generation 1").forget()
    assert Memory(kept, "generation 1").differing(wanted(project), whole=True) == UNKNOWN


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"generation": "generation 1"}'])
def test_a_file_that_says_nothing_is_no_memory(
    project: Project, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "deployed.json"
    path.write_text(content)
    memory = Memory(path, "generation 1")
    assert memory.differing(wanted(project), whole=True) == UNKNOWN
    memory.keep(wanted(project), whole=True)
    found = Memory(path, "generation 1").differing(wanted(project), whole=True)
    assert found == {"one": NOTHING, "two": NOTHING}


def test_what_is_known_is_put_to_what_was_looked_at(project: Project) -> None:
    plans = wanted(project)
    (mapping,) = (one for one in plans["two"].changes if one.resource.kind == "mapping")
    renewed = Plan((replace(mapping, action=Action.DELETE), *plans["two"].changes))
    both = merged([plans["one"], plans["one"], plans["two"]], renewed)
    assert both.changes == (*plans["one"].changes, *renewed.changes)
