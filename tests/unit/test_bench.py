"""The benchmark: rounds, ratios, aims, failures and the page that is made of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.bench import __main__ as bench
from scripts.bench import aims, figures, growth, handler, machine, page
from scripts.bench.figures import ALONE, COMPOSE, HOST, LOCALSTACK, MINISTACK
from scripts.bench.measure import Plan
from scripts.bench.peers import Server
from scripts.bench.report import Better, Report, Spread, percentile
from scripts.bench.results import Results
from scripts.bench.sampling import Samples
from scripts.bench.subjects import Streamdev, Subject, SubjectError, running

SMALL, LARGE = figures.bulk(1_000), figures.bulk(20_000)


def report_of(
    name: str, unit: str, rounds: dict[str, list[float]], better: Better = "lower"
) -> Report:
    """A report with one figure: subject → its sample in each round."""
    report = Report()
    add(report, name, unit, rounds, better)
    return report


def add(
    report: Report,
    name: str,
    unit: str,
    rounds: dict[str, list[float]],
    better: Better = "lower",
) -> None:
    for subject, values in rounds.items():
        for report.round, value in enumerate(values):
            report.add(name, unit, subject, [value], better)


def verdict(report: Report, says: str) -> str:
    """The row of an aim, without the aim itself."""
    rows = [line for line in aims.markdown(report).splitlines() if f"| {says}" in line]
    assert len(rows) == 1, rows
    return " | ".join(rows[0].split(" | ")[1:]).removesuffix(" |")


def test_a_ratio_is_taken_within_a_round_so_a_slower_machine_does_not_change_it() -> None:
    report = report_of("put", "ms", {HOST: [2.0, 4.0, 20.0], MINISTACK: [1.0, 2.0, 10.0]})
    assert report.markdown().splitlines() == [
        f"| figure | {HOST} | {MINISTACK} |",
        "|---|---|---|",
        "| put [ms] | 4.00 (2.00 to 20.0) | 2.00 (1.00 to 10.0), ×0.50 |",
    ]
    assert report.ratio("put", HOST, MINISTACK) == Spread(2.0, 2.0, 2.0)


def test_a_round_counts_as_its_median_and_a_missing_one_is_left_out_of_ratios() -> None:
    report = Report()
    report.add("put", "ms", HOST, [1.0, 2.0, 90.0])
    report.add("put", "ms", MINISTACK, [4.0])
    report.round = 1
    report.add("put", "ms", HOST, [3.0])
    assert report.spread("put", HOST) == Spread(2.5, 2.0, 3.0)
    assert report.ratio("put", HOST, MINISTACK) == Spread(0.5, 0.5, 0.5)
    assert report.ratio("put", HOST, ALONE) is None
    assert report.spread("put", ALONE) is None


def test_what_came_before_the_put_returned_has_no_ratio() -> None:
    report = report_of("less the put", "ms", {HOST: [2.0], MINISTACK: [-0.5]})
    assert report.ratio("less the put", MINISTACK, HOST) is None
    assert report.ratio("less the put", HOST, MINISTACK) is None


def test_p99_is_the_value_that_99_of_100_do_not_exceed() -> None:
    assert percentile(range(1, 101), 99) == 99
    assert percentile(range(1, 201), 99) == 198
    assert percentile([5.0], 99) == 5.0


def test_every_aim_is_told_also_when_nothing_was_measured() -> None:
    rows = aims.markdown(Report()).splitlines()[2:]
    assert len(rows) == len(aims.AIMS)
    assert all(row.endswith("| – | not measured |") for row in rows)


@pytest.mark.parametrize(
    ("says", "figure", "rounds", "told"),
    [
        ("`up` on a prepared", figures.READY, {HOST: [7.0, 9.0, 7.5]}, "reached"),
        ("`up` on a prepared", figures.READY, {HOST: [8.0]}, "**not reached**"),
        ("the same with Compose", figures.READY, {COMPOSE: [14.0]}, "reached"),
        ("`up` when all runs", figures.AGAIN, {HOST: [1.2]}, "**not reached**"),
        ("redeploy", figures.REDEPLOY, {HOST: [0.9]}, "reached"),
        ("`up` to first", figures.FIRST, {HOST: [5.0], LOCALSTACK: [10.0]}, "reached"),
        ("`up` to first", figures.FIRST, {HOST: [5.1], LOCALSTACK: [10.0]}, "**not reached**"),
        ("write to handler, p50: under", figures.HANDLED, {HOST: [59.0]}, "reached"),
        ("write to handler, p50: at", figures.HANDLED, {HOST: [5.0], MINISTACK: [5.0]}, "reached"),
        (
            "write to handler, p99",
            figures.HANDLED_P99,
            {HOST: [5.1], MINISTACK: [5.0]},
            "**not reached**",
        ),
        ("write to handler less", figures.AFTER_PUT, {HOST: [4.9]}, "reached"),
        ("write to handler with Compose", figures.HANDLED, {HOST: [5], COMPOSE: [6.5]}, "reached"),
        (f"{SMALL}: at least", SMALL, {HOST: [8], ALONE: [10]}, "reached"),
        (f"{LARGE}: at least", LARGE, {HOST: [7], ALONE: [10]}, "**not reached**"),
        ("CPU", figures.idle_cpu(60), {HOST: [0.9]}, "reached"),
        ("CPU", figures.idle_cpu(10), {HOST: [0.9]}, "not measured"),
    ],
)
def test_an_aim_is_judged_by_the_median(
    says: str, figure: str, rounds: dict[str, list[float]], told: str
) -> None:
    assert verdict(report_of(figure, "", rounds), says).split(" | ")[1] == told


@pytest.mark.parametrize(
    ("ours", "alone", "told"),
    [
        (11, 20, "reached"),
        (9, 20, "**not reached**"),
        (9, 9.5, "the ceiling does not allow it"),
    ],
)
def test_ministacks_rate_is_to_be_beaten_if_the_ceiling_allows(
    ours: float, alone: float, told: str
) -> None:
    rounds = {HOST: [ours], ALONE: [alone], MINISTACK: [10.0]}
    report = report_of(SMALL, "records/s", rounds, "higher")
    row = verdict(report, f"{SMALL}: MiniStack's")
    assert row == f"×{ours / 10:.2f}; the ceiling is at ×{alone / 10:.2f} | {told}"


def test_an_item_of_many_is_compared_with_one_of_few_in_the_same_round() -> None:
    report = report_of(SMALL, "records/s", {HOST: [1_000.0, 500.0]}, "higher")
    add(report, LARGE, "records/s", {HOST: [1_100.0, 600.0]}, "higher")
    assert verdict(report, "no slower") == "×1.15 (1.10 to 1.20) | reached"


def test_memory_is_stated_with_its_parts() -> None:
    report = report_of(figures.MEMORY, "MiB", {HOST: [600.0]})
    add(report, figures.memory_of("the engine itself"), "MiB", {HOST: [350.0]})
    add(report, figures.memory_of("DynamoDB Local (Java)"), "MiB", {HOST: [250.0]})
    assert verdict(report, "memory") == (
        "600 MiB: the engine itself 350, DynamoDB Local (Java) 250 | stated"
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Subjects in the order they are measured; none is started."""
    order: list[str] = []

    def measure(subject: Subject, plan: Plan, report: Report, of_requests: Report) -> None:
        order.append(subject.name)
        if subject.name == COMPOSE and report.round == 1:
            raise SubjectError("compose: up ended with 4:\nno daemon answers")
        report.add("put", "ms", subject.name, [4.0 if subject.name == HOST else 5.0])

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "_prepare", lambda subject: None)
    monkeypatch.setattr(machine, "describe", lambda progress: {"processor": "2 cores"})
    return order


