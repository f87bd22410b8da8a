"""Many items into one table: what is refused is told by its number, the rest is written."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from streamdev.aws.bulk import BulkWriter
from streamdev.cli.context import Context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_input import REFUSED, Line, parse_item
from streamdev.cli.item_target import Target
from streamdev.errors import InvalidInputError
from streamdev.observe.render import escaped
from streamdev.semantics.items import Item, item_size


class BulkInput:
    """Writes lines and items of one table.

    Args:
        ctx: Where refusals are told.
        target: The table.
        name: What the lines come from, for errors.
    """

    def __init__(self, ctx: Context, target: Target, name: str) -> None:
        self._ctx = ctx
        self._target = target
        self._name = name
        self._refused: list[tuple[int, str]] = []
        self._writer = BulkWriter(
            ctx.gateway.items, target.table, target.schema.key_of, self._refuse
        )

    @property
    def written(self) -> int:
        """How many items are in the table."""
        return self._writer.written

    def add_line(self, line: Line) -> None:
        """Write the item that a line stands for with the next batch.

        Raises:
            InvalidInputError: The lines are a JSON array.
            StreamdevError: The engine is gone or takes nothing any more.
        """
        if line.error is not None:
            self._refuse(line.number, line.error)
            return
        if line.number == 1 and line.text.startswith("["):
            raise InvalidInputError(
                f"{self._name} is a JSON array; JSON lines are wanted, one object a line.",
                hint="Turn it into lines: jq -c '.[]'",
            )
        try:
            item = parse_item(line.text, self._target.schema)
        except REFUSED as error:
            self._refuse(line.number, str(error))
        else:
            self.add_item(line.number, item)

    def add_item(self, number: int, item: Item) -> None:
        """Write an item, checked already, with the next batch.

        Raises:
            StreamdevError: The engine is gone or takes nothing any more.
        """
        self._writer.add(number, item, item_size(item))

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            StreamdevError: The engine is gone or takes nothing any more.
        """
        self._writer.flush()

    def result(self) -> dict[str, Any]:
        """What was done, as JSON has it."""
        lines = [{"line": number, "reason": reason} for number, reason in sorted(self._refused)]
        return {"table": self._target.table, "written": self.written, "refused": lines}

    def sentence(self, took: str = "") -> str:
        """What was done, for people."""
        refused = f"{len(self._refused):,} refused" if self._refused else "none refused"
        return f"{self.written:,} items written to {self._target.table}{took}, {refused}."

    @property
    def exit_code(self) -> ExitCode:
        """``FAILED`` if anything was refused."""
        return ExitCode.FAILED if self._refused else ExitCode.OK

    def _refuse(self, number: int, reason: str) -> None:
        self._refused.append((number, reason))
        self._ctx.err.print(Text.assemble((f"line {number}: ", "bold"), (escaped(reason), "red")))
