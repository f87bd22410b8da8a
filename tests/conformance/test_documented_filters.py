"""FilterCriteria: which records reach the function."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.conformance.behaviour import behaviour
from tests.conformance.pages import FILTERING, FILTERING_DYNAMODB, TTL, UPDATE, Page
from tests.conformance.world import World

GROUP = "FilterCriteria"
Attributes = dict[str, Any]


class Rule(NamedTuple):
    """A filter, and items that it lets through or not."""

    id: str
    says: str
    filters: list[dict[str, Any]]
    passing: list[Attributes]
    kept: list[Attributes]
    page: Page = FILTERING


def new_image(**conditions: Any) -> dict[str, Any]:
    """A pattern on attributes of the item's new image."""
    return {"dynamodb": {"NewImage": conditions}}


def text(value: str) -> dict[str, str]:
    """A string attribute."""
    return {"S": value}


RULES = [
    Rule(
        "filter-equals",
        "Equals: the value is one of the list.",
        [new_image(name={"S": ["John"]})],
        [{"name": text("John")}],
        [{"name": text("john")}, {"name": text("Johnny")}, {}],
    ),
    Rule(
        "filter-or",
        "Or: several values in a list.",
        [new_image(name={"S": ["John", "Jane"]})],
        [{"name": text("John")}, {"name": text("Jane")}],
        [{"name": text("Jim")}],
    ),
    Rule(
        "filter-and",
        "And: every field of a pattern has to match.",
        [new_image(name={"S": ["John"]}, city={"S": ["Rome"]})],
        [{"name": text("John"), "city": text("Rome")}],
        [{"name": text("John")}, {"city": text("Rome")}],
    ),
    Rule(
        "filter-or-fields",
        "Or (multiple fields): $or holds alternatives.",
        [new_image(**{"$or": [{"name": {"S": ["John"]}}, {"city": {"S": ["Rome"]}}]})],
        [{"name": text("John")}, {"city": text("Rome")}],
        [{"name": text("Jim"), "city": text("Oslo")}],
    ),
    Rule(
        "filter-null",
        "Null: the value is null.",
        [new_image(name={"NULL": [True]})],
        [{"name": {"NULL": True}}],
        [{"name": text("")}, {}],
        FILTERING_DYNAMODB,
    ),
    Rule(
        "filter-empty",
        'Empty: the value is "".',
        [new_image(name={"S": [""]})],
        [{"name": text("")}],
        [{"name": text(" ")}, {}],
    ),
    Rule(
        "filter-ignore-case",
        "Equals (ignore case): equals-ignore-case.",
        [new_image(name={"S": [{"equals-ignore-case": "john"}]})],
        [{"name": text("JOHN")}, {"name": text("John")}],
        [{"name": text("Johnny")}],
    ),
    Rule(
        "filter-not",
        "Not: anything-but.",
        [new_image(name={"S": [{"anything-but": ["John"]}]})],
        [{"name": text("Jane")}],
        [{"name": text("John")}],
    ),
    Rule(
        "filter-begins-with",
        "Begins with: prefix.",
        [new_image(name={"S": [{"prefix": "Jo"}]})],
        [{"name": text("John")}, {"name": text("Jo")}],
        [{"name": text("jo")}, {"name": text("Major")}],
    ),
    Rule(
        "filter-ends-with",
        "Ends with: suffix.",
        [new_image(name={"S": [{"suffix": "hn"}]})],
        [{"name": text("John")}],
        [{"name": text("Johnny")}],
    ),
    Rule(
        "filter-exists",
        "Exists: exists true on a leaf of the record.",
        [new_image(name={"S": [{"exists": True}]})],
        [{"name": text("")}, {"name": text("John")}],
        [{"name": {"N": "1"}}, {}],
        FILTERING_DYNAMODB,
    ),
    Rule(
        "filter-does-not-exist",
        "Does not exist: exists false.",
        [new_image(name={"S": [{"exists": False}]})],
        [{}, {"name": {"N": "1"}}],
        [{"name": text("John")}],
        FILTERING_DYNAMODB,
    ),
    Rule(
        "filter-numeric-equals",
        'Numeric (equals): numeric "=" on a number of the record, as SizeBytes.',
        [{"dynamodb": {"SizeBytes": [{"numeric": ["=", 46]}]}}],
        # Keys: id and pass-0, 8 bytes; image: the same, and 30 bytes of text.
        [{"t": text("x" * 29)}],
        [{"t": text("x" * 28)}, {"t": text("x" * 30)}],
    ),
    Rule(
        "filter-numeric-range",
        'Numeric (range): numeric ">" and "<=".',
        [{"dynamodb": {"SizeBytes": [{"numeric": [">", 46, "<=", 56]}]}}],
        [{"t": text("x" * 30)}, {"t": text("x" * 39)}],
        [{"t": text("x" * 29)}, {"t": text("x" * 40)}],
    ),
    Rule(
        "filter-attribute-number",
        'An attribute\'s number is a string in DynamoDB JSON: {"N": ["42"]} matches it.',
        [new_image(age={"N": ["42"]})],
        [{"age": {"N": "42"}}],
        [{"age": {"N": "43"}}, {"age": text("42")}],
        FILTERING_DYNAMODB,
    ),
    Rule(
        "filter-attribute-numeric",
        "numeric does not match an attribute, whose number is a string.",
        [new_image(age={"N": [{"numeric": [">", 1]}]}), new_image(ok={"BOOL": [True]})],
        [{"ok": {"BOOL": True}}],
        [{"age": {"N": "42"}}],
        FILTERING_DYNAMODB,
    ),
    Rule(
        "filter-several",
        "Several filters: a record passes when one of them matches.",
        [new_image(n={"S": [str(n)]}) for n in range(5)],
        [{"n": text(str(n))} for n in range(5)],
        [{"n": text("5")}],
    ),
    Rule(
        "filter-nested",
        "A pattern reaches into maps.",
        [new_image(address={"M": {"city": {"S": ["Rome"]}}})],
        [{"address": {"M": {"city": text("Rome")}}}],
        [{"address": {"M": {"city": text("Oslo")}}}, {"city": text("Rome")}],
    ),
]


