"""chaos and verify: trouble between stream and function, and whether a function bears it."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli import main
from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from tests.support.project import Project, Result, eventually, unique
from tests.support.terminal import at_a_terminal

# Notes an order's amount, which a duplicate does not spoil, and counts orders, which it does.
HANDLER = """\
import os
import time

import boto3

table = boto3.client("dynamodb")


def write(key, update, **values):
    table.update_item(
        TableName=os.environ["TOTALS"],
        Key={"id": key},
        UpdateExpression=update,
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def lambda_handler(event, context):
    for record in event["Records"]:
        order = record["dynamodb"]["NewImage"]
        if "fail" in order:
            raise ValueError("asked to fail")
        at = {"N": str(time.time())}
        write(order["id"], "SET amount = :a, handled_at = :at", a=order["amount"], at=at)
        if os.environ["COUNTS"] == "yes":
            write(order["customer"], "ADD orders :one", one={"N": "1"})
"""

PIPELINE = """\
[pipelines.{name}]
table = {{ name = "{mark}-{name}", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }}
mapping = {{ starting-position = "TRIM_HORIZON", {mapping} }}
tables = [{{ name = "{mark}-{name}-totals", key = "id:S", environment-variable = "TOTALS" }}]

[pipelines.{name}.function]
name = "{mark}-{name}"
source = "lambda_src/{mark}"
handler = "handler.lambda_handler"
runtime = "python3.13"
timeout = 30
environment = {{ COUNTS = "{counts}" }}

"""
ONE = "batch-size = 1, maximum-retry-attempts = 2"
SEVERAL = "batch-size = 6, maximum-batching-window = 1"


class Shop:
    """Pipelines of orders: ``counts`` counts them, ``sets`` and ``ones`` only note them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.mark = unique("shop")
        project.write_handler(self.mark, HANDLER)
        pipelines = (("counts", SEVERAL, "yes"), ("sets", SEVERAL, "no"), ("ones", ONE, "no"))
        text = "".join(
            PIPELINE.format(mark=self.mark, name=name, mapping=mapping, counts=counts)
            for name, mapping, counts in pipelines
        )
        project.write_pipelines(text, f"{self.mark}.toml")
        self.run("deploy")

    def args(self, *args: str) -> tuple[str, ...]:
        return (*args, "--config", f"{self.mark}.toml")

    def run(self, *args: str, **options: Any) -> Result:
        return self.project.run(*self.args(*args), **options)

    def refused(self, *args: str, code: ExitCode = ExitCode.USAGE) -> str:
        """The one or two lines in which a command is refused."""
        told = io.StringIO()
        context = Context(
            environ=self.project.environ,
            stdout=io.StringIO(),
            stderr=told,
            cwd=self.project.root,
        )
        # In this process: it is the words that count, and there are many.
        given = ["--port", str(self.project.port), "--engine", self.project.engine]
        config = ["--config", str(self.project.root / f"{self.mark}.toml")]
        ended = main.run([*given, *args, *config], context)
        assert ended == code, told.getvalue()
        # Click puts the command's usage before what is wrong with an option.
        assert len(told.getvalue().strip().splitlines()) <= 4, told.getvalue()
        return told.getvalue()

    def order(self, pipeline: str, *items: dict[str, Any]) -> None:
        lines = "".join(json.dumps(item) + "\n" for item in items)
        self.run("put-item", "-p", pipeline, "--file", "-", stdin=lines)

    def events(self, pipeline: str, kind: str) -> list[dict[str, Any]]:
        """What the engine's log tells of a pipeline's function."""
        function = f"{self.mark}-{pipeline}"
        found = self.project.events()
        return [one for one in found if one["event"] == kind and one.get("function") == function]

    def deeds(self, pipeline: str) -> list[dict[str, Any]]:
        return self.events(pipeline, "mapping.chaos")

    def mapping(self, pipeline: str) -> dict[str, Any]:
        """What the plugins tell of a pipeline's mapping."""
        found = self.project.gateway.control.mappings()
        (own,) = (one for one in found if one["function"] == f"{self.mark}-{pipeline}")
        return own

    def status(self, pipeline: str) -> dict[str, Any]:
        """What status tells of a pipeline's mapping."""
        found = self.run("status", "--json").json()["mappings"]
        own: dict[str, Any]
        (own,) = (one for one in found if one["function"] == f"{self.mark}-{pipeline}")
        return own

    def done(self, pipeline: str, count: int) -> None:
        """Wait until so many records have been handled or given up, and none waits."""

        def all_done() -> bool:
            state = self.mapping(pipeline)
            total: int = state["handled"] + state["failed"]
            return total >= count and not state["backlog"]

        eventually(all_done, timeout=120, what=f"{count} records of {pipeline}")

    def ended(self, pipeline: str) -> None:
        """Wait until the chaos is over."""
        eventually(lambda: self.deeds(pipeline)[-1]["deed"] == "end", what="chaos ends")

    @contextmanager
    def chaos(self, pipeline: str, *args: str) -> Iterator[subprocess.Popen[str]]:
        """The command, from when there is chaos until it is ended by Ctrl-C's signal."""
        before = len(self.deeds(pipeline))
        with self.project.running(*self.args("chaos", pipeline, *args)) as process:
            eventually(lambda: len(self.deeds(pipeline)) > before, what="chaos begins")
            yield process

    def copies(self) -> list[str]:
        """What there is of copies in the engine."""
        gateway = self.project.gateway
        names = [*gateway.tables.names(), *gateway.functions.names()]
        return [name for name in names if "streamdev-verify" in name and self.mark in name]


@pytest.fixture(scope="module")
def shop(project: Project) -> Shop:
    return Shop(project)


ORDERS = tuple(
    {"id": f"o{number}", "customer": f"c{number % 3}", "amount": number} for number in range(9)
)


def test_a_function_that_counts_is_found_not_to_be_idempotent(shop: Shop) -> None:
    shop.order("counts", *ORDERS, {**ORDERS[0], "amount": 100})
    shop.done("counts", len(ORDERS) + 1)
    invoked = len(shop.events("counts", "invocation.start"))
    told = shop.run("verify", "counts", "--within-keys", check=False)
    assert told.exit_code == ExitCode.FAILED, str(told)
    lines = told.stdout.splitlines()
    assert lines[-1] == "counts is not idempotent: twice, again, out-of-order."
    totals = f"{shop.mark}-counts-totals"
    # Each customer's orders were counted twice; which one is named first, the table decides.
    doubled = rf" +{totals} c\d: orders (3 → 6|4 → 8) \(and 2 more\)"
    for way in ("twice", "again"):
        (number,) = (n for n, line in enumerate(lines) if line.startswith(f"differs  {way} "))
        assert re.fullmatch(doubled, lines[number + 1]), told.stdout
    assert f"         {totals} o0: amount 100 → 0" in lines
    assert "same     split" in told.stdout
    assert "same     reordered" in told.stdout
    assert f"Not compared, another one each time: {totals}.handled_at." in told.stderr
    # Nothing of it came to the pipeline itself, and nothing is left.
    assert len(shop.events("counts", "invocation.start")) == invoked
    assert shop.copies() == []


def test_a_function_that_handles_nothing_is_said_to(shop: Shop, tmp_path: Path) -> None:
    shop.order("ones", {"id": "bad", "customer": "c", "amount": 1, "fail": True})
    eventually(lambda: "bad" in map(_key, _dead(shop)), what="given up")
    shop.run("record", "-p", "ones", "--key", "bad", "-o", str(tmp_path))
    told = shop.run("verify", "ones", str(tmp_path), check=False)
    assert told.exit_code == ExitCode.FAILED
    assert "handled none of the records: ValueError: asked to fail" in told.stderr


def test_the_user_profile_pipeline_is_idempotent(project: Project, tmp_path: Path) -> None:
    key = unique("profile")
    for item in (f"id={key} name=Ada age:=1", f"id={key} name=Ada age:=2", f"id={key}-2 age:=-1"):
        project.run("put-item", "-p", "user-profile", *item.split(), "--wait")
    for own, last in ((key, "2"), (f"{key}-2", "1")):
        where = ("-p", "user-profile", "-o", str(tmp_path))
        project.run("record", "-n", last, "--key", own, *where)
    told = project.run("verify", "user-profile", str(tmp_path), "--json").json()
    assert told["idempotent"]
    assert told["plain"]["places"]["profile-updates"] == 3
    assert "UserProfileVersions.expires" in told["not_compared"]


def test_ctrl_c_removes_the_copy(shop: Shop) -> None:
    before = shop.mapping("counts")["handled"]
    shop.order("counts", {"id": "late", "customer": "late", "amount": 1})
    shop.done("counts", before + 1)
    code, shown = at_a_terminal(
        shop.project,
        *shop.args("verify", "counts"),
        steps=[("each batch twice in a row", None)],
    )
    assert code == ExitCode.INTERRUPTED, shown
    assert "Traceback" not in shown
    assert shop.copies() == []


def test_chaos_is_told_as_chaos_and_ends_with_the_command(shop: Shop) -> None:
    with shop.chaos("ones", "--throttle", "100%", "--seed", "1"):
        assert "chaos for" in shop.refused("chaos", "ones", "--fail", "1")
        shop.order("ones", {"id": "t", "customer": "t", "amount": 1})
        # Its retries are seconds apart by then, so that it is seen in one.
        eventually(lambda: len(shop.deeds("ones")) > 5, what="throttles")
        assert f"Chaos for {shop.mark}-ones: throttle 100%; seed 1." in shop.run("status").stdout
        told = shop.status("ones")["chaos"]
        assert (told["shares"]["throttle"], told["seed"]) == (1, 1)
        assert set(told["deeds"]) == {"throttle"}
        assert shop.status("sets")["chaos"] is None
        why = shop.run("why", "t", "-p", "ones", "--json", check=False).json()
        assert why["findings"][0]["check"] == "chaos"
        assert not why["findings"][0]["ok"]
    # What was throttled goes on at once.
    eventually(lambda: shop.run("why", "t", "-p", "ones", "--json", check=False).json()["ok"])
    assert "Chaos for" not in shop.run("status").stdout
    told = shop.run("why", "t", "-p", "ones").stdout
    assert "chaos  attempt 1 at 1 record throttled, the function was not run" in told

    code, shown = at_a_terminal(
        shop.project,
        *shop.args("chaos", "ones", "--fail", "100%", "--no-color"),
        steps=[
            ("until Ctrl-C", lambda: shop.order("ones", {"id": "f", "customer": "f", "amount": 1})),
            ("chaos: attempt 3 at 1 record failed", None),
        ],
    )
    assert code == ExitCode.INTERRUPTED, shown
    assert "All is as before. What was done: 3 fail." in shown
    assert "Traceback" not in shown
    shop.ended("ones")
    eventually(lambda: "f" in map(_key, _dead(shop)), what="given up")
    why = shop.run("why", "f", "-p", "ones", check=False)
    assert "./dev.py chaos failed it 3 times, not the function" in why.stdout
    logs = shop.run("logs", "-p", "ones").stdout
    assert "chaos: attempt 3 at 1 record failed, the function was not run" in logs
    assert "chaos: ends: 3 fail" in logs
    failed = shop.run("logs", "-p", "ones", "--json", "--outcome", "failed").json_lines()
    assert {one["keys"]["id"] for one in failed} <= {"bad"}


def test_the_same_seed_does_the_same_and_a_killed_command_leaves_nothing(shop: Shop) -> None:
    def orders(mark: str) -> list[dict[str, Any]]:
        return [{"id": f"{mark}{n}", "customer": mark, "amount": n} for n in range(15)]

    stories = []
    handled = _handled(shop)
    for mark in "xy":
        begun = len(shop.deeds("ones"))
        shares = ("--fail", "20%", "--duplicate", "0.3", "--delay", ".2", "--delay-for", "0.1")
        with shop.chaos("ones", *shares, "--seed", "4") as process:
            shop.order("ones", *orders(mark))
            eventually(lambda: _handled(shop) >= handled + 15, timeout=120)  # noqa: B023
            if mark == "y":
                process.kill()
                # Nobody renews it any more.
                shop.ended("ones")
        shop.ended("ones")
        handled += 15
        stories.append([(one["deed"], one.get("attempt")) for one in shop.deeds("ones")[begun:]])
    assert stories[0] == stories[1]
    assert {deed for deed, _ in stories[0]} == {"begin", "fail", "duplicate", "delay", "end"}
    # A duplicate is one more invocation with the same record.
    starts = [s["records"][0]["keys"]["id"]["S"] for s in shop.events("ones", "invocation.start")]
    assert all(starts.count(one["id"]) >= 1 for one in orders("x"))
    doubles = sum(starts.count(one["id"]) - 1 for one in orders("x"))
    assert doubles == [deed for deed, _ in stories[0]].count("duplicate")


def test_items_overtake_each_other_and_each_stays_in_order(shop: Shop) -> None:
    count = shop.mapping("sets")["handled"]
    with shop.chaos("sets", "--reorder", "100%", "--split", "100%", "--seed", "3"):
        for number in range(4):
            items = [{"id": key, "customer": key, "amount": number} for key in "pqrs"]
            shop.order("sets", *items)
        shop.done("sets", count + 16)
    assert {"reorder", "split"} <= {one["deed"] for one in shop.deeds("sets")}
    seen: dict[str, list[str]] = defaultdict(list)
    order = []
    for start in shop.events("sets", "invocation.start"):
        for record in start["records"]:
            if record["keys"]["id"]["S"] in set("pqrs"):
                seen[record["keys"]["id"]["S"]].append(record["new"]["amount"]["N"])
                order.append(record["sequence_number"])
    assert dict(seen) == {key: ["0", "1", "2", "3"] for key in "pqrs"}
    assert order != sorted(order)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("chaos", "no-such"), "no pipeline 'no-such'"),
        (("chaos", "ones", "--fail", "120%"), "'120%' is no share"),
        (("chaos", "ones", "--fail", "often"), "'often' is no share"),
        (("chaos", "ones", "--fail", "0"), "All shares are 0"),
        (("chaos", "ones", "--fail", "1", "--within-keys"), "--within-keys goes with --reorder"),
        (("verify", "no-such"), "no pipeline 'no-such'"),
        (("verify", "ones", "no-such.json"), "no file or folder no-such.json"),
        (("verify", "ones", "pipelines.toml"), "pipelines.toml is no JSON"),
        (("verify", "ones", "other.json"), "other.json: the event holds no records"),
    ],
)
def test_bad_input_is_answered_in_a_line_or_two(
    shop: Shop, args: tuple[str, ...], words: str
) -> None:
    outcome = {"kind": "ok"}
    other = {"version": 1, "pipeline": "ones", "outcome": outcome, "event": {"Records": [1]}}
    (shop.project.root / "other.json").write_text(json.dumps(other))
    code = ExitCode.NOT_FOUND if "file or folder" in words else ExitCode.USAGE
    assert words in shop.refused(*args, code=code)


def test_an_external_engine_has_no_chaos(shop: Shop) -> None:
    url = ("--engine", "external", "--endpoint-url", shop.project.endpoint)
    result = shop.run("chaos", "ones", *url, check=False)
    assert result.exit_code == ExitCode.USAGE
    assert "The external engine has no chaos" in result.stderr


def _handled(shop: Shop) -> int:
    state = shop.mapping("ones")
    return int(state["handled"]) + int(state["failed"])


def _dead(shop: Shop) -> list[dict[str, Any]]:
    control = shop.project.gateway.control
    return [
        control.batch(one["name"])
        for one in control.batches()
        if one["function"] == f"{shop.mark}-ones"
    ]


def _key(batch: dict[str, Any]) -> str:
    key: str = batch["payload"]["Records"][0]["dynamodb"]["Keys"]["id"]["S"]
    return key
