"""A pipeline as a test sees it: write items, wait for their records, look at what was handled."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Any

from streamdev.cli.context import Context
from streamdev.cli.deploy import deploy_project
from streamdev.cli.item_wait import unchanged
from streamdev.config.load import load_project
from streamdev.config.models import Pipeline, Project
from streamdev.deploy.isolated import isolated
from streamdev.deploy.remove import remove_pipeline
from streamdev.errors import EngineNotRunningError, InvalidInputError
from streamdev.observe.follow import entries, output, read_from
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.records import Outcome, Processed
from streamdev.observe.render import key_text
from streamdev.observe.waiting import Write
from streamdev.observe.why import Question, why_text
from streamdev.semantics import items, values
from streamdev.semantics.items import Item, KeySchema
from streamdev.semantics.values import ValueRefusedError
from streamdev.testing.session import SessionEngine, quiet_context

TIMEOUT_S = 30.0
OUTPUT_LINES = 15


class NotHandledError(AssertionError):
    """A write's record did not end as the test expects it to; the message tells its story."""


@dataclass
class TestedPipeline:
    """A pipeline's copy, for one test.

    Attributes:
        name: The pipeline's name in pipelines.toml.
        table: The name of its table in the engine.
        function: The name of its function in the engine.
        names: Its own name for each table, topic, queue and bucket that pipelines.toml names.
        engine: The engine it is deployed to.
    """

    __test__ = False

    name: str
    table: str
    function: str
    names: Mapping[str, str]
    engine: SessionEngine
    _declared: Pipeline = field(repr=False)
    _context: Context = field(repr=False)
    _began: datetime = field(repr=False, default_factory=lambda: datetime.now(UTC))
    _writes: list[Write] = field(repr=False, default_factory=list)

    def put(self, item: Mapping[str, Any] | None = None, /, **attributes: Any) -> Write:
        """Write an item: a plain dictionary or DynamoDB JSON, or attributes by name.

        Numbers are ``int`` or ``Decimal``, as boto3 has it.

        Raises:
            InvalidInputError: DynamoDB would not take it.
        """
        new = self._item({**(item or {}), **attributes})
        at = datetime.now(UTC)
        response = self._items.put(self.table, _boto(new), ReturnValues="ALL_OLD")
        old = _text(response["Attributes"]) if "Attributes" in response else None
        return self._wrote(Write(self.table, self._schema.key_of(new), old, new, at))

    def delete(self, *key: Any) -> Write:
        """Delete the item with this key: the partition key's value, then the sort key's."""
        wanted = self._key(key)
        at = datetime.now(UTC)
        old = self._items.delete(self.table, _boto(wanted))
        return self._wrote(Write(self.table, wanted, None if old is None else _text(old), None, at))

    def get(self, *key: Any) -> dict[str, Any] | None:
        """The item with this key, numbers as ``Decimal``; ``None`` if there is none."""
        found = self._items.get(self.table, _boto(self._key(key)))
        return None if found is None else _plain(found)

    def items(self) -> list[dict[str, Any]]:
        """All items of the table."""
        return [_plain(item) for item in self._items.scan(self.table)]

    def wait_handled(
        self,
        write: Write | None = None,
        *,
        outcome: Outcome = "ok",
        attempts: int = 1,
        timeout: float = TIMEOUT_S,
    ) -> Processed:
        """Wait until the write's record was handled, and return how.

        Args:
            write: What ``put`` or ``delete`` returned; default: the last one.
            outcome: How it has to end: ``ok``, ``error``, ``timeout``, ``crash`` or ``filtered``.
            attempts: So many attempts may end otherwise before it is given up, the last included.
            timeout: Seconds.

        Raises:
            NotHandledError: It ended otherwise, or not in time; the message tells why.
        """
        __tracebackhide__ = True
        if write is None:
            if not self._writes:
                raise InvalidInputError("There is no write to wait for: put an item first.")
            write = self._writes[-1]
        what = f"The record of {key_text(write.key)} in {self.name}"
        if unchanged(write):
            raise NotHandledError(
                f"{what}: the write changed nothing, so the stream has no record of it."
            )
        last: Processed | None = None
        for number, record in enumerate(self._ends(write, timeout), 1):
            if record.outcome == outcome:
                return record
            last = record
            if number >= attempts or record.outcome == "filtered":
                break
        ended = (
            f"ended with {last.outcome}, not {outcome}"
            if last
            else f"was not handled within {timeout:g} s"
        )
        raise NotHandledError(f"{what} {ended}.\n{self._why(write)}")

    def wait_all(self, *, outcome: Outcome = "ok", timeout: float = TIMEOUT_S) -> list[Processed]:
        """Wait until the records of all writes so far were handled; one entry a write.

        Raises:
            NotHandledError: One ended otherwise, or not in time.
        """
        __tracebackhide__ = True
        wanted = [write for write in self._writes if not unchanged(write)]
        return [self.wait_handled(write, outcome=outcome, timeout=timeout) for write in wanted]

    def records(self) -> list[Processed]:
        """Every attempt at every record so far, in the order in which they ended."""
        lines = self._log(since=read_from(self._began), follow=False, stop=threading.Event())
        found = entries(lines, since=self._began, functions=(self.function,))
        return [entry for entry in found if not isinstance(entry, Notice)]

    def output(self) -> list[str]:
        """What the handler printed so far, line by line."""
        lines = self._log(since=self._began, follow=False, stop=threading.Event())
        return [line.text for line in output(lines, functions=(self.function,))]

    def remove(self) -> None:
        """Remove all of it from the engine; an engine that is gone took it along."""
        with suppress(EngineNotRunningError):
            remove_pipeline(self._context.gateway, self._declared)

    def _ends(self, write: Write, timeout: float) -> Iterable[Processed]:
        """The ends of the attempts at the write's record, until the time is over."""
        stop = threading.Event()
        timer = threading.Timer(timeout, stop.set)
        timer.daemon = True
        timer.start()
        try:
            lines = self._log(since=write.at, follow=True, stop=stop)
            for entry in entries(lines, since=write.at, functions=(self.function,)):
                if not isinstance(entry, Notice) and write.made(entry):
                    yield entry
        finally:
            timer.cancel()

    def _why(self, write: Write) -> str:
        """The story of the written item, and what the handler printed."""
        question = Question(
            self.table,
            write.key,
            pipeline=self._declared,
            names=Names.of_project(self._context.project),
            redact=self._declared.table.redact,
            since=write.at,
            selector=f"--table {self.table}",
        )
        log = partial(self._log, since=None, follow=False, stop=threading.Event())
        told = why_text(question, self._context.gateway, log)
        printed = "\n".join(self.output()[-OUTPUT_LINES:]) or "nothing"
        return f"{told}\n\nWhat the handler printed:\n{indent(printed, '  ')}"

    @property
    def _log(self) -> Any:
        return self._context.engine.read_log

    @property
    def _items(self) -> Any:
        return self._context.gateway.items

    @property
    def _schema(self) -> KeySchema:
        table = self._declared.table
        return KeySchema(tuple((key.name, key.type) for key in table.keys), table.attribute_types)

    def _item(self, document: Mapping[str, Any]) -> Item:
        try:
            return items.check_item(items.from_document(dict(document), self._schema), self._schema)
        except ValueRefusedError as error:
            raise InvalidInputError(f"The item is refused: {error}.") from error

    def _key(self, given: tuple[Any, ...]) -> Item:
        schema = self._schema
        names = [name for name, _ in schema.keys]
        if len(given) != len(names):
            raise InvalidInputError(f"The key is {' and '.join(names)}: {len(names)} value(s).")
        try:
            key = {
                name: items.plain_attribute(name, value, schema)
                for name, value in zip(names, given, strict=True)
            }
            items.check_key(key, schema)
        except ValueRefusedError as error:
            raise InvalidInputError(f"The key is refused: {error}.") from error
        return key

    def _wrote(self, write: Write) -> Write:
        self._writes.append(write)
        return write


