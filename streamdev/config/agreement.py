"""What only shows when pipelines are compared: names that stand for two different things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamdev.config.models import Pipeline

#: The path of a key, and what is wrong with it.
Disagreement = tuple[tuple[str | int, ...], str]


def disagreements(pipelines: Iterable[Pipeline]) -> Iterator[Disagreement]:
    """Tables, topics, queues and variables that are declared in two ways."""
    pipelines = list(pipelines)
    streams = {pipeline.table.name for pipeline in pipelines}
    failures = {
        pipeline.mapping.on_failure.sqs
        for pipeline in pipelines
        if pipeline.mapping.on_failure is not None
    }
    seen: dict[tuple[str, str], tuple[Pipeline, object]] = {}
    for pipeline in pipelines:
        where = ("pipelines", pipeline.name)
        for number, table in enumerate(pipeline.tables):
            path = (*where, "tables", number)
            if table.name in streams:
                yield (
                    path,
                    f"{table.name} is a pipeline's table; tables holds those without a stream",
                )
            declared = table.model_copy(update={"actions": (), "environment_variable": None})
            yield from _same(seen, ("table", table.name), pipeline, declared, path)
        for number, topic in enumerate(pipeline.topics):
            path = (*where, "topics", number)
            alone = topic.model_copy(update={"environment_variable": None})
            yield from _same(seen, ("topic", topic.name), pipeline, alone, path)
            for subscription in topic.subscriptions:
                if subscription.sqs in failures:
                    yield (
                        (*path, "subscriptions"),
                        f"{subscription.sqs} is a failure destination; notifications need a "
                        "queue of their own",
                    )
        yield from _variables(pipeline, where)


def _same(
    seen: dict[tuple[str, str], tuple[Pipeline, object]],
    what: tuple[str, str],
    pipeline: Pipeline,
    declared: object,
    path: tuple[str | int, ...],
) -> Iterator[Disagreement]:
    owner, first = seen.setdefault(what, (pipeline, declared))
    if owner is pipeline and first is not declared:
        yield path, f"{what[1]} is declared twice"
    elif first != declared:
        yield path, f"{what[1]} is declared otherwise by pipeline {owner.name!r}"


def _variables(pipeline: Pipeline, where: tuple[str, str]) -> Iterator[Disagreement]:
    taken = set(pipeline.function.environment)
    named: list[tuple[str, int, str | None]] = [
        *(("tables", n, table.environment_variable) for n, table in enumerate(pipeline.tables)),
        *(("topics", n, topic.environment_variable) for n, topic in enumerate(pipeline.topics)),
    ]
    for part, number, variable in named:
        if variable is None:
            continue
        if variable in taken:
            path: tuple[str | int, ...] = (*where, part, number, "environment-variable")
            yield path, f"the function has another {variable}"
        taken.add(variable)
