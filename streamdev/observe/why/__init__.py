"""Why an item's change did, or did not, reach its function: the whole story of one item.

`investigate` gathers what is known from the engine's log and from the engine as it is now and
runs the checks; `lines` and `document` show the result to people and scripts, and `why_text` does
all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamdev.observe.why.facts import History, Question
from streamdev.observe.why.findings import Finding
from streamdev.observe.why.history import read_history
from streamdev.observe.why.item_checks import ITEM_CHECKS, engine_down
from streamdev.observe.why.live import look
from streamdev.observe.why.passage_checks import PASSAGE_CHECKS
from streamdev.observe.why.story import Change, Facts, Passage

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

__all__ = ["Answer", "Finding", "Question", "engine_down", "investigate", "why_text"]

ReadLog = Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Told:
    """A change with what the checks say of it.

    Attributes:
        findings: One for a change that never got into the stream, else one for each function.
    """

    change: Change
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all is as it should be."""
        return all(finding.ok for finding in self.findings)


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    Attributes:
        facts: All that is known.
        told: The item's last changes, oldest first.
        findings: What counts: of the newest write; if that changed nothing, also what is in the
            way of the last change that did; if a function wrote it back, also of the last write
            from outside. Never empty.
    """

    facts: Facts
    told: tuple[Told, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the item was handled or filtered out, or was not changed."""
        return all(finding.ok for finding in self.findings)


def investigate(question: Question, gateway: Gateway, read_log: ReadLog | None) -> Answer:
    """Find out what became of an item.

    Args:
        question: Which item.
        gateway: The engine's AWS API.
        read_log: Gives the engine's log from its beginning, each time anew; ``None`` for an
            engine without streamdev's plugins, whose log tells nothing.
    """
    # A key that the log redacts is known there by its records' sequence numbers only.
    hidden = any(name in question.redact for name in question.key)
    plugins = read_log is not None
    known: list[str] = []
    if hidden and read_log is not None:
        live = look(gateway, question, History(), has_plugins=plugins, whole=True)
        known = [record.sequence_number for record in live.records]
    history = read_history(read_log(), question, known) if read_log is not None else History()
    live = look(gateway, question, history, has_plugins=plugins, whole=hidden)
    return answer(Facts(question, history, live))


def answer(facts: Facts) -> Answer:
    """What the checks make of the facts."""
    told = tuple(Told(change, _findings(facts, change)) for change in facts.changes)
    if not told:
        return Answer(facts, (), (_item_finding(facts, None),))
    newest, earlier = told[-1], told[:-1]
    findings = newest.findings
    if newest.change.record is None:
        changed = [one.findings for one in earlier if one.change.record is not None]
        findings += tuple(finding for finding in (changed or [()])[-1] if not finding.ok)
    elif newest.ok and newest.change.written_back:
        outside = [one.findings for one in earlier if not one.change.written_back]
        findings += (outside or [()])[-1]
    return Answer(facts, told, findings)


def _findings(facts: Facts, change: Change) -> tuple[Finding, ...]:
    if change.record is None:
        return (_item_finding(facts, change),)
    return tuple(_passage_finding(facts, passage) for passage in change.passages) or (
        _unread(facts),
    )


def _item_finding(facts: Facts, change: Change | None) -> Finding:
    found = (check(facts, change) for check in ITEM_CHECKS)
    return next(finding for finding in found if finding is not None)


def _passage_finding(facts: Facts, passage: Passage) -> Finding:
    found = (check(facts, passage) for check in PASSAGE_CHECKS)
    return next(finding for finding in found if finding is not None)


def _unread(facts: Facts) -> Finding:
    """No function reads the table at all."""
    text = f"No event source mapping reads the stream of {facts.question.table}."
    return Finding("mapping-missing", text, facts.question.deploy)


def why_text(question: Question, gateway: Gateway, read_log: ReadLog | None) -> str:
    """The story of an item as plain text, for instance for a failing test's message."""
    from streamdev.observe.why.render import lines

    return "\n".join(line.plain for line in lines(investigate(question, gateway, read_log)))
