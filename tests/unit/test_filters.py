"""Event filtering, by the examples and rules of AWS's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamdev.semantics.filters import Filters, InvalidFilterError, compile_filters

RECORD: dict[str, Any] = {
    "eventID": "c4ca4238a0b923820dcc509a6f75849b",
    "eventName": "INSERT",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "us-east-1",
    "dynamodb": {
        "Keys": {"CustomerName": {"S": "AnyCompany Industries"}},
        "NewImage": {
            "CustomerName": {"S": "AnyCompany Industries"},
            "AccountManager": {"S": "Pat Candella"},
            "PaymentTerms": {"S": "60 days"},
            "Age": {"N": "42"},
            "Active": {"BOOL": True},
            "Notes": {"NULL": True},
            "Empty": {"S": ""},
            "Tags": {"SS": ["a", "b"]},
            "Orders": {
                "L": [
                    {"M": {"id": {"S": "o1"}, "state": {"S": "paid"}}},
                    {"M": {"id": {"S": "o2"}, "state": {"S": "open"}}},
                ]
            },
        },
        "SequenceNumber": "111",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
}


def filters(*patterns: Any) -> Filters:
    return compile_filters({"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]})


def matches(pattern: Any, event: Any = RECORD) -> bool:
    return filters(pattern).match(event)


def matches_value(rules: list[Any], *value: Any) -> bool:
    """Whether a field with this value (none: without the field) meets the rules."""
    event = {"other": 1} | ({"field": value[0]} if value else {})
    return matches({"field": rules}, event)


def reason_of(pattern: Any) -> str:
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    with pytest.raises(InvalidFilterError) as caught:
        compile_filters({"Filters": [{"Pattern": text}]})
    assert caught.value.message == "Invalid filter pattern definition."
    assert caught.value.reason.startswith("Filter 1: ")
    return caught.value.reason.removeprefix("Filter 1: ")


# The examples of "Using event filtering with a DynamoDB event source".


def test_filters_by_table_key() -> None:
    pattern = {"dynamodb": {"Keys": {"CustomerName": {"S": ["AnyCompany Industries"]}}}}
    assert matches(pattern)
    pattern["dynamodb"]["Keys"]["CustomerName"]["S"] = ["Other"]
    assert not matches(pattern)


def test_values_in_one_array_are_alternatives() -> None:
    names = ["Pat Candella", "Shirley Rodriguez"]
    assert matches({"dynamodb": {"NewImage": {"AccountManager": {"S": names}}}})


def test_fields_must_all_match() -> None:
    def pattern(days: str) -> Any:
        return {
            "dynamodb": {
                "NewImage": {
                    "AccountManager": {"S": ["Pat Candella"]},
                    "PaymentTerms": {"S": [days]},
                }
            }
        }

    assert matches(pattern("60 days"))
    assert not matches(pattern("30 days"))


def test_exists_on_a_leaf_of_the_image() -> None:
    assert matches({"dynamodb": {"NewImage": {"AccountManager": {"S": [{"exists": True}]}}}})
    assert not matches({"dynamodb": {"NewImage": {"Missing": {"S": [{"exists": True}]}}}})
    assert matches({"dynamodb": {"NewImage": {"Missing": {"S": [{"exists": False}]}}}})


def test_exists_does_not_work_on_objects() -> None:
    """As AWS says: "the Exists operator only works on leaf nodes"."""
    assert not matches({"dynamodb": {"NewImage": {"AccountManager": [{"exists": True}]}}})
    assert matches({"dynamodb": {"NewImage": {"AccountManager": [{"exists": False}]}}})


def test_a_record_without_an_image_has_no_value_there() -> None:
    removed = {"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": "1"}}}}
    assert matches({"dynamodb": {"NewImage": {"id": {"S": [{"exists": False}]}}}}, removed)
    assert not matches({"dynamodb": {"NewImage": {"id": {"S": [{"anything-but": "2"}]}}}}, removed)


def test_the_rest_of_the_record_can_be_filtered_on() -> None:
    assert matches({"eventName": ["INSERT", "MODIFY"]})
    assert not matches({"eventName": ["REMOVE"]})
    expired = {"eventName": "REMOVE", "userIdentity": {"type": "Service"}, "dynamodb": {}}
    assert matches({"userIdentity": {"type": ["Service"]}}, expired)
    assert not matches({"userIdentity": {"type": ["Service"]}})


def test_numbers_in_images_are_strings() -> None:
    assert matches({"dynamodb": {"NewImage": {"Age": {"N": ["42"]}}}})
    assert not matches({"dynamodb": {"NewImage": {"Age": {"N": [42]}}}})
    assert not matches({"dynamodb": {"NewImage": {"Age": {"N": [{"numeric": [">", 1]}]}}}})


def test_booleans_and_nulls_in_images() -> None:
    assert matches({"dynamodb": {"NewImage": {"Active": {"BOOL": [True]}}}})
    assert not matches({"dynamodb": {"NewImage": {"Active": {"BOOL": [False]}}}})
    assert matches({"dynamodb": {"NewImage": {"Notes": {"NULL": [True]}}}})
    assert matches({"dynamodb": {"NewImage": {"Empty": {"S": [""]}}}})


def test_numbers_of_the_record_itself_can_be_compared() -> None:
    assert matches({"dynamodb": {"SizeBytes": [{"numeric": [">", 20, "<=", 26]}]}})


# Arrays.


def test_an_array_matches_when_any_element_does() -> None:
    assert matches({"dynamodb": {"NewImage": {"Tags": {"SS": ["b", "c"]}}}})
    assert not matches({"dynamodb": {"NewImage": {"Tags": {"SS": ["c"]}}}})


def test_anything_but_on_an_array_holds_for_any_element() -> None:
    assert matches({"dynamodb": {"NewImage": {"Tags": {"SS": [{"anything-but": "a"}]}}}})
    assert not matches({"dynamodb": {"NewImage": {"Tags": {"SS": [{"anything-but": ["a", "b"]}]}}}})


def orders(**fields: str) -> Any:
    members = {name: {"S": [value]} for name, value in fields.items()}
    return {"dynamodb": {"NewImage": {"Orders": {"L": {"M": members}}}}}


def test_fields_of_an_array_must_match_in_one_element() -> None:
    assert matches(orders(id="o1", state="paid"))
    assert not matches(orders(id="o1", state="open"))


def test_one_element_also_across_or() -> None:
    """ "$or" is multiplied out before matching, so it can't join different elements."""
    pattern = {
        "list": {"a": [1]},
        "$or": [{"list": {"b": [2]}}, {"list": {"b": [9]}}],
    }
    assert not matches(pattern, {"list": [{"a": 1, "b": 3}, {"a": 3, "b": 2}]})
    assert matches(pattern, {"list": [{"a": 1, "b": 3}, {"a": 1, "b": 2}]})


