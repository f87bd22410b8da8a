"""pipelines.toml, read and validated: errors name file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamdev.config.agreement import disagreements
from streamdev.config.locate import line_of
from streamdev.config.models import Pipeline, Project
from streamdev.config.problems import explain
from streamdev.errors import InvalidInputError

SHOWN_AT_MOST = 10


@dataclass(frozen=True)
class Problem:
    """Something wrong in pipelines.toml: the path of the key and what is wrong with it."""

    path: tuple[str | int, ...]
    message: str

    @property
    def key(self) -> str:
        """The path as TOML writes it, list positions in brackets."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


def load_project(path: Path) -> Project:
    """Read and validate the pipelines.toml at ``path``.

    Raises:
        InvalidInputError: It is missing, no TOML, or asks for what AWS would refuse. The
            message has a line for each problem: file, line, key and what is wrong.
    """
    path = path.resolve()
    text, data = _read(path)
    problems: list[Problem] = []
    pipelines = _pipelines(data, path.parent, problems)
    if not problems:
        problems.extend(_disagreements(pipelines))
    if problems:
        raise InvalidInputError(_render(path, text, problems), hint="See docs/pipelines.md.")
    return Project(root=path.parent, path=path, pipelines=pipelines)


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInputError(
            f"There is no {path}.",
            hint="Run in the project's folder, or name the file with --config.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} can't be read: {error}.") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where, words = _syntax(str(error), text)
        raise InvalidInputError(f"{path}{where}: not valid TOML: {words}.") from error


def _syntax(message: str, text: str) -> tuple[str, str]:
    """Take tomllib's ``WORDS (at line 4, column 2)`` as ``:4:2`` and ``WORDS`` apart."""
    if match := re.match(r"(.*) \(at line (\d+), column (\d+)\)$", message):
        return f":{match[2]}:{match[3]}", match[1]
    last = max(1, len(text.splitlines()))
    return f":{last}", message.replace(" (at end of document)", " at the end of the file")


def _pipelines(data: dict[str, Any], root: Path, problems: list[Problem]) -> dict[str, Pipeline]:
    for key in data:
        if key != "pipelines":
            problems.append(Problem((key,), "unknown key; a pipeline begins with [pipelines.NAME]"))
    declared = data.get("pipelines", {})
    if not isinstance(declared, dict) or not declared:
        problems.append(Problem(("pipelines",), "no pipeline is declared: add [pipelines.NAME]"))
        return {}
    pipelines: dict[str, Pipeline] = {}
    for name, value in declared.items():
        where = ("pipelines", name)
        if not isinstance(value, dict):
            problems.append(Problem(where, "must be a table with table, function and mapping"))
            continue
        if "name" in value:
            problems.append(Problem((*where, "name"), "unknown key; the header names the pipeline"))
            continue
        try:
            pipelines[name] = Pipeline.model_validate(
                {"name": name, **value}, context={"root": root}
            )
        except ValidationError as error:
            for path, message in explain(error, Pipeline):
                # The pipeline's name is the header's last part, no key of its own.
                problems.append(Problem(where if path == ("name",) else (*where, *path), message))
    return pipelines


def _disagreements(pipelines: dict[str, Pipeline]) -> Iterator[Problem]:
    """What only shows when pipelines are compared: shared tables, equal function names."""
    tables: dict[str, Pipeline] = {}
    functions: dict[str, Pipeline] = {}
    for pipeline in pipelines.values():
        table, function = pipeline.table, pipeline.function
        first = tables.setdefault(table.name, pipeline)
        if first.table != table:
            yield Problem(
                ("pipelines", pipeline.name, "table"),
                f"{table.name} is declared otherwise by pipeline {first.name!r}; "
                "pipelines that share a table must agree on it",
            )
        owner = functions.setdefault(function.name, pipeline)
        if owner is not pipeline:
            yield Problem(
                ("pipelines", pipeline.name, "function", "name"),
                f"{function.name!r} is already the function of pipeline {owner.name!r}",
            )
    for path, message in disagreements(pipelines.values()):
        yield Problem(path, message)


def _render(path: Path, text: str, problems: list[Problem]) -> str:
    lines = []
    for problem in problems[:SHOWN_AT_MOST]:
        number = line_of(text, problem.path)
        where = f"{path}:{number}" if number else str(path)
        lines.append(f"{where}: {problem.key}: {problem.message}")
    if (more := len(problems) - SHOWN_AT_MOST) > 0:
        lines.append(f"and {more} more.")
    return "\n".join(lines)
