"""Attribute values, exact JSON and the rules every item has to meet."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.semantics import exact_json, items, values
from streamdev.semantics.exact_json import InvalidJsonError
from streamdev.semantics.items import KeySchema
from streamdev.semantics.values import ValueRefusedError

SCHEMA = KeySchema((("id", "S"),))
ORDERS = KeySchema((("customer", "S"), ("at", "N")), {"status": "S", "customer": "S", "at": "N"})

_NAMES = st.text(min_size=1, max_size=5)
_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=4).filter(
    lambda number: abs(number) < Decimal("1e30")
)
_PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)
    ),
    max_leaves=10,
)
_BINARY = st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode())
_SCALAR_VALUES = st.one_of(
    st.text(max_size=6).map(lambda text: {"S": text}),
    _NUMBERS.map(lambda number: {"N": str(number)}),
    _BINARY.map(lambda text: {"B": text}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.sets(st.text(max_size=4), min_size=1, max_size=3).map(lambda s: {"SS": sorted(s)}),
    st.sets(st.integers(-5, 5), min_size=1, max_size=3).map(lambda s: {"NS": [str(n) for n in s]}),
    st.sets(_BINARY, min_size=1, max_size=3).map(lambda s: {"BS": sorted(s)}),
)
_VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _SCALAR_VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements}),
        st.dictionaries(_NAMES, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=8,
)


@given(_PLAIN)
def test_plain_json_survives_the_way_there_and_back(plain: Any) -> None:
    value = values.from_plain(plain)
    assert values.check(value, "x") == value
    assert values.to_plain(value) == plain
    assert exact_json.read(exact_json.write(plain)) == plain


@given(_VALUES)
def test_what_is_written_is_plain_json_for_others(value: dict[str, Any]) -> None:
    json.loads(exact_json.write(values.to_plain(value)))


@given(_VALUES)
def test_binary_survives_the_way_to_boto_and_back(value: dict[str, Any]) -> None:
    assert values.from_boto(values.to_boto(value)) == value


@given(_VALUES, _VALUES)
def test_sameness_is_equality_but_for_order_and_numbers(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert values.same(one, one)
    assert values.same(one, other) is values.same(other, one)
    if one == other:
        assert values.same(one, other)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"N": "1"}, {"N": "1.0"}, True),
        ({"N": "1"}, {"S": "1"}, False),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True),
        ({"NS": ["1", "2"]}, {"NS": ["2.0", "1"]}, True),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}, False),
        ({"M": {"a": {"N": "1e1"}}}, {"M": {"a": {"N": "10"}}}, True),
        ({"M": {"a": {"S": "x"}}}, {"M": {}}, False),
        (None, None, True),
        (None, {"S": ""}, False),
    ],
)
def test_sameness(one: Any, other: Any, equal: bool) -> None:
    assert values.same(one, other) is equal


def test_numbers_keep_every_digit() -> None:
    text = '{"n": 12345678901234567890123456789012345678, "f": 0.10000000000000000001}'
    assert exact_json.write(exact_json.read(text)) == text
    item = items.from_document(exact_json.read(text) | {"id": "1"}, SCHEMA)
    assert item["n"] == {"N": "12345678901234567890123456789012345678"}
    assert item["f"] == {"N": "0.10000000000000000001"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" * 39, "39 significant digits; DynamoDB keeps 38"),
        ("1.000000000000000000000000000000000000001", "40 significant digits"),
        ("1e126", "larger than DynamoDB keeps"),
        ("-1e126", "larger than DynamoDB keeps"),
        ("1e-131", "smaller than DynamoDB keeps"),
        ("NaN", "is no number"),
        ("Infinity", "is no number"),
        (" 5", "is no number"),
        ("1_0", "is no number"),
        ("0x1", "is no number"),
        ("", "is no number"),
    ],
)
def test_numbers_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueRefusedError, match=reason):
        values.number(text)


@pytest.mark.parametrize("text", ["1" + "0" * 100, "9.99e125", "1e-130", "-0", "1.10", "+5"])
def test_numbers_that_are_taken_as_they_are(text: str) -> None:
    assert values.number(text) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x", "a value in DynamoDB JSON is one type"),
        ({}, "a value in DynamoDB JSON is one type"),
        ({"S": "a", "N": "1"}, "a value in DynamoDB JSON is one type"),
        ({"X": "a"}, "'X' is no type"),
        ({"S": 1}, "the content of S is a string"),
        ({"N": Decimal(1)}, "the content of N is a string"),
        ({"BOOL": "true"}, "the content of BOOL is true or false"),
        ({"NULL": False}, 'null is {"NULL": true}'),
        ({"L": "x"}, "the content of L is an array"),
        ({"M": []}, "the content of M is an object"),
        ({"SS": []}, "a set can't be empty"),
        ({"SS": ["a", "a"]}, "a set has each element once"),
        ({"NS": ["1", "1.0"]}, "a set has each element once"),
        ({"SS": [1]}, "the content of S is a string"),
        ({"B": "%%%"}, "binary is written as base64"),
        ({"S": "\ud800"}, "half of a surrogate pair"),
        ({"M": {"a": {"L": [{"N": "x"}]}}}, r"x\.a\[0\]: 'x' is no number"),
    ],
)
def test_values_that_are_refused(value: Any, reason: str) -> None:
    with pytest.raises(ValueRefusedError, match=reason.replace("{", r"\{").replace("}", r"\}")):
        values.check(value, "x")


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


def test_values_are_nested_32_levels_at_most() -> None:
    values.check(nested(31), "x")
    with pytest.raises(ValueRefusedError, match="nested more than 32 levels"):
        values.check(nested(32), "x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no valid JSON: .* at character 2"),
        ('{"a":\n1,}', "at line 2, character"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidJsonError, match=reason):
        exact_json.read(text)


# Items. The sizes are what DynamoDB Local was seen to count at its limit.


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "123"}, 3),
        ({"N": "-12345"}, 5),
        ({"N": "0"}, 1),
        ({"N": "7.5"}, 3),
        ({"N": "100"}, 2),
        ({"N": "-0.001"}, 3),
        ({"N": "69.3770507"}, 6),
        ({"B": "AAEC"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"NULL": True}]}, 5),
        ({"M": {"ab": {"S": "x"}}}, 7),
        ({"SS": ["a", "bc"]}, 3),
    ],
)
def test_sizes(value: Any, size: int) -> None:
    assert values.size(value) == size


def test_an_item_may_have_400_kb_with_its_names() -> None:
    items.check_item({"id": {"S": "1"}, "x": {"S": "y" * 409_596}}, SCHEMA)
    with pytest.raises(ValueRefusedError, match=r"409,601 bytes; DynamoDB takes up to 409,600"):
        items.check_item({"id": {"S": "1"}, "x": {"S": "y" * 409_597}}, SCHEMA)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({}, "the key 'customer' .* is missing"),
        ({"customer": {"S": "c"}}, "the key 'at' .* is missing"),
        ({"customer": {"S": ""}, "at": {"N": "1"}}, "the key 'customer' is empty"),
        ({"customer": {"N": "1"}, "at": {"N": "1"}}, "the key 'customer' is a string"),
        ({"customer": {"S": "c"}, "at": {"S": "1"}}, "the key 'at' is a number"),
        ({"customer": {"S": "c" * 2049}, "at": {"N": "1"}}, "2,049 bytes; 2,048 are allowed"),
        (
            {"customer": {"S": "c"}, "at": {"N": "1"}, "status": {"N": "1"}},
            "the index key 'status' is a string",
        ),
        (
            {"customer": {"S": "c"}, "at": {"N": "1"}, "status": {"S": ""}},
            "the index key 'status' is empty",
        ),
        ({"customer": {"S": "c"}, "at": {"N": "1"}, "": {"S": ""}}, "empty name"),
    ],
)
def test_items_that_are_refused(item: Any, reason: str) -> None:
    with pytest.raises(ValueRefusedError, match=reason):
        items.check_item(item, ORDERS)


def test_an_item_without_its_index_keys_is_taken() -> None:
    item = {"customer": {"S": "c"}, "at": {"N": "1"}, "note": {"S": ""}}
    assert items.check_item(item, ORDERS) == item
    assert ORDERS.key_of(item) == {"customer": {"S": "c"}, "at": {"N": "1"}}


def test_plain_and_dynamodb_json_are_told_apart_by_the_key() -> None:
    plain = {"id": "1", "odd": {"S": "a plain map with a key S"}}
    assert items.from_document(plain, SCHEMA)["odd"] == {
        "M": {"S": {"S": "a plain map with a key S"}}
    }
    typed = {"id": {"S": "1"}, "set": {"SS": ["a"]}}
    assert items.from_document(typed, SCHEMA) == typed
    assert items.from_document({"Item": typed}, SCHEMA) == typed


def test_plain_binary_keys_are_base64() -> None:
    schema = KeySchema((("id", "B"),))
    assert items.from_document({"id": "AAEC"}, schema) == {"id": {"B": "AAEC"}}


@pytest.mark.parametrize("document", [[], "x", None, Decimal(1)])
def test_an_item_is_an_object(document: Any) -> None:
    with pytest.raises(ValueRefusedError, match="an item is a JSON object"):
        items.from_document(document, SCHEMA)
