"""What is known of a write that was not handled as a test expects it: for its failure's message."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from streamdev.cli.item_wait import mapping_state
from streamdev.observe.follow import entries, output, read_from
from streamdev.observe.names import Names
from streamdev.observe.notices import Notice
from streamdev.observe.render import Renderer

if TYPE_CHECKING:
    from streamdev.cli.context import Context
    from streamdev.config.models import Pipeline
    from streamdev.observe.waiting import Write

OUTPUT_LINES = 15


def story(context: Context, pipeline: Pipeline, write: Write) -> str:
    """The attempts at the write's record, what its mapping did, and what the handler printed.

    This is the one place that says why; it goes by the engine's log and the mapping's state.
    """
    function = pipeline.function.name
    log = context.engine.read_log
    renderer = Renderer(Names.of_project(context.project))
    lines = log(since=read_from(write.at), follow=False, stop=threading.Event())
    told: list[str] = []
    for entry in entries(lines, since=write.at, functions=(function,)):
        if isinstance(entry, Notice):
            if entry.function is not None:
                told += [line.plain for line in renderer.lines(entry)]
        elif write.made(entry):
            told += [line.plain for line in renderer.lines(entry)]
    state = mapping_state(context.gateway, pipeline.table.name, function).lstrip(":; ")
    printed = log(since=write.at, follow=False, stop=threading.Event())
    words = [line.text for line in output(printed, functions=(function,))][-OUTPUT_LINES:]
    parts = [
        ("What the engine's log says", told or ["nothing of it: no function was given the record"]),
        ("The mapping", [state or "is enabled and has reported no problem"]),
        ("What the handler printed", words or ["nothing"]),
    ]
    return "\n".join(
        f"{heading}:\n" + "\n".join(f"  {line}" for line in lines) for heading, lines in parts
    )
