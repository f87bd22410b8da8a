"""Which engines ``make bench`` measures, and that they stand in one table."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from scripts.bench import __main__ as bench
from scripts.bench import requests
from scripts.bench.report import Report
from scripts.bench.subjects import Streamdev


def test_engines_stand_in_one_table_with_ratios_to_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measure(subject: Streamdev, report: Report, *_: object) -> None:
        report.add("put", "ms", subject.name, [4.0 if subject.engine == "host" else 5.0])
        subject.close()

    monkeypatch.setattr(bench, "_measure_streamdev", measure)
    monkeypatch.setattr(requests, "measure", lambda *_: None)
    ended = CliRunner().invoke(bench.main, ["--engine", "compose", "--no-peers"])
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines() == [
        "| figure | streamdev host | streamdev compose |",
        "|---|---|---|",
        "| put [ms] | 4.00 | 5.00 ×1.25 |",
        "",
    ]


def test_an_unknown_engine_is_refused() -> None:
    ended = CliRunner().invoke(bench.main, ["--engine", "podman"])
    assert ended.exit_code == 2
    assert "'podman' is not one of 'host', 'compose'" in ended.output
