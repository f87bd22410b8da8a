"""Items made up for a table, and the rate they are written at."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Any

import pytest

from streamdev.semantics.generate import generate
from streamdev.semantics.items import KeySchema, check_item
from streamdev.semantics.pace import LONGEST_DEBT_S, Pace

SCHEMAS = [
    KeySchema((("id", "S"),)),
    KeySchema((("id", "N"),)),
    KeySchema((("hash", "B"),)),
    KeySchema((("customer", "S"), ("at", "N")), {"customer": "S", "at": "N", "email": "S"}),
    KeySchema((("age", "B"), ("name", "B")), {"age": "B", "name": "B", "size": "N", "raw": "B"}),
]
SAMPLES: list[dict[str, Any]] = [
    {"id": {"S": "1"}, "age": {"N": "20"}, "tags": {"SS": ["a"]}, "price": {"N": "1.25"}},
    {"id": {"S": "2"}, "age": {"N": "30"}, "price": {"N": "9"}, "odd": {"N": "1"}},
    {"id": {"S": "3"}, "age": {"N": "25"}, "price": {"N": "3.5"}, "odd": {"S": "x"}},
]


def made(schema: KeySchema, samples: list[dict[str, Any]], seed: int, count: int = 400) -> Any:
    return list(islice(generate(schema, samples, seed), count))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: str(schema.keys))
def test_made_up_items_fit_the_table_and_are_unique_and_repeatable(schema: KeySchema) -> None:
    items = made(schema, [], 7)
    for item in items:
        check_item(item, schema)
        assert item.keys() >= schema.index_types.keys()
    keys = {repr(schema.key_of(item)) for item in items}
    assert len(keys) == len(items)
    assert items == made(schema, [], 7)
    assert not keys & {repr(schema.key_of(item)) for item in made(schema, [], 8)}


def test_a_sort_key_has_several_items_below_a_partition_key() -> None:
    items = made(SCHEMAS[3], [], 1, 10)
    assert [len([i for i in items if i["customer"] == items[n]["customer"]]) for n in (0, 9)] == [
        5,
        5,
    ]


def test_made_up_items_are_mixed_from_samples() -> None:
    items = made(SCHEMAS[0], SAMPLES, 3)
    assert {name for item in items for name in item} == {"id", "age", "tags", "price", "odd"}
    assert all(20 <= int(item["age"]["N"]) <= 30 for item in items)
    assert len({item["age"]["N"] for item in items}) > 3
    prices = {Decimal(item["price"]["N"]) for item in items}
    assert min(prices) >= Decimal("1.25")
    assert max(prices) <= 9
    assert all(price == round(price, 2) for price in prices)
    assert 0 < sum("tags" in item for item in items) < len(items)
    assert {repr(item["odd"]) for item in items if "odd" in item} == {"{'N': '1'}", "{'S': 'x'}"}
    for item in items:
        check_item(item, SCHEMAS[0])


class Clock:
    """A clock that moves when something waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_rate_is_held() -> None:
    clock = Clock()
    pace = Pace(50, clock, clock.sleep)
    for _ in range(101):
        pace.wait()
        clock.now += 0.005  # what the write takes
    assert clock.now == pytest.approx(102.005)
    assert pace.together == 5
    assert Pace(0.5, clock, clock.sleep).together == 1


def test_after_a_stall_only_a_second_is_made_up_for() -> None:
    clock = Clock()
    pace = Pace(10, clock, clock.sleep)
    clock.now += 60
    at_once = 0
    while clock.now == 160:
        pace.wait()
        at_once += 1
    assert at_once == LONGEST_DEBT_S * 10 + 2