def criteria(*patterns: dict[str, Any]) -> dict[str, Any]:
    """FilterCriteria of these patterns."""
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, id=rule.id, marks=behaviour(GROUP, rule.id, rule.says, rule.page))
        for rule in RULES
    ],
)
def test_operator(world: World, rule: Rule) -> None:
    table, function, witness = world.table(), world.function(), world.function()
    world.mapping(table, function, FilterCriteria=criteria(*rule.filters))
    world.mapping(table, witness)
    for n, item in enumerate(rule.kept):
        table.put(f"kept-{n}", **item)
    passing = [f"pass-{n}" for n in range(len(rule.passing))]
    for key, item in zip(passing, rule.passing, strict=True):
        table.put(key, **item)
    function.wait_for(*passing)
    witness.wait_for(*passing)
    assert function.ids() == passing


@behaviour(GROUP, "filter-key", "A pattern on dynamodb.Keys.", FILTERING_DYNAMODB)
def test_filter_on_the_key(world: World) -> None:
    table, function = world.table(), world.function()
    pattern = {"dynamodb": {"Keys": {"id": {"S": ["wanted"]}}}}
    world.mapping(table, function, FilterCriteria=criteria(pattern))
    table.put_all(["other", "wanted"])
    function.wait_for("wanted")
    assert function.ids() == ["wanted"]


@behaviour(GROUP, "filter-event-name", "A pattern on eventName, as AWS's own example for TTL "
           "deletions has it.", TTL)  # fmt: skip
def test_filter_on_the_event_name(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, FilterCriteria=criteria({"eventName": ["REMOVE"]}))
    table.put("a")
    table.remove("a")
    function.wait_for("a")
    assert [record["eventName"] for record in function.records()] == ["REMOVE"]


@behaviour(GROUP, "filter-no-call", "Records that no filter lets through cause no call.",
           FILTERING)  # fmt: skip
def test_filtered_records_cause_no_call(world: World) -> None:
    table, function = world.table(), world.function()
    world.mapping(table, function, BatchSize=2, FilterCriteria=criteria(new_image(x={"S": ["1"]})))
    table.put_all([f"no-{n}" for n in range(6)])
    table.put("yes", x="1")
    function.wait_for("yes")
    assert [call.ids for call in function.calls()] == [["yes"]]


@behaviour(GROUP, "filter-passed-over", "Records that were filtered out are done: they don't come "
           "back when the filter goes.", FILTERING)  # fmt: skip
def test_filtered_records_do_not_come_back(world: World) -> None:
    table, function = world.table(), world.function()
    pattern = new_image(x={"S": ["1"]})
    mapping = world.mapping(table, function, FilterCriteria=criteria(pattern))
    table.put("filtered")
    table.put("first", x="1")
    function.wait_for("first")
    mapping.update(FilterCriteria={})
    table.put("second")
    function.wait_for("second")
    assert function.ids() == ["first", "second"]


@behaviour(GROUP, "filter-update", "A changed filter holds for the records that come after.",
           UPDATE)  # fmt: skip
def test_a_filter_can_be_changed(world: World) -> None:
    table, function = world.table(), world.function()
    mapping = world.mapping(table, function, FilterCriteria=criteria(new_image(x={"S": ["1"]})))
    table.put("first", x="1")
    function.wait_for("first")
    mapping.update(FilterCriteria=criteria(new_image(x={"S": ["2"]})))
    table.put("old rule", x="1")
    table.put("new rule", x="2")
    function.wait_for("new rule")
    assert function.ids() == ["first", "new rule"]


@behaviour(GROUP, "filter-two-mappings", "Two mappings of one stream each have their own filter.",
           FILTERING)  # fmt: skip
def test_each_mapping_has_its_own_filter(world: World) -> None:
    table, one, two = world.table(), world.function(), world.function()
    for function, value in ((one, "1"), (two, "2")):
        world.mapping(table, function, FilterCriteria=criteria(new_image(x={"S": [value]})))
    table.put("for one", x="1")
    table.put("for two", x="2")
    one.wait_for("for one")
    two.wait_for("for two")
    assert (one.ids(), two.ids()) == (["for one"], ["for two"])


INVALID = {
    "filter-invalid-json": ("A pattern that is no JSON is refused.", ["{"]),
    "filter-invalid-value": ("A pattern whose values are not lists is refused.", ['{"a": "b"}']),
    "filter-unknown-operator": (
        "A pattern with an unknown operator is refused.",
        ['{"a": [{"sounds-like": "b"}]}'],
    ),
    "filter-quota": (
        "More than five filters are refused (the default quota).",
        [json.dumps({"eventName": [str(n)]}) for n in range(6)],
    ),
}


@pytest.mark.parametrize(
    "patterns",
    [
        pytest.param(patterns, id=name, marks=behaviour(GROUP, name, says, FILTERING))
        for name, (says, patterns) in INVALID.items()
    ],
)
def test_invalid_criteria_are_refused(world: World, patterns: list[str]) -> None:
    table, function = world.table(), world.function()
    with pytest.raises(ClientError) as caught:
        world.create_mapping(
            EventSourceArn=table.stream,
            FunctionName=function.name,
            StartingPosition="TRIM_HORIZON",
            FilterCriteria={"Filters": [{"Pattern": pattern} for pattern in patterns]},
        )
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
