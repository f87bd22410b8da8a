"""Changes, and how records look to people."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.observe import follow
from streamdev.observe.changes import changes
from streamdev.observe.names import Names
from streamdev.observe.records import Processed
from streamdev.observe.render import Renderer, escaped, key_text, value_text
from tests.support.observed import invocation, line, record

NAMES = Names({"user-profile": "profiles"})


def one(event_name: str, old: Any, new: Any) -> Processed:
    lines = invocation([record("7", event_name, old=old, new=new)])
    (entry,) = follow.entries(lines)
    assert isinstance(entry, Processed)
    return entry


def changed(old: Any, new: Any, event_name: str = "MODIFY") -> list[tuple[str, str, Any, Any]]:
    return [(c.path, c.kind, c.old, c.new) for c in changes(one(event_name, old, new))]


def text_of(lines: list[str], names: Names = NAMES) -> list[str]:
    renderer = Renderer(names, zone=UTC)
    return [text.plain for entry in follow.entries(lines) for text in renderer.lines(entry)]


S, N = {"S": "x"}, {"N": "1"}


def test_attributes_are_added_removed_and_changed() -> None:
    old = {"gone": S, "same": N, "name": {"S": "John"}}
    new = {"same": {"N": "1.0"}, "name": {"S": "Jane"}, "come": N}
    assert changed(old, new) == [
        ("gone", "removed", S, None),
        ("name", "changed", {"S": "John"}, {"S": "Jane"}),
        ("come", "added", None, N),
    ]


def test_key_attributes_are_no_changes() -> None:
    assert changed(None, {}, "INSERT") == []
    assert changed({}, None, "REMOVE") == []


def test_nested_values_are_told_by_their_path() -> None:
    old = {"a": {"M": {"city": {"S": "Oslo"}, "zip": S}}, "list": {"L": [N, S]}}
    new = {"a": {"M": {"city": {"S": "Bern"}, "zip": S}}, "list": {"L": [N, {"S": "y"}, N]}}
    assert changed(old, new) == [
        ("a.city", "changed", {"S": "Oslo"}, {"S": "Bern"}),
        ("list[1]", "changed", S, {"S": "y"}),
        ("list[2]", "added", None, N),
    ]


def test_a_shorter_list_lost_its_end() -> None:
    assert changed({"l": {"L": [N, S]}}, {"l": {"L": [N]}}) == [("l[1]", "removed", S, None)]


def test_sets_are_told_by_their_elements() -> None:
    old, new = {"t": {"SS": ["a", "b"]}}, {"t": {"SS": ["b", "c"]}}
    assert changed(old, new) == [
        ("t", "removed", {"S": "a"}, None),
        ("t", "added", None, {"S": "c"}),
    ]


def test_another_type_is_a_change() -> None:
    assert changed({"v": N}, {"v": {"S": "1"}}) == [("v", "changed", N, {"S": "1"})]


def test_odd_names_are_quoted_in_paths() -> None:
    told = changed({}, {"a.b": S, "x y": {"M": {"é\x1b": S}}})
    assert [path for path, *_ in told] == ['["a.b"]', '["x y"]']
    nested = changed({"m": {"M": {"\x1b": S}}}, {"m": {"M": {"\x1b": N}}})
    assert nested[0][0] == 'm["\\u001b"]'


def test_values_that_the_log_cut_may_or_may_not_have_changed() -> None:
    long, longer = {"b": {"S": "x" * 5000}}, {"b": {"S": "x" * 5001}}
    assert [kind for _, kind, *_ in changed(long, long)] == ["unknown"]
    assert [kind for _, kind, *_ in changed(long, longer)] == ["changed"]


def test_one_image_alone_does_not_tell_what_changed() -> None:
    assert changed(None, {"a": N}) == [("a", "unknown", None, N)]
    assert changed({"a": N}, None) == [("a", "unknown", N, None)]
    assert changed(None, {"a": N}, "INSERT") == [("a", "added", None, N)]
    assert changed({"a": N}, None, "REMOVE") == [("a", "removed", N, None)]
    assert changed(None, None, "MODIFY") == []


_SCALARS = st.sampled_from([{"S": "a"}, {"S": "b"}, {"N": "1"}, {"BOOL": True}, {"NULL": True}])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements}),
        st.dictionaries(st.sampled_from("ab"), inner, max_size=2).map(lambda m: {"M": m}),
    ),
    max_leaves=6,
)
_ITEMS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3)


@given(_ITEMS, _ITEMS)
def test_changes_are_none_exactly_when_the_items_are_equal(old: Any, new: Any) -> None:
    assert (changed(old, new) == []) is (old == new)


# Lines for people.


def test_an_insert() -> None:
    lines = invocation([record("7", new={"name": {"S": "John"}, "age": {"N": "42"}})])
    assert text_of(lines)[-3:] == [
        "12:00:01.500  profiles  INSERT  7  ok  12 ms",
        '              + name  "John"',
        "              + age  42",
    ]


def test_a_change_and_a_removal() -> None:
    lines = invocation([record("7", "MODIFY", old={"a": N}, new={"a": {"N": "2"}})])
    lines += invocation([record("7", "REMOVE", old={"a": {"N": "2"}})], second=2)
    assert text_of(lines)[-4:] == [
        "12:00:01.500  profiles  MODIFY  7  ok  12 ms",
        "              ~ a  1 → 2",
        "12:00:02.500  profiles  REMOVE  7  ok  12 ms",
        "              - a  2",
    ]


def test_a_failure_shows_its_error_and_the_end_of_its_trace() -> None:
    trace = [f'  File "handler.py", line {n}, in f{n}\n    call()\n' for n in range(9)]
    error = {"type": "ValueError", "message": "no name\nat all", "trace": trace}
    lines = invocation([record("7", new={})], outcome="error", error=error, attempt=3)
    told = text_of(lines)
    assert told[-9] == "12:00:01.500  profiles  INSERT  7  error  12 ms, attempt 3"
    assert told[-8:-6] == ["              ValueError: no name", "              at all"]
    assert told[-2:] == [
        '                File "handler.py", line 8, in f8',
        "                  call()",
    ]


def test_the_error_of_a_batch_is_told_once() -> None:
    error = {"type": "ValueError", "message": "no name", "trace": []}
    lines = invocation([record("a", new={}), record("b", new={})], outcome="error", error=error)
    told = text_of(lines)
    assert told[-3:] == [
        "12:00:01.500  profiles  INSERT  a  error  12 ms, 1 of a batch of 2",
        "12:00:01.500  profiles  INSERT  b  error  12 ms, 2 of a batch of 2",
        "              ValueError: no name",
    ]


def test_a_filtered_record_is_one_dim_line() -> None:
    lines = line(
        "mapping.filtered",
        function="user-profile",
        event_name="MODIFY",
        keys={"id": {"S": "7"}},
        reason="because",
    )
    renderer = Renderer(NAMES, zone=UTC)
    texts = [text for entry in follow.entries(lines) for text in renderer.lines(entry)]
    assert texts[-1].plain == "12:00:00.000  profiles  MODIFY  7  filtered  because"
    assert texts[-1].spans[-1].style == "dim"


def test_a_function_of_no_pipeline_keeps_its_own_name() -> None:
    assert (
        "12:00:01.500  other     INSERT"
        in text_of(invocation([record(new={})], function="other"))[-1]
    )


def test_a_key_comes_in_the_tables_order() -> None:
    lines = invocation([record("7", new={})])
    lines = [text.replace('"keys":{', '"keys":{"at":{"N":"5"},') for text in lines]
    assert "INSERT  5 / 7  ok" in text_of(lines)[-1]
    names = Names({}, {"UserProfileTable": ("id", "at")})
    assert "INSERT  7 / 5  ok" in text_of(lines, names)[-1]


def test_a_stream_without_images_says_so() -> None:
    assert "(the stream has keys only)" in text_of(invocation([record()]))[-1]
    told = text_of(invocation([record("7", "MODIFY", new={"a": N})]))
    assert "(the stream has no old image, so what changed is not known)" in told[-1]


def test_many_changes_are_shortened() -> None:
    told = text_of(invocation([record(new={f"a{n}": N for n in range(50)})]))
    assert "... and 20 more (--json shows all)" in told[-1]


def test_the_date_is_told_when_the_day_changes() -> None:
    texts = invocation([record(new={})], second=1)
    next_day = [text.replace("2026-11-20", "2026-11-21") for text in texts]
    told = text_of(texts + next_day)
    assert "Saturday, 2026-11-21" in told


def test_nothing_from_data_reaches_the_terminal_as_it_is() -> None:
    nasty = "\x1b[2J\u202e\x07[bold]x[/bold]"
    error = {"type": nasty, "message": nasty, "trace": [nasty]}
    new = {nasty: {"S": nasty}, "m": {"M": {nasty: {"S": nasty}}}}
    told = text_of(invocation([record(nasty, new=new)], outcome="error", error=error))
    assert all(text.isprintable() for text in told)
    assert any("[bold]x[/bold]" in text for text in told)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"S": 'a "b"\n'}, '"a \\"b\\"\\n"'),
        ({"N": "1.50"}, "1.50"),
        ({"B": "AAEC"}, "binary AAEC"),
        ({"BOOL": False}, "false"),
        ({"NULL": True}, "null"),
        ({"SS": ["a", "b"]}, '{"a", "b"}'),
        ({"L": [{"N": "1"}, {"M": {}}]}, "[1, {}]"),
        ({"S": "x" * 500}, '"' + "x" * 118 + "…"),
        ({"redacted": True}, "(redacted)"),
        ({"cut": 5000, "S": "abc"}, '"abc" (5,000 bytes, cut in the log)'),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_keys() -> None:
    assert key_text({"id": {"S": "a b"}, "at": {"N": "5"}}) == "a b / 5"
    assert escaped("a\tb") == "a\\tb"