def deployed(engine: SessionEngine, name: str | None, config: Path | None) -> TestedPipeline:
    """A copy of the pipeline called ``name``, deployed under names of its own.

    Args:
        engine: Where to.
        name: Which pipeline; ``None``: the first.
        config: Another pipelines.toml than the session's.

    Raises:
        InvalidInputError: The file is wrong, or has no such pipeline.
        DeployError: It could not be brought about; what was made is removed again.
    """
    project = load_project(config or engine.context.config_path)
    original = project.pipeline(name)
    mark = f"t{uuid.uuid4().hex[:10]}"
    pipeline, names = isolated(original, mark)
    context = quiet_context(engine.context.config_path, engine.name)
    # A file that is not there: what it owns is this pipeline, and nothing of the project's.
    path = project.path.with_name(f"{mark}.toml")
    context.project = Project(root=project.root, path=path, pipelines={original.name: pipeline})
    tested = TestedPipeline(
        original.name,
        pipeline.table.name,
        pipeline.function.name,
        names,
        engine,
        pipeline,
        context,
    )
    try:
        deploy_project(context, ())
    except BaseException:
        tested.remove()
        raise
    return tested


def _boto(item: Item) -> Item:
    return {name: values.to_boto(value) for name, value in item.items()}


def _text(item: Item) -> Item:
    return {name: values.from_boto(value) for name, value in item.items()}


def _plain(item: Item) -> dict[str, Any]:
    return {name: values.to_plain(value) for name, value in _text(item).items()}
