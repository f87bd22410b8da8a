"""``--wait``: following the log until a write was handled, and saying how it went."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.text import Text

from streamdev.aws.names import table_of_stream
from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_output import plain, print_document
from streamdev.cli.item_target import Target
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, TimedOutError
from streamdev.observe.documents import document
from streamdev.observe.names import Names
from streamdev.observe.records import Processed
from streamdev.observe.render import key_text, outcome_lines
from streamdev.observe.waiting import Write, outcome_of
from streamdev.semantics.items import same_item

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT_S = 30.0


def wait_options(function: F) -> F:
    """Give a command ``--wait`` and ``--timeout``."""
    timeout = click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=DEFAULT_TIMEOUT_S,
        show_default=True,
        metavar="SECONDS",
        help="How long --wait waits.",
    )
    wait = click.option(
        "--wait",
        is_flag=True,
        help="Return when the record was handled; exit code 1 if the function failed.",
    )
    return wait(timeout(function))


@dataclass(frozen=True)
class Report:
    """Tells what a write did and, if it is waited for, how its record was handled.

    Make it before the write, so that what can't be waited for is refused before anything changes.
    """

    ctx: Context
    target: Target
    wait: bool
    timeout: float

    def __post_init__(self) -> None:
        if self.wait and not require(self.ctx.engine).has_plugins:
            raise InvalidInputError(
                "--wait needs an engine with streamdev's plugins; an external one has none.",
                hint="Use the host or the compose engine, or leave --wait out.",
            )
        # What takes long at the first call must not count as the write's time.
        self.ctx.gateway.client("dynamodb")

    def finish(self, write: Write, did: str) -> int:
        """Say what was done and wait if asked to; the exit code of the command.

        Args:
            write: What was written, with the item as it was before.
            did: What was done, e.g. ``created``; replaced by ``unchanged`` where nothing changed.

        Raises:
            TimedOutError: The record was not handled in time.
            EngineNotRunningError: The engine died meanwhile.
        """
        changed = not unchanged(write)
        told: dict[str, Any] = {
            "table": write.table,
            "key": plain(write.key),
            "change": did if changed else "unchanged",
        }
        where = f"{key_text(write.key)} in {write.table}"
        if not self.wait or not changed:
            self._say(told, f"{where}: {told['change']}{self._no_record(changed)}")
            return ExitCode.OK
        record = self._wait(write)
        self._show(write, record, told)
        return ExitCode.FAILED if record.failed or record.outcome == "unknown" else ExitCode.OK

    def _no_record(self, changed: bool) -> str:
        return "" if changed or not self.wait else ", so the stream has no record of it"

    def _say(self, told: dict[str, Any], text: str) -> None:
        if self.ctx.settings.json:
            if self.wait:
                told = {**told, "outcome": "unchanged"}
            print_document(self.ctx, told)
        else:
            self.ctx.err.print(Text(text))

    def _wait(self, write: Write) -> Processed:
        pipeline = self.target.pipeline
        function = pipeline.function.name if pipeline else None
        stop = threading.Event()
        timer = threading.Timer(self.timeout, stop.set)
        timer.daemon = True
        timer.start()
        lines = self.ctx.engine.read_log(since=write.at, follow=True, stop=stop)
        try:
            record = outcome_of(write, lines, function)
        finally:
            timer.cancel()
        if record is None:
            require(self.ctx.engine)
            from streamdev.cli.why import question_of

            question = question_of(self.ctx, self.target, write.key)
            state = mapping_state(self.ctx.gateway, self.target.table, function)
            raise TimedOutError(
                f"The record of {key_text(write.key)} in {write.table} was not handled within "
                f"{self.timeout:g} s{state}.",
                hint=f"Find out why: {question.command('why')}",
            )
        return record

    def _show(self, write: Write, record: Processed, told: dict[str, Any]) -> None:
        after_ms = round((record.at - write.at).total_seconds() * 1000, 1)
        names = Names.of_project(self.ctx.project) if self.target.pipeline else Names()
        if self.ctx.settings.json:
            handled = document(record, names)
            kept = ("pipeline", "function", "event_name", "event_id", "outcome", "reason")
            more = ("attempt", "duration_ms", "request_id", "error")
            told |= {name: handled[name] for name in (*kept, *more)}
            print_document(self.ctx, {**told, "handled_after_ms": after_ms})
            return
        name = names.pipeline(record.function) or record.function
        for line in outcome_lines(record, f"{key_text(write.key)} by {name}", after_ms):
            self.ctx.out.print(line)


def mapping_state(gateway: Gateway, table: str, function: str | None) -> str:
    """What is known of the mapping that should have handled a write, as the end of a sentence.

    Args:
        gateway: The engine's API.
        table: The table that was written to.
        function: The mapping's function; ``None``: any.
    """
    own = [
        mapping
        for mapping in gateway.mappings.all()
        if table_of_stream(mapping.source_arn) == table and function in (None, mapping.function)
    ]
    if not own:
        return ": no event source mapping reads the table's stream"
    states = {mapping.state for mapping in own} - {"Enabled"}
    if states:
        return f": its event source mapping is {' and '.join(sorted(states))}"
    last = next((mapping.last_result for mapping in own if mapping.last_result), None)
    return f"; its event source mapping's last result: {last}" if last else ""


def unchanged(write: Write) -> bool:
    """Whether the write changed nothing, so that the stream has no record of it."""
    if write.old is None or write.new is None:
        return write.old is write.new
    return same_item(write.old, write.new)
