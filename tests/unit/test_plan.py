"""Plans: what a deploy does, decided from what is declared and what exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamdev.aws.functions import FunctionState
from streamdev.aws.mappings import MappingState
from streamdev.aws.names import function_arn, queue_arn, table_arn
from streamdev.aws.roles import RoleState
from streamdev.aws.tables import TableState
from streamdev.aws.versions import AliasState
from streamdev.config.load import load_project
from streamdev.config.models import Project
from streamdev.deploy.changes import Change
from streamdev.deploy.existing import Existing
from streamdev.deploy.package import Package
from streamdev.deploy.plan import Plan, make_plan
from streamdev.deploy.resources import (
    DestinationResource,
    FunctionResource,
    MappingResource,
    RoleResource,
    TableResource,
    role_name,
)
from streamdev.errors import DeployError

TOML = """\
[pipelines.people]
table = { name = "People", key = "id:S", stream = "NEW_IMAGE", ttl = "gone", \
global-secondary-indexes = [{ name = "by-mail", key = "mail:S" }] }
function = { source = "src", handler = "handler.main", runtime = "python3.13" }
mapping = { starting-position = "TRIM_HORIZON", batch-size = 1, on-failure = { sqs = "failed" } }
"""

Write = Callable[[str], Project]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Project:
        path = tmp_path / "pipelines.toml"
        path.write_text(text)
        return load_project(path)

    return write


def package(sha: str = "same") -> Package:
    return Package(Path("nowhere.zip"), sha, 100)


def plan(project: Project, existing: Existing, sha: str = "same", **options: Any) -> Plan:
    pipelines = tuple(project.pipelines.values())
    packages = {pipeline.function.name: package(sha) for pipeline in pipelines}
    return make_plan(project, pipelines, packages, existing, **options)


def stream_arn(table: str, label: str = "1") -> str:
    return f"{table_arn(table)}/stream/{label}"


def deployed(project: Project) -> Existing:
    """What exists after ``project`` was deployed."""
    tables, ttls, roles, functions, mappings, tags = {}, {}, {}, {}, [], {}
    destinations = set()
    for change in plan(project, Existing()).changes:
        match change.resource:
            case TableResource() as table:
                tables[table.name] = TableState(
                    name=table.name,
                    arn=table_arn(table.name),
                    status="ACTIVE",
                    keys=table.keys,
                    attribute_types=table.attribute_types,
                    stream_arn=stream_arn(table.name) if table.stream_view else None,
                    stream_view=table.stream_view,
                    indexes={index.name: index for index in table.indexes},
                    local_indexes={index.name: index for index in table.local_indexes},
                    item_count=0,
                )
                if table.ttl:
                    ttls[table.name] = table.ttl
            case RoleResource() as role:
                roles[role.name] = RoleState(role.name, "arn", role.trust, role.policy, role.tags)
            case FunctionResource() as function:
                assert function.settings is not None
                assert function.package is not None
                functions[function.name] = FunctionState(
                    name=function.name,
                    arn=function_arn(function.name),
                    settings=function.settings,
                    code_sha256=function.package.sha256,
                    state="Active",
                    update="Successful",
                    reason=None,
                    reserved_concurrency=function.reserved_concurrency,
                    tags=function.tags,
                )
            case MappingResource() as mapping:
                assert mapping.settings is not None
                mappings.append(
                    MappingState(
                        uuid=f"uuid-{mapping.function}",
                        function_arn=function_arn(mapping.function),
                        source_arn=stream_arn(mapping.table),
                        state="Enabled",
                        starting_position=mapping.starting_position,
                        settings=mapping.settings,
                        last_result=None,
                    )
                )
                tags[f"uuid-{mapping.function}"] = mapping.tags
            case DestinationResource() as destination:
                destinations.add((destination.service, destination.name))
    return Existing(
        tables=tables,
        ttls=ttls,
        functions=functions,
        roles=roles,
        destinations=frozenset(destinations),
        mappings=mappings,
        mapping_tags=tags,
    )


def told(changes: Plan) -> list[str]:
    """The effective changes, one ``action kind name`` each."""
    return [f"{one.action} {one.resource.kind} {one.resource.name}" for one in changes.effective]


def change_of(changes: Plan, kind: str) -> Change:
    (found,) = (one for one in changes.effective if one.resource.kind == kind)
    return found


def test_an_empty_engine_gets_everything_in_order(write: Write) -> None:
    assert told(plan(write(TOML), Existing())) == [
        "create queue failed",
        "create table People",
        "create role people-role",
        "create function people",
        "create mapping People → people",
    ]


def test_what_is_deployed_is_not_touched(write: Write) -> None:
    project = write(TOML)
    assert told(plan(project, deployed(project))) == []


def test_changed_code_updates_the_function_alone(write: Write) -> None:
    project = write(TOML)
    changes = plan(project, deployed(project), sha="other")
    assert told(changes) == ["update function people"]
    assert change_of(changes, "function").reasons == ("code",)


def test_changed_settings_update_the_function_and_show_no_values(write: Write) -> None:
    before = deployed(write(TOML.replace("3.13", "3.12")))
    with_secret = TOML.replace(
        'runtime = "python3.13"',
        'runtime = "python3.13", timeout = 9, environment = { TOKEN = "s3cret" }',
    )
    changes = plan(write(with_secret), before)
    assert told(changes) == ["update function people"]
    assert change_of(changes, "function").reasons == (
        "runtime python3.12 → python3.13",
        "timeout 3 → 9",
        "environment: TOKEN",
    )


def test_a_changed_mapping_is_updated_alone(write: Write) -> None:
    before = deployed(write(TOML))
    changes = plan(write(TOML.replace("batch-size = 1", "batch-size = 7, enabled = false")), before)
    assert told(changes) == ["update mapping People → people"]
    assert change_of(changes, "mapping").reasons == ("batch-size 1 → 7", "enabled on → off")


def test_filters_that_are_only_spelled_otherwise_are_no_change(write: Write) -> None:
    def filtered(pattern: str) -> str:
        return TOML.replace("batch-size = 1", f"filter-criteria = [{pattern}]")

    before = deployed(write(filtered("{ eventName = ['INSERT'] }")))
    changes = plan(write(filtered('\'{ "eventName" : [ "INSERT" ] }\'')), before)
    assert told(changes) == []


def test_another_starting_position_replaces_the_mapping_and_says_so(write: Write) -> None:
    before = deployed(write(TOML))
    changes = plan(write(TOML.replace("TRIM_HORIZON", "LATEST")), before)
    assert told(changes) == ["replace mapping People → people"]
    assert "can't change it in place" in change_of(changes, "mapping").reasons[0]


def test_another_destination_needs_the_role_first(write: Write) -> None:
    before = deployed(write(TOML))
    changes = plan(write(TOML.replace('sqs = "failed"', 'sqs = "dead"')), before)
    assert told(changes) == [
        "create queue dead",
        "update role people-role",
        "update mapping People → people",
    ]


def test_a_recreated_table_renews_its_mapping(write: Write) -> None:
    project = write(TOML)
    before = deployed(project)
    table = replace(before.tables["People"], stream_arn=stream_arn("People", "2"))
    changes = plan(project, replace(before, tables={"People": table}))
    assert told(changes) == ["delete mapping People → people", "create mapping People → people"]


def test_a_second_mapping_to_an_old_stream_goes(write: Write) -> None:
    project = write(TOML)
    before = deployed(project)
    stale = replace(before.mappings[0], uuid="stale", source_arn=stream_arn("People", "0"))
    changes = plan(project, replace(before, mappings=[stale, *before.mappings]))
    assert told(changes) == ["delete mapping People → people"]
    resource = change_of(changes, "mapping").resource
    assert isinstance(resource, MappingResource)
    assert resource.uuid == "stale"


def test_a_missing_table_takes_its_old_mapping_along(write: Write) -> None:
    project = write(TOML)
    before = replace(deployed(project), tables={}, ttls={})
    assert told(plan(project, before)) == [
        "delete mapping People → people",
        "create table People",
        "create mapping People → people",
    ]


def test_after_a_restart_only_tables_are_left(write: Write) -> None:
    project = write(TOML)
    before = deployed(project)
    restarted = Existing(tables=before.tables)
    assert told(plan(project, restarted)) == [
        "create queue failed",
        "update table People",
        "create role people-role",
        "create function people",
        "create mapping People → people",
    ]


def test_a_mapping_made_by_someone_else_is_left_and_told(write: Write) -> None:
    project = write(TOML)
    before = deployed(project)
    foreign = replace(before.mappings[0], uuid="f", source_arn=queue_arn("jobs"))
    changes = plan(project, replace(before, mappings=[*before.mappings, foreign]))
    assert told(changes) == []
    (left,) = (one for one in changes.changes if one.action.value == "leave")
    assert left.reasons == ("not made by streamdev",)


def test_a_pipelines_mapping_to_its_former_table_goes(write: Write) -> None:
    before = deployed(write(TOML))
    changes = plan(write(TOML.replace("People", "Persons")), before)
    assert told(changes) == [
        "delete mapping People → people",
        "create table Persons",
        "update role people-role",
        "create mapping Persons → people",
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"id:S"', '"id:N"', "key id:S → id:N"),
        ('"id:S"', '"id:S", sort-key = "at:N"', "key id:S → id:S, at:N"),
    ],
)
def test_another_key_is_refused_before_anything_is_touched(
    write: Write, old: str, new: str, reason: str
) -> None:
    before = deployed(write(TOML))
    project = write(TOML.replace(old, new))
    with pytest.raises(DeployError) as caught:
        plan(project, before).check()
    assert caught.value.message == f"table People: {reason}."
    assert "deploy --replace" in str(caught.value.hint)
    changes = plan(project, before, may_replace=True)
    changes.check()
    assert told(changes) == [
        "delete mapping People → people",
        "replace table People",
        "create mapping People → people",
    ]


def test_a_local_index_can_not_be_added(write: Write) -> None:
    keyed = TOML.replace('"id:S"', '"id:S", sort-key = "at:N"')
    local = 'local-secondary-indexes = [{ name = "by-x", sort-key = "x:N" }], ttl'
    changes = plan(write(keyed.replace("ttl", local)), deployed(write(keyed)))
    with pytest.raises(DeployError, match="local index by-x added"):
        changes.check()


def test_stream_ttl_and_indexes_change_in_place(write: Write) -> None:
    before = deployed(write(TOML))
    text = TOML.replace("NEW_IMAGE", "KEYS_ONLY").replace('ttl = "gone", ', "")
    text = text.replace('key = "mail:S"', 'key = "mail:S", projection = "KEYS_ONLY"')
    changes = plan(write(text), before)
    assert change_of(changes, "table").reasons == (
        "stream NEW_IMAGE → KEYS_ONLY: a new stream",
        "index by-mail changed: made anew",
        "ttl gone → none",
    )
    assert told(changes) == [
        "delete mapping People → people",
        "update table People",
        "create mapping People → people",
    ]


def test_provisioned_concurrency_needs_a_version_of_the_current_code(write: Write) -> None:
    plain = deployed(write(TOML))
    text = TOML.replace('"python3.13"', '"python3.13", provisioned-concurrency = 2')
    project = write(text)
    changes = plan(project, plain)
    assert change_of(changes, "function").reasons == ("provisioned-concurrency none → 2",)
    assert change_of(changes, "mapping").reasons == ("alias none → live",)
    settings = plain.functions["people"].settings
    alias = AliasState("1", "same", settings, provisioned=2, status="READY", reason=None)
    called = replace(
        plain.mappings[0],
        function_arn=f"{function_arn('people')}:live",
        settings=replace(plain.mappings[0].settings, alias="live"),
    )
    existing = replace(plain, aliases={"people": alias}, mappings=[called])
    assert told(plan(project, existing)) == []
    stale = replace(existing, aliases={"people": replace(alias, code_sha256="old")})
    assert change_of(plan(project, stale), "function").reasons == ("version 1 is out of date",)


def test_a_function_made_elsewhere_is_taken_over(write: Write) -> None:
    project = write(TOML)
    before = deployed(project)
    foreign = replace(before.functions["people"], tags={})
    changes = plan(project, replace(before, functions={"people": foreign}))
    assert change_of(changes, "function").reasons == ("taken over: it was made elsewhere",)


def test_a_function_that_failed_is_made_anew(write: Write) -> None:
    project = write(TOML)
    before = deployed(project)
    failed = replace(before.functions["people"], state="Failed", reason="no space")
    changes = plan(project, replace(before, functions={"people": failed}))
    assert told(changes) == ["replace function people"]


def test_what_no_pipeline_names_goes_except_tables(write: Write) -> None:
    old = deployed(write(TOML))
    tags = old.functions["people"].tags
    existing = replace(
        old,
        functions={},
        left_functions={"people": tags},
        left_tables={"People": tags},
    )
    changes = plan(write(TOML.replace("people]", "folks]").replace("People", "Folks")), existing)
    assert told(changes)[:3] == [
        "delete mapping People → people",
        "delete function people",
        "delete role people-role",
    ]
    assert "create function folks" in told(changes)
    (left,) = (one for one in changes.changes if one.action.value == "leave")
    assert (left.resource.name, left.reasons[0][:32]) == (
        "People",
        "no pipeline names it any more; i",
    )


def test_two_pipelines_on_one_table_make_it_once(write: Write) -> None:
    changes = plan(write(TOML + TOML.replace("people]", "audit]")), Existing())
    assert told(changes).count("create table People") == 1
    assert told(changes).count("create queue failed") == 1
    assert told(changes)[-1] == "create mapping People → audit"


def test_roles_allow_what_is_needed_and_no_more(write: Write) -> None:
    role = change_of(plan(write(TOML), Existing()), "role").resource
    assert isinstance(role, RoleResource)
    statements = {one["Sid"]: one for one in role.policy["Statement"]}
    account = "us-east-1:000000000000"
    assert (
        statements["ReadStream"]["Resource"] == f"arn:aws:dynamodb:{account}:table/People/stream/*"
    )
    assert statements["WriteLog"]["Resource"] == (
        f"arn:aws:logs:{account}:log-group:/aws/lambda/people:*"
    )
    assert statements["TellFailures"]["Action"] == ["sqs:SendMessage"]
    assert statements["TellFailures"]["Resource"] == f"arn:aws:sqs:{account}:failed"
    assert not [action for one in statements.values() for action in one["Action"] if "*" in action]


@pytest.mark.parametrize("length", [1, 59, 60, 64])
def test_role_names_fit_iam_and_differ(length: int) -> None:
    name, other = role_name("f" * length), role_name("f" * (length - 1) + "g")
    assert len(name) <= 64
    assert name != other
