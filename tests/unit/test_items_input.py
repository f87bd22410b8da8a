"""Items as people type them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.cli import item_input
from streamdev.cli.item_input import MAX_LINE, Line
from streamdev.errors import InvalidInputError
from streamdev.semantics.items import KeySchema, shorthand

SCHEMA = KeySchema((("id", "S"),))
ORDERS = KeySchema((("customer", "S"), ("at", "N")))


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("name=John Doe", "name", {"S": "John Doe"}),
        ("empty=", "empty", {"S": ""}),
        ("formula=a=b", "formula", {"S": "a=b"}),
        ("age:=42", "age", {"N": "42"}),
        ("big:=1.50", "big", {"N": "1.50"}),
        ("on:=true", "on", {"BOOL": True}),
        ("none:=null", "none", {"NULL": True}),
        ('text:="42"', "text", {"S": "42"}),
        ('m:={"a": [1]}', "m", {"M": {"a": {"L": [{"N": "1"}]}}}),
        ("zip:S=01234", "zip", {"S": "01234"}),
        ("n:N=1e3", "n", {"N": "1e3"}),
        ("picture:B=AAEC", "picture", {"B": "AAEC"}),
        ("on:BOOL=TRUE", "on", {"BOOL": True}),
        ("none:NULL=", "none", {"NULL": True}),
        ("tags:SS=a,b", "tags", {"SS": ["a", "b"]}),
        ('tags:SS=["a,b", "c"]', "tags", {"SS": ["a,b", "c"]}),
        ("primes:NS=2,3", "primes", {"NS": ["2", "3"]}),
        ("primes:NS=[2, 3.5]", "primes", {"NS": ["2", "3.5"]}),
        ("parts:BS=AAEC,AA==", "parts", {"BS": ["AAEC", "AA=="]}),
        ("list:L=[1]", "list", {"L": [{"N": "1"}]}),
        ('map:M={"a":1}', "map", {"M": {"a": {"N": "1"}}}),
        ("a:b=c", "a:b", {"S": "c"}),
        ("urn:x:S=c", "urn:x", {"S": "c"}),
        ("id=7", "id", {"S": "7"}),
    ],
)
def test_attribute(argument: str, name: str, value: Any) -> None:
    assert item_input.parse_attributes([argument], SCHEMA) == {name: value}


def test_a_key_attribute_takes_the_tables_type() -> None:
    parsed = item_input.parse_attributes(["customer=c", "at=5"], ORDERS)
    assert parsed == {"customer": {"S": "c"}, "at": {"N": "5"}}


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("name", "'name' is no attribute"),
        ("=x", "'=x' is no attribute"),
        (":=5", "':=5' is no attribute"),
        ("x:=[1", "no valid JSON"),
        ("x:=" + "[" * 200, "…"),
        ("x:N=abc", "x: 'abc' is no number"),
        ("x:SS=", "a set can't be empty"),
        ("x:BOOL=maybe", "true or false"),
        ("x:NULL=no", "null is"),
        ("x:L=5", "the content of L is an array"),
        ("at=abc", "at: 'abc' is no number"),
    ],
)
def test_attributes_that_are_refused(argument: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        item_input.parse_attributes([argument], ORDERS)
    assert reason in caught.value.message


def test_an_attribute_is_given_once() -> None:
    with pytest.raises(InvalidInputError, match="'a' is given twice"):
        item_input.parse_attributes(["a=1", "a:=2"], SCHEMA)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9 _.-]{0,8}", fullmatch=True),
        st.one_of(
            st.text(max_size=10).map(lambda text: {"S": text}),
            st.integers().map(lambda number: {"N": str(number)}).filter(lambda v: len(v["N"]) < 38),
            st.booleans().map(lambda flag: {"BOOL": flag}),
            st.just({"NULL": True}),
            st.sets(st.text(max_size=3), min_size=1, max_size=3).map(lambda s: {"SS": sorted(s)}),
            st.just({"BS": ["AAEC", "AA=="]}),
            st.just({"M": {"a": {"L": [{"N": "1"}, {"S": "x"}]}}}),
        ),
        max_size=4,
    )
)
def test_shown_arguments_make_the_same_item(item: dict[str, Any]) -> None:
    assert item_input.parse_attributes(shorthand(item), SCHEMA) == item


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["c", "5"], {"customer": {"S": "c"}, "at": {"N": "5"}}),
        (["customer=c", "at=5"], {"customer": {"S": "c"}, "at": {"N": "5"}}),
        (["at:=5", "customer:S=a=b"], {"customer": {"S": "a=b"}, "at": {"N": "5"}}),
    ],
)
def test_key(arguments: list[str], key: Any) -> None:
    assert item_input.parse_key(arguments, ORDERS) == key


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["c"], "The key 'at' (a number) is missing"),
        (["c", "5", "6"], "not 3 values"),
        (["c", "five"], "at: 'five' is no number"),
        (["customer=c", "at=5", "x=1"], "'x' is no key attribute"),
        (["x=1"], "The key 'customer' (a string) is missing"),
        (["", "5"], "The key 'customer' is empty"),
    ],
)
def test_keys_that_are_refused(arguments: list[str], reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        item_input.parse_key(arguments, ORDERS)
    assert reason in caught.value.message


@pytest.mark.parametrize(
    "arguments",
    [["c", "5", "note=x"], ["customer=c", "at=5", "note=x"], ["note=x", "at=5", "customer=c"]],
)
def test_the_key_is_found_among_the_arguments_of_an_update(arguments: list[str]) -> None:
    key, rest = item_input.split_key(arguments, ORDERS)
    assert key == {"customer": {"S": "c"}, "at": {"N": "5"}}
    assert rest == ["note=x"]


def lines(data: bytes) -> list[Line]:
    return list(item_input.read_lines(io.BytesIO(data)))


def test_lines_are_numbered_and_blank_ones_left_out() -> None:
    assert lines(b'{"a": 1}\r\n\n  \n{"b": 2}') == [Line(1, '{"a": 1}'), Line(4, '{"b": 2}')]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert lines(b"\xef\xbb\xbf{}\n") == [Line(1, "{}")]


def test_a_line_that_is_no_utf8_does_not_stop_the_others() -> None:
    first, second = lines(b"ab\xff\n{}\n")
    assert first == Line(1, "", "no UTF-8: invalid start byte at byte 3")
    assert second == Line(2, "{}")


def test_a_line_that_is_too_long_does_not_stop_the_others() -> None:
    first, second = lines(b"x" * (MAX_LINE * 2 + 5) + b"\n{}\n")
    assert first == Line(1, "", "the line is longer than 16 MiB")
    assert second == Line(2, "{}")
    assert lines(b"x" * MAX_LINE)[0].error is None
