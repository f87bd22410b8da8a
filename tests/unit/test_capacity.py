"""plan-capacity: its formulas give what AWS's pages have as examples."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.main import run
from streamdev.export.capacity import (
    concurrency,
    lambda_cost,
    load_prices,
    shards_for,
    write_cost,
    write_units,
)

PIPELINE = """\
[pipelines.one.table]
name = "Things"
key = "id:S"
stream = "NEW_AND_OLD_IMAGES"

[pipelines.one.function]
source = "code"
handler = "handler.run"
runtime = "python3.13"
memory-size = 512

[pipelines.one.mapping]
starting-position = "TRIM_HORIZON"
"""


def plan(folder: Path, *args: str, mapping: str = "") -> tuple[int, str, str]:
    """Run plan-capacity on the pipeline; its exit code and what it printed."""
    (folder / "pipelines.toml").write_text(PIPELINE + mapping)
    out, err = io.StringIO(), io.StringIO()
    context = Context(environ={}, stdin=io.StringIO(), stdout=out, stderr=err, cwd=folder)
    return run(["plan-capacity", *args], context), out.getvalue(), err.getvalue()


def planned(folder: Path, *args: str, mapping: str = "") -> dict[str, Any]:
    code, out, err = plan(folder, *args, "--json", mapping=mapping)
    assert code == ExitCode.OK, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize(("seconds", "wanted"), [(1, 100), (0.5, 50)])
def test_concurrency_of_understanding_lambda_function_scaling(
    seconds: float, wanted: float
) -> None:
    assert concurrency(100, seconds) == wanted


@pytest.mark.parametrize(
    ("millions", "seconds", "memory", "free_tier", "compute", "requests"),
    [
        (3, 0.12, 1536, True, 2.33, 0.40),  # mobile application backend
        (7.44, 2, 1024, False, 248.00, 1.49),  # enriching streaming telemetry
        (6, 0.28, 4096, True, 105.33, 1.00),  # performing ML on customer support tickets
    ],
)
def test_charges_of_aws_lambda_pricing(
    millions: float, seconds: float, memory: int, free_tier: bool, compute: float, requests: float
) -> None:
    """The page's three examples; two take off its free tier of 400,000 GB-s and 1M requests."""
    prices = load_prices()
    cost = lambda_cost(millions * 1e6, seconds, memory, prices)
    free = lambda_cost(1e6, 0.4, 1024, prices) if free_tier else dict.fromkeys(cost, 0.0)
    charged = {what: round(cost[what] - free[what], 2) for what in cost}
    assert charged == {"Lambda requests": requests, "Lambda compute": compute}


def test_charges_of_dynamodbs_pricing_for_on_demand_capacity() -> None:
    """The page's example had $1.25 a million in it, until the price was halved in November 2024."""
    prices = load_prices()
    units = write_units(42_177_000, 1)
    before = replace(prices, million_write_units=2 * prices.million_write_units)
    assert round(write_cost(units, before), 2) == 52.72


def test_write_units_of_dynamodb_read_and_write_operations() -> None:
    assert write_units(1, 2) == 2  # "if your item size is 2 KB, you require 2 write units"
    assert write_units(1, 0.5) == write_units(1, 1) == 1  # 500 bytes as much as 1 KB
    assert write_units(1, 3) == 3
    # A partition takes 1,000 a second ("Designing partition keys").
    assert [shards_for(units) for units in (0.5, 1000, 1001)] == [1, 1, 2]


def test_concurrency_of_polling_and_batching_streams(tmp_path: Path) -> None:
    """ParallelizationFactor 2: at most 200 concurrent invocations for 100 shards."""
    found = planned(
        tmp_path,
        *("--writes", "100", "--duration", "1", "--shards", "100"),
        mapping="parallelization-factor = 2\n",
    )
    assert found["limit"] == 200


def test_a_stream_that_keeps_up(tmp_path: Path) -> None:
    found = planned(
        tmp_path,
        *("--writes", "100", "--duration", "5", "--item-size", "2.5"),
        mapping="maximum-batching-window = 2\nbatch-size = 50\n",
    )
    assert (found["write_units"], found["shards"], found["limit"]) == (300, 1, 1)
    assert (found["concurrency"], found["batch"], found["invocations"]) == (0.5, 50, 2)
    # 50 records are there after half a second, and those before them take a quarter.
    assert found["iterator_age_s"] == pytest.approx(0.75)
    assert found["lost_after_s"] is None
    month = 730 * 3600
    prices = load_prices()
    assert found["cost"] == {
        "DynamoDB writes": pytest.approx(300 * month / 1e6 * prices.million_write_units),
        "Lambda requests": pytest.approx(2 * month / 1e6 * prices.million_requests),
        "Lambda compute": pytest.approx(0.5 * month * 0.5 * prices.gb_second),
    }


def test_iterator_age_is_what_records_wait_until_their_batch_is_sent(tmp_path: Path) -> None:
    # Ten records gather between two polls, and are handled one by one.
    found = planned(tmp_path, "--writes", "40", "--duration", "12", mapping="batch-size = 1\n")
    assert (found["batch"], found["invocations"]) == (1, 40)
    assert found["iterator_age_s"] == pytest.approx(0.25 + 10 * 0.012)
    # A window that no full batch ends is waited for to its end.
    window = "maximum-batching-window = 2\n"
    found = planned(tmp_path, "--writes", "2", "--duration", "100", mapping=window)
    assert (found["batch"], found["invocations"]) == (4, 0.5)
    assert found["iterator_age_s"] == pytest.approx(2 + 4 * 0.1)


def test_a_stream_that_falls_behind_loses_records(tmp_path: Path) -> None:
    arguments = ("--writes", "100", "--duration", "20")
    found = planned(tmp_path, *arguments)
    # Half of the writes are handled: a record that is written after two days is a day old.
    assert found["lost_after_s"] == pytest.approx(48 * 3600)
    assert found["invocations"] == pytest.approx(50 / 100)
    code, out, _ = plan(tmp_path, *arguments)
    assert code == ExitCode.OK
    assert "falls behind: 2.0 times" in out
    assert "After 48 h" in out
    aged = planned(tmp_path, *arguments, mapping="maximum-record-age = 3600\n")
    assert aged["lost_after_s"] == pytest.approx(2 * 3600)
    kept = planned(tmp_path, *arguments, mapping="parallelization-factor = 3\n")
    assert (kept["limit"], kept["lost_after_s"]) == (3, None)


def test_a_payload_takes_no_more_than_6_mb(tmp_path: Path) -> None:
    arguments = ("--writes", "900", "--duration", "10", "--item-size", "400", "--shards", "1")
    found = planned(tmp_path, *arguments, mapping="batch-size = 1000\n")
    assert found["batch"] == 7


def test_without_a_duration_and_an_engine_it_says_what_to_do(tmp_path: Path) -> None:
    code, _, err = plan(tmp_path, "--writes", "1")
    assert (code, "--duration MS" in err) == (ExitCode.USAGE, True)
    assert plan(tmp_path, "--writes", "0", "--duration", "1")[0] == ExitCode.USAGE