def test_arrays_in_arrays_are_looked_into() -> None:
    assert matches({"a": {"b": [2]}}, {"a": [[{"b": 1}], [{"b": 2}]]})
    assert matches({"a": [2]}, {"a": [[1], [2]]})


def test_absence_is_absence_in_every_element() -> None:
    pattern = {"list": {"a": [{"exists": False}]}}
    assert not matches(pattern, {"list": [{"a": 1}, {"b": 1}]})
    assert matches(pattern, {"list": [{"b": 1}, {"b": 2}]})


@pytest.mark.parametrize("value", [[], {}, [{}], [[]], [{"x": 1}]])
def test_what_holds_no_leaf_does_not_exist(value: Any) -> None:
    assert matches_value([{"exists": False}], value)
    assert not matches_value([{"exists": True}], value)
    assert not matches_value([{"anything-but": "x"}], value)


# Operators.


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        (None, [None], ["", 0, False, "null"]),
        ("", [""], [None, " ", 0]),
        ("a", ["a"], ["A", "ab", "", None, 1, True]),
        (True, [True], [False, 1, "true", None]),
        (False, [False], [True, 0, "", None]),
        (300, [300], [300.0, 3.0e2, 301, "300", True]),
        (300.5, [300.5], [300, "300.5"]),
        (1, [1], [True, "1", 1.0]),
        ({"exists": True}, ["a", "", 0, False, None], []),
        ({"equals-ignore-case": "Alice"}, ["alice", "ALICE", "Alice"], ["alic", None, 1]),
        ({"prefix": "us-"}, ["us-", "us-east-1"], ["US-east-1", "u", "", None, 5]),
        ({"prefix": {"equals-ignore-case": "Us-"}}, ["us-x", "US-X"], ["u", "xus-", None, 5]),
        ({"suffix": ".png"}, [".png", "a.png"], ["a.PNG", "png", None, 5]),
        ({"suffix": {"equals-ignore-case": ".Png"}}, ["a.png", "A.PNG"], ["a.pn", None, 5]),
        ({"numeric": ["=", 100]}, [100, 100.0, 1e2], [101, "100", True, None]),
        ({"numeric": ["<", 0]}, [-0.001, -5e9], [0, 1, -5.1e9, "-1", None]),
        ({"numeric": ["<=", 0]}, [0, -1], [0.000001]),
        ({"numeric": [">", 1.5]}, [1.6, 5_000_000_000], [1.5, 5_000_000_001, True]),
        ({"numeric": [">=", 1]}, [1, 2], [0.999, True]),
        ({"numeric": [">", 10, "<=", 20]}, [10.1, 20], [10, 20.1, "15"]),
        ({"numeric": [">=", 10, "<", 20]}, [10, 19], [9, 20]),
        ({"anything-but": "a"}, ["b", "", 1, None, True, "A"], ["a"]),
        ({"anything-but": ["a", "b"]}, ["c", 0], ["a", "b"]),
        ({"anything-but": 1}, [2, "1", None, True], [1, 1.0]),
        ({"anything-but": [1, 2]}, [3, "2"], [1, 2, 2.0]),
        ({"anything-but": {"prefix": "in"}}, ["out", 1, None], ["in", "init"]),
        ({"anything-but": {"prefix": ["in", "ex"]}}, ["out"], ["init", "exit"]),
        ({"anything-but": {"suffix": ".png"}}, ["a.jpg", 1], ["a.png"]),
        ({"anything-but": {"suffix": [".png", ".gif"]}}, ["a.jpg"], ["a.png", "a.gif"]),
        ({"anything-but": {"equals-ignore-case": "init"}}, ["initial", 1], ["INIT", "init"]),
        ({"anything-but": {"equals-ignore-case": ["a", "b"]}}, ["c"], ["A", "B"]),
        ({"anything-but": {"wildcard": "*/lib/*"}}, ["/src/a"], ["/x/lib/a", "/lib/"]),
        ({"anything-but": {"wildcard": ["a*", "*z"]}}, ["bcd"], ["abc", "xyz"]),
        ({"wildcard": "a*c"}, ["ac", "abc", "a\nc", "abcc"], ["ab", "c", "abcd", "xac", None, 1]),
        ({"wildcard": "*"}, ["", "anything"], [None, 1]),
        ({"wildcard": "a*b*a"}, ["aba", "aXbYa", "abba"], ["aa", "ab", "aca"]),
        ({"wildcard": "ab*ba"}, ["abba", "abXba"], ["aba"]),
        ({"wildcard": "2\\*2"}, ["2*2"], ["2x2", "22"]),
        ({"wildcard": "a\\\\*"}, ["a\\", "a\\b"], ["a", "ab"]),
        ({"wildcard": "a.c"}, ["a.c"], ["abc"]),
        (
            {"cidr": "10.0.0.0/24"},
            ["10.0.0.0", "10.0.0.255"],
            ["10.0.1.0", "x", "", None, 1, "::1"],
        ),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1", "2001:DB8:0::2"], ["2001:db9::1", "10.0.0.1"]),
        ({"cidr": "10.0.0.7/32"}, ["10.0.0.7"], ["10.0.0.8"]),
    ],
)
def test_operator(rule: Any, matching: list[Any], other: list[Any]) -> None:
    assert [value for value in matching if not matches_value([rule], value)] == []
    assert [value for value in other if matches_value([rule], value)] == []
    absent = rule == {"exists": False}
    assert matches_value([rule]) is absent, "a missing field"


