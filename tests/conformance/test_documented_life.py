"""A mapping's life: made, changed and deleted, with others beside it, and what it tells."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from tests.conformance import answers
from tests.conformance.behaviour import behaviour
from tests.conformance.pages import (
    CONFIGURATION,
    CREATE,
    DELETE,
    LIST,
    PARAMETERS,
    PROVISIONED,
    STREAMS,
    UPDATE,
    USING,
)
from tests.conformance.world import World, until

LIFE = "Create, update, delete"
TELLS = "State and results"


@behaviour(LIFE, "defaults", "A mapping made with what is required alone has the documented "
           "defaults.", PARAMETERS)  # fmt: skip
def test_defaults(world: World) -> None:
    table, function = world.table(), world.function()
    got = world.mapping(table, function).get()
    expected = {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "TumblingWindowInSeconds": 0,
        "EventSourceArn": table.stream,
        "FunctionArn": function.arn,
    }
    assert {name: got.get(name) for name in expected} == expected


@behaviour(LIFE, "missing-stream", "A stream that does not exist is refused.", CREATE)
def test_a_missing_stream_is_refused(world: World) -> None:
    table, function = world.table(), world.function()
    other = table.stream.replace(table.name, "conformance-never-there")
    with pytest.raises(ClientError) as caught:
        world.create_mapping(
            EventSourceArn=other, FunctionName=function.name, StartingPosition="LATEST"
        )
    assert caught.value.response["Error"]["Code"] in (
        "InvalidParameterValueException",
        "ResourceNotFoundException",
    )


@behaviour(LIFE, "missing-function-refused", "A function that does not exist is refused.", CREATE)
def test_a_missing_function_is_refused(world: World) -> None:
    table = world.table()
    with pytest.raises(ClientError) as caught:
        world.create_mapping(
            EventSourceArn=table.stream,
            FunctionName="conformance-never-there",
            StartingPosition="LATEST",
        )
    assert caught.value.response["Error"]["Code"] in (
        "InvalidParameterValueException",
        "ResourceNotFoundException",
    )


@behaviour(LIFE, "duplicate", "A second mapping of the same stream and function is refused with "
           "ResourceConflictException.", CREATE)  # fmt: skip
def test_a_duplicate_is_refused(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function)
    with pytest.raises(ClientError) as caught:
        world.mapping(table, function)
    assert caught.value.response["Error"]["Code"] == "ResourceConflictException"


@behaviour(LIFE, "list", "Mappings are listed by function and by stream.", LIST)
def test_mappings_are_listed(world: World) -> None:
    table, one, two = world.table(), world.function(), world.function()
    first, second = world.mapping(table, one), world.mapping(table, two)

    def listed(**by: str) -> set[str]:
        got = world.lambda_.list_event_source_mappings(**by)["EventSourceMappings"]
        return {mapping["UUID"] for mapping in got}

    assert listed(EventSourceArn=table.stream) == {first.uuid, second.uuid}
    assert listed(FunctionName=one.name) == {first.uuid}


@behaviour(LIFE, "several-functions", "Several functions on one stream each get every record, "
           "at their own pace.", USING)  # fmt: skip
def test_several_functions_on_one_stream(world: World) -> None:
    table = world.table()
    fast, slow = world.function(), world.function(answers.HOLD_WHILE_FLAGGED)
    slow.set("hold")
    for function in (fast, slow):
        world.mapping(table, function, BatchSize=1)
    keys = ["a", "b", "c"]
    table.put_all(keys)
    fast.wait_for(*keys)
    assert slow.ids() in ([], ["a"])
    slow.clear("hold")
    slow.wait_for(*keys)
    assert (fast.ids(), slow.ids()) == (keys, keys)


@behaviour(LIFE, "several-tables", "One function can have mappings of several tables.", USING)
def test_one_function_on_two_tables(world: World) -> None:
    one, two, function = world.table(), world.table(), world.function()
    for table in (one, two):
        world.mapping(table, function)
    one.put("from one")
    two.put("from two")
    function.wait_for("from one", "from two")
    sources = {record["eventSourceARN"] for record in function.records()}
    assert sources == {one.stream, two.stream}


@behaviour(LIFE, "update-in-flight", "A mapping changed while a batch is being handled loses and "
           "repeats nothing.", UPDATE)  # fmt: skip
def test_update_while_a_batch_is_handled(world: World) -> None:
    table, function = world.table(), world.function(answers.HOLD_WHILE_FLAGGED)
    function.set("hold")
    mapping = world.mapping(table, function, BatchSize=2)
    table.put_all(["a", "b"])
    until(function.calls, "a call")
    world.lambda_.update_event_source_mapping(UUID=mapping.uuid, BatchSize=3)
    keys = ["c", "d", "e", "f", "g"]
    table.put_all(keys)
    function.clear("hold")
    mapping.wait_for_state("Enabled")
    function.wait_for(*keys)
    # At least once is what AWS promises; in order it is in any case.
    assert list(dict.fromkeys(function.ids())) == ["a", "b", *keys]
    assert max(len(call.ids) for call in function.calls()) <= 3


@behaviour(LIFE, "update-batch-size", "A changed BatchSize holds for the batches that follow.",
           UPDATE)  # fmt: skip
def test_a_changed_batch_size_holds(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function, BatchSize=1)
    table.put("a")
    function.wait_for("a")
    mapping.update(Enabled=False, state="Disabled")
    keys = ["b", "c", "d", "e"]
    table.put_all(keys)
    mapping.update(Enabled=True, BatchSize=4)
    function.wait_for(*keys)
    assert [call.ids for call in function.calls()] == [["a"], keys]


@behaviour(LIFE, "update-range", "An update is checked like a new mapping: BatchSize over 10,000 "
           "is refused, and all stays as it was.", UPDATE)  # fmt: skip
def test_an_update_out_of_range_is_refused(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function, BatchSize=7)
    with pytest.raises(ClientError):
        mapping.update(BatchSize=10_001)
    assert mapping.get()["BatchSize"] == 7
    table.put("a")
    function.wait_for("a")


@behaviour(LIFE, "update-function", "A mapping can be pointed at another function, which goes on "
           "at the same place.", UPDATE)  # fmt: skip
def test_another_function_goes_on_at_the_same_place(world: World) -> None:
    table, one, two = world.table(), world.function(), world.function()
    mapping = world.mapping(table, one)
    table.put_all(["a", "b"])
    one.wait_for("a", "b")
    mapping.update(FunctionName=two.name)
    assert mapping.get()["FunctionArn"] == two.arn
    table.put("c")
    two.wait_for("c")
    assert (one.ids(), two.ids()) == (["a", "b"], ["c"])


@behaviour(LIFE, "update-code", "New code of the function handles the records that follow.",
           USING)  # fmt: skip
def test_new_code_handles_what_follows(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_ON_BAD)
    world.mapping(table, function, BatchSize=1)
    table.put_all(["bad", "good"])
    until(lambda: len(function.calls()) >= 2, "failing calls")
    function.update_code(answers.NOTHING)
    function.wait_for("bad", "good")
    assert list(dict.fromkeys(function.ids())) == ["bad", "good"]


@behaviour(LIFE, "delete-in-flight", "A mapping deleted while a batch is being handled lets it "
           "end and hands nothing over afterwards.", DELETE)  # fmt: skip
def test_delete_while_a_batch_is_handled(world: World) -> None:
    table, function = world.table(), world.function(answers.HOLD_WHILE_FLAGGED)
    witness = world.function()
    function.set("hold")
    mapping = world.mapping(table, function, BatchSize=1)
    world.mapping(table, witness)
    table.put_all(["a", "b"])
    until(function.calls, "a call")
    world.lambda_.delete_event_source_mapping(UUID=mapping.uuid)
    function.clear("hold")
    until(lambda: function.calls()[0].ended, "the end of the call")
    until(lambda: mapping.uuid not in _all_mappings(world), "the mapping is gone")
    table.put("c")
    witness.wait_for("a", "b", "c")
    assert "c" not in function.ids()
    assert function.ids() in (["a"], ["a", "b"])


def _all_mappings(world: World) -> set[str]:
    listed = world.lambda_.list_event_source_mappings()["EventSourceMappings"]
    return {mapping["UUID"] for mapping in listed}


@behaviour(LIFE, "delete", "A deleted mapping is Deleting, then not found.", DELETE)
def test_a_deleted_mapping_is_gone(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function)
    answer = world.lambda_.delete_event_source_mapping(UUID=mapping.uuid)
    assert answer["State"] == "Deleting"

    def is_gone() -> bool:
        try:
            mapping.get()
        except world.lambda_.exceptions.ResourceNotFoundException:
            return True
        return False

    until(is_gone, "the mapping is gone")


@behaviour(LIFE, "made-again", "A mapping made again begins at its starting position, not where "
           "the deleted one stood.", CREATE)  # fmt: skip
def test_a_mapping_made_again_begins_anew(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function)
    table.put("a")
    function.wait_for("a")
    mapping.delete()
    world.mapping(table, function)
    until(lambda: function.ids() == ["a", "a"], "the record once more")


@behaviour(LIFE, "recreated-table", "A recreated table has a new stream: its records come through "
           "a new mapping only, and the old ones don't.", STREAMS)  # fmt: skip
def test_a_recreated_table_is_another_stream(world: World) -> None:
    table, old, new = world.table(), world.function(), world.function()
    world.mapping(table, old)
    table.put("before")
    old.wait_for("before")
    first = table.stream
    table.delete()
    table.create()
    assert table.stream != first
    world.mapping(table, new)
    table.put("after")
    new.wait_for("after")
    assert new.ids() == ["after"]
    assert old.ids() == ["before"]


@behaviour(TELLS, "state-transitions", "A mapping is Creating, Enabled, Disabling, Disabled, "
           "Enabling as it is made and changed.", CONFIGURATION)  # fmt: skip
def test_states(world: World) -> None:
    table, function = world.table(), world.function()
    made = world.lambda_.create_event_source_mapping(
        EventSourceArn=table.stream, FunctionName=function.name, StartingPosition="LATEST"
    )
    uuid = made["UUID"]

    def state() -> str:
        return str(world.lambda_.get_event_source_mapping(UUID=uuid)["State"])

    try:
        assert made["State"] == "Creating"
        until(lambda: state() == "Enabled", "Enabled")
        answer = world.lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
        assert answer["State"] in ("Disabling", "Updating")
        until(lambda: state() == "Disabled", "Disabled")
        answer = world.lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
        assert answer["State"] in ("Enabling", "Updating")
        until(lambda: state() == "Enabled", "Enabled")
    finally:
        world.lambda_.delete_event_source_mapping(UUID=uuid)


@behaviour(TELLS, "transition-reason", "StateTransitionReason says that a user made the last "
           "change.", CONFIGURATION)  # fmt: skip
def test_the_reason_of_a_state(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function)
    assert mapping.get()["StateTransitionReason"] in ("User action", "USER_INITIATED")
    mapping.update(Enabled=False, state="Disabled")
    assert mapping.get()["StateTransitionReason"] in ("User action", "USER_INITIATED")


@behaviour(TELLS, "result-none", "LastProcessingResult says that nothing was processed yet.",
           CONFIGURATION)  # fmt: skip
def test_no_result_yet(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function)
    assert mapping.get()["LastProcessingResult"] == "No records processed"


@behaviour(TELLS, "result-ok", "LastProcessingResult says OK after a batch that was handled.",
           CONFIGURATION)  # fmt: skip
def test_result_of_a_success(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function)
    table.put("a")
    function.wait_for("a")
    until(lambda: mapping.get().get("LastProcessingResult") == "OK", "OK")


@behaviour(TELLS, "result-problem", "LastProcessingResult names the problem after a batch that "
           "failed, and OK once it is over.", CONFIGURATION)  # fmt: skip
def test_result_of_a_failure(world: World) -> None:
    table, function = world.table(), world.function(answers.FAIL_WHILE_FLAGGED)
    function.set("fail")
    mapping = world.mapping(table, function)
    table.put("a")

    def result() -> str:
        return str(mapping.get().get("LastProcessingResult"))

    until(lambda: result().startswith("PROBLEM: Function call failed"), "PROBLEM")
    function.clear("fail")
    until(lambda: result() == "OK", "OK")


def _published(world: World, name: str) -> str:
    """Publish a version and give it the alias ``live``; the alias's ARN."""
    version = world.lambda_.publish_version(FunctionName=name)["Version"]
    alias = world.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return str(alias["AliasArn"])