def test_engines_stand_in_one_table_with_ratios_to_the_host(measured: list[str]) -> None:
    ended = CliRunner().invoke(bench.main, ["--engine", "compose", "--no-peers", "--rounds", "1"])
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines()[:5] == [
        "Figures",
        "",
        "| figure | streamdev host | streamdev compose |",
        "|---|---|---|",
        "| put [ms] | 4.00 | 5.00, ×1.25 |",
    ]


def test_rounds_take_the_subjects_in_turns(measured: list[str]) -> None:
    ended = CliRunner().invoke(bench.main, ["--rounds", "2"])
    assert ended.exit_code == 0, ended.output
    forwards = [HOST, ALONE, MINISTACK, LOCALSTACK]
    assert measured == [*forwards, *reversed(forwards)]


def test_what_fails_is_told_and_the_rest_is_measured(measured: list[str]) -> None:
    arguments = ["--engine", "compose", "--no-peers", "--rounds", "3"]
    ended = CliRunner().invoke(bench.main, arguments)
    assert ended.exit_code == 1
    assert "| put [ms] | 4.00 | 5.00, ×1.25 |" in ended.stdout
    assert ended.stderr.endswith(
        "Could not be measured:\n"
        "streamdev compose, round 2 of 3: compose: up ended with 4:\nno daemon answers\n"
    )
    assert measured.count(HOST) == 3