def test_exists_false_wants_the_field_missing() -> None:
    assert matches_value([{"exists": False}])
    for value in ["a", "", 0, False, None]:
        assert not matches_value([{"exists": False}], value)


def test_a_missing_field_or_a_value() -> None:
    rules = [{"exists": False}, "a", {"prefix": "b"}]
    assert matches_value(rules)
    assert matches_value(rules, "a")
    assert matches_value(rules, "bc")
    assert not matches_value(rules, "c")


def test_a_field_missing_below_a_value_that_is_no_object() -> None:
    assert matches({"field": {"inner": [{"exists": False}]}}, {"field": "text"})
    assert not matches({"field": {"inner": ["x"]}}, {"field": "text"})


# Several filters, and "$or".


def test_one_matching_filter_is_enough() -> None:
    either = filters({"eventName": ["REMOVE"]}, {"dynamodb": {"SizeBytes": [26]}})
    assert either.match(RECORD)
    assert not filters({"eventName": ["REMOVE"]}, {"dynamodb": {"SizeBytes": [1]}}).match(RECORD)


@pytest.mark.parametrize("criteria", [None, {}, {"Filters": []}, {"Filters": None}])
def test_without_filters_every_record_passes(criteria: Any) -> None:
    nothing = compile_filters(criteria)
    assert nothing.match(RECORD)
    assert not nothing


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"Location": "New York", "Day": "Monday"}, True),
        ({"Location": "New York", "Temp": 70}, True),
        ({"Location": "New York", "Day": "Friday", "Temp": 10}, False),
        ({"Location": "Oslo", "Day": "Monday"}, False),
    ],
)
def test_or_across_fields(event: dict[str, Any], expected: bool) -> None:
    pattern = {
        "Location": ["New York"],
        "$or": [{"Day": ["Monday"]}, {"Temp": [{"numeric": [">", 50]}]}],
    }
    assert matches(pattern, event) is expected


