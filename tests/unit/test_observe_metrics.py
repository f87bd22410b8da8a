"""Metrics in the embedded metric format, read from what handlers printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from streamdev.observe.follow import OutputLine
from streamdev.observe.metrics import read, summarize


def line(text: str, function: str = "user-profile") -> OutputLine:
    return OutputLine(None, function, "r1", text)


def printed(at: float = 1_000.0, **values: Any) -> OutputLine:
    document = {
        "_aws": {
            "Timestamp": at * 1000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Profiles",
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
                }
            ],
        },
        "service": "s",
        **values,
    }
    return line(json.dumps(document))


def test_values_of_a_metric_are_put_together() -> None:
    lines = [printed(1, Handled=[1.0, 3]), line("Received event: {}"), printed(2, Handled=2)]
    (metric,) = summarize(read(lines))
    assert (metric.function, metric.namespace, metric.name) == (
        "user-profile",
        "Profiles",
        "Handled",
    )
    assert metric.dimensions == (("service", "s"),)
    assert (metric.values, metric.total, metric.average) == ([1.0, 3.0, 2.0], 6.0, 2.0)
    assert (metric.last, metric.last_at) == (2.0, datetime.fromtimestamp(2, UTC))


def test_functions_and_dimensions_are_kept_apart() -> None:
    other = json.loads(printed(A=1).text) | {"service": "t"}
    lines = [printed(A=1), line(json.dumps(other)), line(printed(A=1).text, "other")]
    assert len(summarize(read(lines))) == 3


def test_what_is_older_is_left_out() -> None:
    lines = [printed(1, A=1), printed(5, A=7)]
    assert [v.value for v in read(lines, since=datetime.fromtimestamp(3, UTC))] == [7.0]


@pytest.mark.parametrize(
    "text",
    [
        '{"_aws": ',
        '"_aws"',
        '["_aws"]',
        '{"_aws": 1}',
        '{"_aws": {"CloudWatchMetrics": []}}',
        '{"_aws": {"Timestamp": "x", "CloudWatchMetrics": []}}',
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [1]}}',
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": [{"Name": "A"}]}]}}',
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": [{}]}]}, "A": true}',
    ],
)
def test_lines_that_only_look_like_metrics_are_passed_over(text: str) -> None:
    assert list(read([line(text)])) == []
