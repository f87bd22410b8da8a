"""A copy of a pipeline under names that nothing else has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from streamdev.config.models import Destination, Pipeline
from streamdev.deploy import topics

# The shortest limits of AWS's names: a bucket's, a function's and an API's, a queue's.
_LIMITS = {"table": 255, "function": 64, "api": 64, "sqs": 80, "sns": 256, "s3": 63}


def isolated(pipeline: Pipeline, mark: str) -> tuple[Pipeline, Mapping[str, str]]:
    """The pipeline with every name ending in ``mark``, and the new name of each old one.

    Variables of the function that hold one of the names get the new one. The table is new, so the
    mapping reads it from its beginning.
    """
    names = _names(pipeline, mark)
    function, mapping = pipeline.function, pipeline.mapping
    environment = {name: _renamed(value, names) for name, value in function.environment.items()}
    failure = mapping.on_failure
    if failure is not None:
        failure = Destination.model_validate({failure.service: names[failure.name]})
    copy = pipeline.model_copy(
        update={
            "table": pipeline.table.model_copy(update={"name": names[pipeline.table.name]}),
            "function": function.model_copy(
                update={
                    "name": _with(function.name, mark, _LIMITS["function"]),
                    "environment": environment,
                }
            ),
            "mapping": mapping.model_copy(
                update={"starting_position": "TRIM_HORIZON", "on_failure": failure}
            ),
            "tables": tuple(
                table.model_copy(update={"name": names[table.name]}) for table in pipeline.tables
            ),
            "topics": tuple(
                topic.model_copy(
                    update={
                        "name": names[topic.name],
                        "subscriptions": tuple(
                            one.model_copy(update={"sqs": names[one.sqs]})
                            for one in topic.subscriptions
                        ),
                    }
                )
                for topic in pipeline.topics
            ),
            "api": pipeline.api
            and pipeline.api.model_copy(
                update={"name": _with(pipeline.api.name, mark, _LIMITS["api"])}
            ),
        }
    )
    return copy, names


def _names(pipeline: Pipeline, mark: str) -> dict[str, str]:
    tables = (pipeline.table.name, *(table.name for table in pipeline.tables))
    names = {table: _with(table, mark, _LIMITS["table"]) for table in tables}
    for service, name in topics.destinations([pipeline]):
        names[name] = _with(name, mark, _LIMITS[service])
    return names


def _with(name: str, mark: str, limit: int) -> str:
    return f"{name[: limit - len(mark) - 1]}-{mark}"


def _renamed(value: str, names: Mapping[str, str]) -> str:
    """The value of a variable with old names, alone or within an ARN or a URL, made new."""
    for old in sorted(names, key=len, reverse=True):
        # Once renamed, a name is followed by a dash and not found again.
        value = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w.-])", names[old], value)
    return value