def test_or_inside_an_object_and_inside_or() -> None:
    pattern = {
        "d": {"$or": [{"a": [1]}, {"b": [2], "$or": [{"c": [3]}, {"e": [4]}]}]},
    }
    assert matches(pattern, {"d": {"a": 1}})
    assert matches(pattern, {"d": {"b": 2, "e": 4}})
    assert not matches(pattern, {"d": {"b": 2}})
    assert not matches(pattern, {"a": 1})


# What AWS refuses.


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "Filter is not an object"),
        ("[]", "Filter is not an object"),
        ("null", "Filter is not an object"),
        ('"text"', "Filter is not an object"),
        ('[{"eventName": ["INSERT"=123}]', "Filter is not valid JSON"),
        ('{"a": [NaN]}', "Filter is not valid JSON: NaN"),
        ("{}", "Empty objects are not allowed"),
        ({"a": {}}, "Empty objects are not allowed"),
        ({"a": []}, "Empty arrays are not allowed"),
        ({"a": "INSERT"}, '"a" must be an object or an array'),
        ({"a": [["x"]]}, "Match value must be String, number, true, false, or null"),
        ({"a": [{}]}, "Match expression name not found"),
        ({"a": [{"prefix": "a", "suffix": "b"}]}, "Only one key allowed in match expression"),
        ({"a": [{"begins": "x"}]}, "Unrecognized match type begins"),
        ({"a": [{"exists": "true"}]}, "exists match pattern must be either true or false."),
        ({"a": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"prefix": {"suffix": "x"}}]}, "Unsupported prefix pattern: suffix"),
        ({"a": [{"suffix": {}}]}, "Suffix expression name not found"),
        ({"a": [{"suffix": None}]}, "suffix match pattern must be a string"),
        ({"a": [{"equals-ignore-case": 1}]}, "equals-ignore-case match pattern must be a string"),
        ({"a": [{"wildcard": 1}]}, "wildcard match pattern must be a string"),
        ({"a": [{"wildcard": "a**b"}]}, "Consecutive wildcard characters at pos 2"),
        ({"a": [{"wildcard": "a\\b"}]}, "Invalid escape character at pos 2"),
        ({"a": [{"numeric": 5}]}, "Value of numeric must be an array."),
        ({"a": [{"numeric": []}]}, "Invalid member in numeric match: ]"),
        ({"a": [{"numeric": [5]}]}, "Invalid member in numeric match: 5"),
        ({"a": [{"numeric": ["!=", 5]}]}, "Unrecognized numeric range operator: !="),
        ({"a": [{"numeric": ["="]}]}, "Value of equals must be numeric"),
        ({"a": [{"numeric": [">", "5"]}]}, "Value of > must be numeric"),
        ({"a": [{"numeric": ["<", 5, ">", 1]}]}, "Too many elements in numeric expression"),
        ({"a": [{"numeric": [">", 5, 6]}]}, "Bad value in numeric range: 6"),
        ({"a": [{"numeric": [">", 5, ">", 6]}]}, "Bad numeric range operator: >"),
        ({"a": [{"numeric": [">", 5, "<"]}]}, "Value of < must be numeric"),
        ({"a": [{"numeric": [">", 5, "<", 5]}]}, "Bottom must be less than top"),
        ({"a": [{"numeric": [">", 5, "<", 6, 7]}]}, "Too many terms in numeric range expression"),
        ({"a": [{"numeric": ["=", 5e9 + 1]}]}, "Value must be between -5.0E9 and 5.0E9, inclusive"),
        ({"a": [{"cidr": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
        ({"a": [{"cidr": "10.0.0.0/x"}]}, "Malformed CIDR, mask bits must be an integer"),
        ({"a": [{"cidr": "10.0.0.0/-1"}]}, "Malformed CIDR, mask bits must not be negative"),
        ({"a": [{"cidr": "10.0.0/8"}]}, "Nonstandard IP address: 10.0.0"),
        ({"a": [{"anything-but": None}]}, "Value of anything-but must be an array or single"),
        ({"a": [{"anything-but": True}]}, "Value of anything-but must be an array or single"),
        ({"a": [{"anything-but": [None]}]}, "Inside anything but list, start|null|boolean"),
        ({"a": [{"anything-but": []}]}, "Inside anything but list, either all values are"),
        ({"a": [{"anything-but": [1, "a"]}]}, "Inside anything but list, either all values are"),
        ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "Unsupported anything-but pattern"),
        ({"a": [{"anything-but": {"prefix": ""}}]}, "Null prefix/suffix not allowed"),
        ({"a": [{"anything-but": {"suffix": 1}}]}, "prefix/suffix match pattern must be a string"),
        ({"a": [{"anything-but": {"equals-ignore-case": [1]}}]}, "Inside anything-but/equals-"),
        ({"$or": {"a": ["x"]}}, "It must be an Array followed with $or."),
        ({"$or": [{"a": ["x"]}]}, "There must have at least 2 Objects in $or relationship."),
        ({"$or": [{"a": ["x"]}, "b"]}, "Only JSON object is allowed in array of $or relationship."),
        ({"$or": [{"a": ["x"]}, {"prefix": ["y"]}]}, "prefix is Ruler reserved fieldName"),
        ({"$or": [{"a": ["x"]}, {}]}, "Empty objects are not allowed"),
        ({"a": ["x" * 4096]}, "Filter is longer than 4096 characters"),
        ("[" * 4000, "Filter is not valid JSON"),
    ],
)
def test_pattern_is_refused(pattern: Any, reason: str) -> None:
    assert reason in reason_of(pattern)


def test_too_many_combinations_are_refused() -> None:
    choices = [{"a": [number]} for number in range(10)]
    pattern = {name: {"$or": choices} for name in ("x", "y", "z")}
    assert "combinations" in reason_of(pattern)


def test_more_filters_than_the_quota_are_refused() -> None:
    patterns = {"Filters": [{"Pattern": '{"a": [1]}'}] * 6}
    with pytest.raises(InvalidFilterError, match="There are 6 filters; 5 are allowed"):
        compile_filters(patterns)
    assert compile_filters(patterns, quota=10).match({"a": 1})


@pytest.mark.parametrize("entry", [{}, {"Pattern": None}, {"Pattern": {"a": [1]}}, "text", None])
def test_a_filter_without_a_pattern_is_refused(entry: Any) -> None:
    with pytest.raises(InvalidFilterError) as caught:
        compile_filters({"Filters": [{"Pattern": '{"a": [1]}'}, entry]})
    assert caught.value.reason == "Filter 2: Filter is not an object"


# Explanations.


def test_the_explanation_names_filter_field_wish_and_value() -> None:
    criteria = filters(
        {"eventName": ["REMOVE", {"prefix": "MOD"}]},
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"Missing": {"S": ["x"]}}}},
    )
    told = criteria.explain(RECORD)
    assert not told.matched
    assert told.reason == (
        'eventName is "INSERT", filter 1 wants "REMOVE" or starts with "MOD"; '
        'dynamodb.NewImage.Missing.S is missing, filter 2 wants "x"'
    )
    assert [(clause.filter, clause.path, clause.matched) for clause in told.clauses] == [
        (1, "eventName", False),
        (2, "eventName", True),
        (2, "dynamodb.NewImage.Missing.S", False),
    ]


