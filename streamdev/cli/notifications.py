"""notifications: what a pipeline's function published to its topics."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click
from rich.text import Text

from streamdev.aws.errors import AwsNotFoundError
from streamdev.aws.queues import Message, Queues
from streamdev.cli.context import Context, pass_context
from streamdev.cli.options import common_options, pipeline_option
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError, NotFoundError
from streamdev.observe.notifications import Notification, notification
from streamdev.observe.render import escaped

# Nobody else sees a message for so long if this command is killed while it looks.
HOLD_S = 30
# Not SQS's long polling: a poll whose caller was interrupted would take what is put back.
POLL_INTERVAL_S = 0.3


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is published next.")
@pipeline_option
@common_options
@pass_context
def notifications(ctx: Context, follow: bool, pipeline: str | None) -> None:
    """Show what a pipeline's function published to its topics, oldest first.

    Read from the queues that pipelines.toml subscribes to the topics; the messages stay there.
    For each: the time, the topic, the subject and the message. With --json there is one document
    a line, following or not.

    Examples:
      ./dev.py notifications
      ./dev.py notifications -f -p user-profile
      ./dev.py notifications --json
    """
    require(ctx.engine)
    names = _queues(ctx, pipeline)
    reader = _Reader(ctx.gateway.queues)
    with reader.releasing():
        urls = {name: _url(ctx, name) for name in names}
        first = [found for url in urls.values() for found in reader.all(url)]
        for found in sorted(first, key=lambda found: found.at):
            _show(ctx, found)
        while follow:
            time.sleep(POLL_INTERVAL_S)
            for url in urls.values():
                for found in reader.next(url):
                    _show(ctx, found)


def _queues(ctx: Context, pipeline: str | None) -> list[str]:
    declared = ctx.project.pipeline(pipeline)
    names = [one.sqs for topic in declared.topics for one in topic.subscriptions]
    if not names:
        raise InvalidInputError(
            f"Pipeline {declared.name!r} has no topic with a subscribed queue.",
            hint="Name another with -p, or declare one: see topics in docs/pipelines.md.",
        )
    return list(dict.fromkeys(names))


def _url(ctx: Context, name: str) -> str:
    try:
        return ctx.gateway.queues.url(name)
    except AwsNotFoundError as error:
        raise NotFoundError(
            f"There is no queue {name!r} in the engine.", hint="Make it: ./dev.py deploy"
        ) from error


@dataclass
class _Reader:
    """Reads queues without emptying them: messages are held and put back, each told once."""

    queues: Queues
    _seen: set[str] = field(default_factory=set)
    _held: dict[str, dict[str, Message]] = field(default_factory=dict)

    @contextmanager
    def releasing(self) -> Iterator[None]:
        """Put back what is held at the end, however it comes."""
        try:
            yield
        finally:
            for url, held in self._held.items():
                self.queues.release(url, held.values())

    def all(self, url: str) -> list[Notification]:
        """What the queue holds."""
        return self._take(url, self.queues.collect(url, hold_s=HOLD_S))

    def next(self, url: str) -> list[Notification]:
        """What came meanwhile."""
        return self._take(url, self.queues.receive(url, hold_s=HOLD_S))

    def _take(self, url: str, messages: list[Message]) -> list[Notification]:
        self._held.setdefault(url, {}).update({message.id: message for message in messages})
        # A topic with several queues sends the same notification to each.
        found = {one.id: one for one in map(notification, messages) if one.id not in self._seen}
        self._seen |= found.keys()
        return list(found.values())


def _show(ctx: Context, found: Notification) -> None:
    if ctx.settings.json:
        ctx.print_json(_document(found))
        return
    message = found.message
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    line = Text.assemble(
        (f"{found.at.astimezone():%H:%M:%S.%f}"[:-3], "dim"),
        "  ",
        (f"{escaped(found.topic)}  " if found.topic else "", "dim"),
        (f"{escaped(found.subject)}  " if found.subject else "", "bold"),
        escaped(text),
    )
    ctx.out.print(line)


def _document(found: Notification) -> dict[str, Any]:
    return {
        "id": found.id,
        "at": found.at.isoformat(),
        "topic": found.topic,
        "subject": found.subject,
        "message": found.message,
    }


COMMANDS: list[click.Command] = [notifications]