def test_an_unknown_engine_is_refused() -> None:
    ended = CliRunner().invoke(bench.main, ["--engine", "podman"])
    assert ended.exit_code == 2
    assert "'podman' is not one of 'host', 'compose'" in ended.output


def test_a_part_of_growth_is_not_published() -> None:
    ended = CliRunner().invoke(growth.main, ["--only", "batches", "--docs"])
    assert ended.exit_code == 2
    assert "leave --only out" in ended.output


def test_the_page_is_made_from_what_was_kept(tmp_path: Path) -> None:
    report = report_of("put", "ms", {HOST: [4.0, 8.0], MINISTACK: [5.0, 10.0]})
    found = Results(
        {"processor": "2 cores"}, "2 rounds", {page.FIGURES: report, page.REQUESTS: Report()}
    )
    found.failures.append("MiniStack, round 3: it ended with 1:\nTraceback")
    kept = page.kept(tmp_path, page.BENCH)
    found.save(kept)
    text = page.render({page.BENCH: Results.load(kept)})
    assert report.markdown() in text
    assert "| processor | 2 cores |\n| work | 2 rounds |\n" in text
    assert "- MiniStack, round 3: it ended with 1:\n" in text
    assert "| not measured |" in text
    assert "Not measured yet: `make growth ARGS=--docs`." in text
    assert "Not measured yet: `make profile ARGS=--docs`." in text
    assert "<!--" not in text


STACKS = """\
<module> (/py/lib/python3.13/runpy.py:9);serve (/s/.streamdev/plugins/streamdev/plugins/log.py:3) 25
read (/e/site-packages/twisted/web/http.py:1);dumps (/py/lib/python3.13/json/__init__.py:2) 50
main (/e/run.py:1);_find_and_load (<frozen importlib._bootstrap>:1);\
<module> (/e/site-packages/moto/core.py:1);compile (/py/lib/python3.13/re/__init__.py:1) 75
main (/e/run.py:1);_find_and_load (<frozen importlib._bootstrap>:1);\
<module> (/py/lib/python3.13/ssl.py:1) 100
"""


def test_samples_tell_which_package_computes_and_which_is_imported(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text(STACKS)
    samples = Samples.read(tmp_path / "raw")
    assert samples.by_package() == {
        "Python": 0.4,
        "moto": 0.3,
        "twisted": 0.2,
        "streamdev/plugins/log": 0.1,
    }
    assert samples.by_import() == {"Python": 0.4, "moto": 0.3, "": pytest.approx(0.3)}


def test_a_subject_can_be_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(self: Streamdev, *words: str) -> float:
        assert (self.folder / "pipelines.toml").is_file()
        ran.append(words[0])
        return 1.0

    monkeypatch.setattr(Streamdev, "run", run)
    subject = Streamdev()
    for _ in range(2):
        with running(subject) as seconds:
            subject.edit_handler(1)
            assert seconds == 1.0
        assert not subject.folder.exists()
    assert ran == ["up", "down"] * 2


def test_a_peer_that_ends_at_once_is_told_with_its_output() -> None:
    server = Server("Peer", [sys.executable, "-c", "raise SystemExit('no port')"], {})
    with pytest.raises(SubjectError, match="Peer ended with 1:\nno port"):
        server.wait_until(lambda: False)
    server.stop()


def test_the_handlers_notes_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(handler, "_notes", tmp_path.joinpath)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    records = [{"dynamodb": {"Keys": {"id": {"S": key}}}} for key in ("a", "b", "a")]
    for record in records:
        handler.lambda_handler({"Records": [record]}, None)

    def tell(what: str) -> object:
        return json.loads(json.dumps(handler.tell({"tell": what, "of": ["f"]}, None)))[0]

    assert tell("count") == 3
    arrivals = tell("arrivals")
    assert isinstance(arrivals, dict)
    assert arrivals.keys() == {"a", "b"}
    assert arrivals["a"] <= arrivals["b"] <= tell("last")
    tell("clear")
    assert tell("count") == 0