def test_the_explanation_of_a_match_has_no_reason() -> None:
    told = filters({"eventName": ["INSERT"]}).explain(RECORD)
    assert told.matched
    assert told.reason == ""
    assert told.clauses[0].actual == ('"INSERT"',)


def test_the_explanation_shows_the_nearest_alternative() -> None:
    pattern = {"$or": [{"x": [1], "y": [1]}, {"eventName": ["INSERT"], "z": [1]}]}
    told = filters(pattern).explain(RECORD)
    assert [clause.path for clause in told.clauses] == ["eventName", "z"]


@pytest.mark.parametrize("rule", [42, {"numeric": [">", 1]}])
def test_the_explanation_says_that_numbers_are_strings(rule: Any) -> None:
    told = filters({"dynamodb": {"NewImage": {"Age": {"N": [rule]}}}}).explain(RECORD)
    assert "numbers in DynamoDB JSON are strings" in told.reason


def test_the_explanation_says_that_a_type_is_missing() -> None:
    told = filters({"dynamodb": {"NewImage": {"AccountManager": ["Pat"]}}}).explain(RECORD)
    assert 'must name its type, "S"' in told.reason


def test_the_explanation_of_fields_in_different_elements() -> None:
    told = filters(orders(id="o1", state="open")).explain(RECORD)
    assert told.reason == "filter 1 wants its fields in one array element"