@behaviour("Provisioned concurrency", "alias", "A mapping of an alias calls the version it points "
           "at, also after it moved.", CREATE)  # fmt: skip
def test_an_alias_decides_on_the_version(world: World) -> None:
    table, function = world.table(), world.function()
    alias = _published(world, function.name)
    world.mapping(table, alias)
    table.put("a")
    function.wait_for("a")
    function.update_code(answers.SLOW)
    version = world.lambda_.publish_version(FunctionName=function.name)["Version"]
    world.lambda_.update_alias(FunctionName=function.name, Name="live", FunctionVersion=version)
    table.put("b")
    function.wait_for("b")
    assert [call.fields["version"] for call in function.calls()] == ["1", "2"]


@behaviour("Provisioned concurrency", "provisioned", "Environments of provisioned concurrency are "
           "up before the first record comes.", PROVISIONED)  # fmt: skip
def test_provisioned_environments_are_warm(world: World) -> None:
    table, function = world.table(), world.function()
    alias = _published(world, function.name)
    world.lambda_.put_provisioned_concurrency_config(
        FunctionName=function.name, Qualifier="live", ProvisionedConcurrentExecutions=2
    )

    def status() -> str:
        got = world.lambda_.get_provisioned_concurrency_config(
            FunctionName=function.name, Qualifier="live"
        )
        return str(got["Status"])

    until(lambda: status() == "READY", "provisioned concurrency is ready")
    world.mapping(table, alias, BatchSize=1)
    before = time.time()
    table.put("a")
    call = function.wait_for("a")[0]
    assert call.fields["loaded"] <= before
    assert call.fields["initialization"] == "provisioned-concurrency"


@behaviour("Provisioned concurrency", "provisioned-latest", "Provisioned concurrency on $LATEST "
           "is refused.", PROVISIONED)  # fmt: skip
def test_latest_can_not_be_provisioned(world: World) -> None:
    function = world.function()
    with pytest.raises(ClientError) as caught:
        world.lambda_.put_provisioned_concurrency_config(
            FunctionName=function.name, Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
